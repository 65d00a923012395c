# shellcheck shell=bash
# The platforms to build an image for, the compression of its layers, and the platforms of an
# existing image. Sourced by deploy/publish, with which it shares its variables.

# Sets `platforms`; empty means this machine only.
choose_platforms() {
  builder=
  requested_platforms=$platforms
  if [[ -z $platforms ]]; then
    platforms=linux/amd64,linux/arm64
    buildx_builds "$platforms" || platforms=
  elif ! "$dry_run" && ! buildx_builds "$platforms"; then
    refuse "docker buildx cannot build for $platforms here; 'docker buildx ls' lists its" \
      "platforms. QEMU adds platforms; a builder of 'docker buildx create --use' builds" \
      'for several at once'
  fi
}

# Sets `push`, the options with which docker buildx pushes what it has built.
choose_compression() {
  push=(--push)
  case $compression in
    gzip) return ;;
    zstd) builder_compresses || refuse 'this builder cannot compress with zstd: a builder of' \
      "'docker buildx create --use' can, with --platforms" ;;
    '') ! "$public" && builder_compresses || return 0 ;;
    *) refuse "unknown compression: $compression; there are gzip and zstd" ;;
  esac
  # Also layers of the base image. Docker's own format of manifests knows no zstd.
  push=(--output 'type=image,push=true,compression=zstd,force-compression=true,oci-mediatypes=true')
}

# Whether the builder chooses the compression, as each one does that builds for several platforms.
# The engine's own builder leaves it to the push, which knows gzip only, unless containerd stores
# the images.
builder_compresses() {
  [[ $platforms == *,* ]] || {
    [[ -n $platforms && -n $builder ]] && { ! driver_is_docker || containerd_stores_images; }
  }
}

driver_is_docker() { [[ $builder =~ Driver:\ *docker$'\n' ]]; }

containerd_stores_images() {
  [[ $(docker info --format '{{.DriverStatus}}') == *io.containerd.snapshotter* ]]
}

# Whether docker buildx can build one image for all these platforms. Sets `builder`, what it says
# about its builder.
buildx_builds() {
  local known platform start=(--bootstrap)
  if "$dry_run"; then start=(); fi
  builder=$(docker buildx inspect "${start[@]}" 2>/dev/null) || return
  known=$(sed -n 's/^ *Platforms: *//p' <<<"$builder" | tr -d '* ' | tr '\n' ,)
  for platform in ${1//,/ }; do
    [[ ",$known" == *",$platform,"* ]] || return
  done
  # The engine's own builder handles several platforms only if containerd stores the images.
  [[ $1 != *,* ]] || ! driver_is_docker || containerd_stores_images
}

# The platforms of an index or a single image. Attestations in an index have no platform.
list_platforms='{{if or (eq .Manifest.MediaType "application/vnd.oci.image.index.v1+json")'
list_platforms+=' (eq .Manifest.MediaType "application/vnd.docker.distribution.manifest.list.v2+json")'
list_platforms+='}}{{range .Manifest.Manifests}}{{with .Platform}}'
list_platforms+='{{.OS}}/{{.Architecture}}{{with .Variant}}/{{.}}{{end}},{{end}}{{end}}'
list_platforms+='{{else}}{{.Image.OS}}/{{.Image.Architecture}}{{end}}'

sorted() {
  tr , '\n' <<<"$1" | sed '/^$/d; /^unknown/d; s,arm64/v8$,arm64,' | sort -u | paste -sd ,
}

# shellcheck shell=bash
# The platforms to build an image for, and those of an existing image. Sourced by deploy/publish,
# with which it shares its variables.

# Sets `platforms`; empty means this machine only.
choose_platforms() {
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

# Whether docker buildx can build one image for all these platforms.
buildx_builds() {
  local builder known platform start=(--bootstrap)
  if "$dry_run"; then start=(); fi
  builder=$(docker buildx inspect "${start[@]}" 2>/dev/null) || return
  known=$(sed -n 's/^ *Platforms: *//p' <<<"$builder" | tr -d '* ' | tr '\n' ,)
  for platform in ${1//,/ }; do
    [[ ",$known" == *",$platform,"* ]] || return
  done
  # The engine's own builder handles several platforms only if containerd stores the images.
  [[ $1 != *,* || ! $builder =~ Driver:\ *docker$'\n' ]] ||
    [[ $(docker info --format '{{.DriverStatus}}') == *io.containerd.snapshotter* ]]
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

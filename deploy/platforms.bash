# shellcheck shell=bash
# Which architectures an image is built for, and which one was built for. Sourced by
# deploy/publish, whose variables these are.

# Leaves `platforms` empty where the image is to be for this machine alone.
choose_platforms() {
  asked_platforms=$platforms
  if [[ -z $platforms ]]; then
    platforms=linux/amd64,linux/arm64
    buildx_builds "$platforms" || platforms=
  elif ! "$dry_run" && ! buildx_builds "$platforms"; then
    refuse "docker buildx cannot build for $platforms here; 'docker buildx ls' shows what" \
      "it can. QEMU adds platforms; a builder of 'docker buildx create --use' makes" \
      'several at once'
  fi
}

# Whether docker buildx can build one image for all of these platforms.
buildx_builds() {
  local builder known platform start=(--bootstrap)
  if "$dry_run"; then start=(); fi
  builder=$(docker buildx inspect "${start[@]}" 2>/dev/null) || return
  known=$(sed -n 's/^ *Platforms: *//p' <<<"$builder" | tr -d '* ' | tr '\n' ,)
  for platform in ${1//,/ }; do
    [[ ",$known" == *",$platform,"* ]] || return
  done
  # The engine's own builder makes several at once only where containerd keeps the images.
  [[ $1 != *,* || ! $builder =~ Driver:\ *docker$'\n' ]] ||
    [[ $(docker info --format '{{.DriverStatus}}') == *io.containerd.snapshotter* ]]
}

# The platforms of an index, or of the one image; what attests to a build has none.
list_platforms='{{if or (eq .Manifest.MediaType "application/vnd.oci.image.index.v1+json")'
list_platforms+=' (eq .Manifest.MediaType "application/vnd.docker.distribution.manifest.list.v2+json")'
list_platforms+='}}{{range .Manifest.Manifests}}{{with .Platform}}'
list_platforms+='{{.OS}}/{{.Architecture}}{{with .Variant}}/{{.}}{{end}},{{end}}{{end}}'
list_platforms+='{{else}}{{.Image.OS}}/{{.Image.Architecture}}{{end}}'

sorted() {
  tr , '\n' <<<"$1" | sed '/^$/d; /^unknown/d; s,arm64/v8$,arm64,' | sort -u | paste -sd ,
}

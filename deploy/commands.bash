# shellcheck shell=bash
# Runs commands after showing them, or only shows them, and reports their failures. Sourced by
# deploy/publish, which documents the exit codes.

dry_run=false
# Names that a dry run would have created, each between spaces.
simulated=
# The standard error of the last command.
error_file=$(mktemp)
trap 'rm -f "$error_file"' EXIT
# Commands are shown on file descriptor 3.
exec 3>&2

# Switches to a dry run: commands go to standard output and do not run.
print_only() {
  dry_run=true
  exec 3>&1
}

# Whether a name exists that was found. A dry run simulates an account that has only its own names.
exists() { ! "$dry_run" || [[ $simulated == *" $1 "* ]]; }

# Shows a command and runs it.
run() {
  show '' "$@"
  "$dry_run" || "$@"
}

# Sets a variable to the output of a command. In a dry run the variable gets a placeholder, which
# later commands show as the name of the variable.
capture() {
  local name=$1 output
  shift
  show "$name" "$@"
  if "$dry_run"; then
    output="@$name@"
  else
    output=$("$@" 2>"$error_file") || return
  fi
  printf -v "$name" %s "$output"
}

# Shows a command, and the variable that it sets, if any.
show() {
  local line
  line=$(quoted "${@:2}")
  [[ -z $1 ]] || line="$1=\$($line)"
  "$dry_run" || line="+ $line"
  printf '%s\n' "$line" >&3
}

# Prints a command that can be pasted into a shell.
quoted() {
  local word line=
  for word in "$@"; do
    # The manifest is pages of JSON.
    [[ -z $manifest || $word != "$manifest" ]] || word=@manifest@
    [[ $word == '|' || $word =~ ^[A-Za-z0-9_./:=,@%+-]+$ ]] || word=${word@Q}
    line+=" $word"
  done
  for word in uri registry published taken media_type manifest; do
    line=${line//@$word@/\"\$$word\"}
  done
  printf %s "${line# }"
}

# Whether the last command failed with this error code.
failed_with() { grep -q "($1)" "$error_file"; }

# Prints the error of the last command, and returns false.
print_error() {
  cat "$error_file" >&2
  return 1
}

log() { echo "publish: $*" >&2; }

refuse() {
  log "$@"
  exit 2
}

fail() {
  log "$@"
  exit 1
}

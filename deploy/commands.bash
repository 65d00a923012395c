# shellcheck shell=bash
# Commands that are shown before they run, or shown instead; and what is said when
# they fail. Sourced by deploy/publish, whose exit codes these are.

dry_run=false
# What a dry run would have made, each between spaces.
made=
# What the last command complained of.
complaint=$(mktemp)
trap 'rm -f "$complaint"' EXIT
# Where commands are shown.
exec 3>&2

# Makes this a dry run: commands go to standard output and are not run.
print_only() {
  dry_run=true
  exec 3>&1
}

# A dry run has before it an account with nothing in it but what it has made.
is_there() { ! "$dry_run" || [[ $made == *" $1 "* ]]; }

# Runs a command.
run() {
  show '' "$@"
  "$dry_run" || "$@"
}

# Sets a variable to what a command prints. In a dry run the variable gets a mark, in
# whose place its name is shown by the commands that come later.
ask() {
  local name=$1 answer
  shift
  show "$name" "$@"
  if "$dry_run"; then
    answer="@$name@"
  else
    answer=$("$@" 2>"$complaint") || return
  fi
  printf -v "$name" %s "$answer"
}

# Shows a command, and the variable that it sets if there is one.
show() {
  local line
  line=$(quoted "${@:2}")
  [[ -z $1 ]] || line="$1=\$($line)"
  "$dry_run" || line="+ $line"
  printf '%s\n' "$line" >&3
}

# A command as it can be pasted into a shell.
quoted() {
  local word line=
  for word in "$@"; do
    # Pages of JSON.
    [[ -z $manifest || $word != "$manifest" ]] || word=@manifest@
    [[ $word == '|' || $word =~ ^[A-Za-z0-9_./:=,@%+-]+$ ]] || word=${word@Q}
    line+=" $word"
  done
  for word in uri registry published taken media_type manifest; do
    line=${line//@$word@/\"\$$word\"}
  done
  printf %s "${line# }"
}

# Whether the last command complained of this.
complains() { grep -q "($1)" "$complaint"; }

# Says what the last command complained of, and is false.
complain() {
  cat "$complaint" >&2
  return 1
}

say() { echo "publish: $*" >&2; }

refuse() {
  say "$@"
  exit 2
}

fail() {
  say "$@"
  exit 1
}

# What the scripts share; read with `.`, from the root of the workspace.
# shellcheck shell=bash

cache="$PWD/.cache"
# What is built once serves every checkout of a user: a fresh clone finds it.
if [ ! -e "$cache" ]; then
  mkdir -p "${XDG_CACHE_HOME:-$HOME/.cache}/datawald"
  ln -sfn "${XDG_CACHE_HOME:-$HOME/.cache}/datawald" "$cache"
fi
export PATH="$cache/bin:$PATH"

step() { printf '\n== %s\n' "$*"; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

apt_install() {
  if ! command -v apt-get >/dev/null; then
    echo "$* cannot be installed here (there is no apt-get); please install it and run this again" >&2
    return 1
  fi
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Commands to run at the end of the script, in whatever way it ends; the last is run first.
exit_commands=()
at_exit() { exit_commands=("$1" "${exit_commands[@]}"); }
run_exit_commands() {
  local command
  for command in "${exit_commands[@]}"; do eval "$command" || true; done
}
trap run_exit_commands EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

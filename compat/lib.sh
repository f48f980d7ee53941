# Shared by the client scripts and the runners: source it.
# A toolchain or a codec that is absent is no failure: `absent REASON` ends the script with status 77, REASON being its last line of stderr.
set -eu
COMPAT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export COMPAT_HOME=${COMPAT_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/ottla-compat}

absent() { echo "$1" >&2; exit 77; }

# need COMMAND…: each must be on the path
need() {
  local command
  for command in "$@"; do command -v "$command" >/dev/null || absent "$command is not installed"; done
}

# stale FILE STAMP: FILE has changed since `fresh FILE STAMP` was last called
stale() { ! cmp -s "$1" "$2"; }
fresh() { cp "$1" "$2"; }

# python_venv CLIENT: a virtual environment with CLIENT/requirements.txt in it
python_venv() {
  local venv=$COMPAT_HOME/$1/venv pinned=$COMPAT/$1/requirements.txt
  need python3
  stale "$pinned" "$venv/pinned" || return 0
  rm -rf "$venv"
  python3 -m venv "$venv" || absent "python3 cannot make a virtual environment"
  "$venv/bin/pip" --quiet --disable-pip-version-check install --requirement "$pinned" >&2 || absent "pip cannot install $(head -1 "$pinned")"
  fresh "$pinned" "$venv/pinned"
}

# python_run CLIENT args…
python_run() {
  local client=$1; shift
  PYTHONPATH=$COMPAT/records PYTHONDONTWRITEBYTECODE=1 exec "$COMPAT_HOME/$client/venv/bin/python" "$COMPAT/$client/program.py" "$@"
}

# go_build CLIENT: what cannot be fetched is absent, what does not compile is a failure
go_build() {
  need go
  (cd "$COMPAT/$1" && go mod download) >&2 || absent "go cannot fetch what $1 needs"
  (cd "$COMPAT/$1" && go build -o "$COMPAT_HOME/$1/program" .) >&2
}

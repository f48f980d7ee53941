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

# need_ottla: sets `ottla` to the program: $OTTLA, or the newer of target/release/ottla and target/debug/ottla
need_ottla() {
  local target=${CARGO_TARGET_DIR:-$COMPAT/../target}
  ottla=${OTTLA:-$(ls -t "$target/release/ottla" "$target/debug/ottla" 2>/dev/null | head -n 1)}
  [ -n "$ottla" ] || absent "ottla is not built: cargo build --release"
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port DISTANCE: sets `port` to one where nobody listens, nor at the port so far above it
free_port() {
  port=$((20000 + RANDOM % 9000))
  while listening "$port" || listening $((port + $1)); do port=$((port + 2)); done
}

# beside_oracle NAME: for what Apache Kafka ($OTTLA_ORACLE) and Ottla do to the same directory. Sets `ottla`, `port` (the
# controllers are 1000 above), `home`, the directory of `node` with its `data`, `logs`, `jars`; compiles NAME/*.java into
# $home/classes.
beside_oracle() {
  [ -n "${OTTLA_ORACLE:-}" ] || absent "OTTLA_ORACLE does not name the script that runs Apache Kafka"
  need java javac
  need_ottla
  home=$COMPAT_HOME/$1 node=$COMPAT_HOME/$1/node logs=$COMPAT_HOME/$1/logs
  data=$node/data
  rm -rf "$home"; mkdir -p "$home/classes" "$logs"
  jars=$("$OTTLA_ORACLE" jars)
  javac -encoding UTF-8 -nowarn -cp "$jars/*" -d "$home/classes" "$COMPAT/$1"/*.java 2>"$logs/javac" || { cat "$logs/javac" >&2; exit 1; }
  free_port 1000
}

# start_oracle args…: Apache Kafka in `node`. On a loaded machine its script may lose its patience before it is up.
start_oracle() {
  "$OTTLA_ORACLE" start "$node" "$port" "$@" >"$logs/start" 2>&1 && return
  for _ in $(seq 1200); do listening "$port" && return; sleep 0.2; done
  return 1
}

# stop_both: nothing that was started goes on; `ottla_pid` is empty or a node of Ottla
stop_both() {
  [ -z "$ottla_pid" ] || kill -9 "$ottla_pid" 2>/dev/null || true
  "$OTTLA_ORACLE" kill "$node" 2>/dev/null || true
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

#!/bin/bash
# Runs a command against a node of its own, which is started empty on a free port and stopped afterwards.
#
#   on-a-node.sh COMMAND…     every argument BOOTSTRAP becomes the node's address, every argument DATA_DIR its log directory
#
# OTTLA: the program (default: the newer of target/release/ottla and target/debug/ottla). Status 77 when there is none, else the command's.
. "$(dirname "$0")/lib.sh"
[ $# -ge 1 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }

need_ottla
free_port 1

home=$(mktemp -d)
"$ottla" server --override "listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))" --override "log.dirs=$home/data" \
  >"$home/log" 2>&1 &
node=$!
stop() {
  kill "$node" 2>/dev/null || true
  wait "$node" 2>/dev/null || true
  rm -rf "$home"
}
trap stop EXIT
until listening "$port"; do
  kill -0 "$node" 2>/dev/null || { echo "the node did not start:" >&2; tail -n 5 "$home/log" >&2; exit 1; }
  sleep 0.05
done

command=()
for argument in "$@"; do
  case $argument in BOOTSTRAP) argument=127.0.0.1:$port;; DATA_DIR) argument=$home/data;; esac
  command+=("$argument")
done
status=0
"${command[@]}" || status=$?
kill -0 "$node" 2>/dev/null || { echo "the node died:" >&2; tail -n 20 "$home/log" >&2; exit 1; }
exit "$status"

#!/bin/bash
# One data directory, served by Apache Kafka and by Ottla in turn: is everything there after each swap, in both directions?
#
#   OTTLA_ORACLE=SCRIPT swaps.sh [SWAPS]
#
#   OTTLA_ORACLE  a script that runs Apache Kafka 4.3 on loopback: `SCRIPT start DIR PORT` (a node with its settings in
#                 DIR/server.properties and its data in DIR/data), `stop DIR`, `kill DIR`, `jars` (prints the folder of its
#                 jars), `tool NAME args…`
#   OTTLA         the program (default: the newer of target/release/ottla and target/debug/ottla)
#   SWAPS         how often the directory changes hands (20)
# A Java client (swaps/Swaps.java) lives through all turns. At the begin of each it reads everything under both isolations
# and compares it with what was ever acknowledged, and the ends, producers, leader epochs, topics, configs and groups with
# what the broker before said last; then it writes more. Half of the turns end with kill -9. Then the files are checked:
# `ottla storage verify`, kafka-dump-log of both, Apache's log for recovery, the coordinators' logs for every byte.
# Prints a line a turn; the status is 0 when nothing is different, 77 when it cannot run here. Files are in
# $COMPAT_HOME/swaps, which is kept when something is wrong.
. "$(dirname "$0")/lib.sh"

[ $# -le 1 ] || { sed -n '2,18s/^# \{0,1\}//p' "$0" >&2; exit 2; }
swaps=${1:-20}
beside_oracle swaps

differences=0
wrong() { echo "WRONG turn $turn $who: $*"; differences=$((differences + 1)); }
seconds() { local us=$((${EPOCHREALTIME/[.,]/} - $1)); echo "$((us / 1000000)).$(((us / 100000) % 10))"; }

coproc CLIENT { exec java -Xmx700m -XX:+UseSerialGC -cp "$home/classes:$jars/*" Swaps "127.0.0.1:$port" "$data" 2>"$logs/client"; }
client=$CLIENT_PID to_client=${CLIENT[1]} from_client=${CLIENT[0]}
ottla_pid=
finish() {
  stop_both
  kill "$client" 2>/dev/null || true
}
trap finish EXIT

start_apache() { start_oracle; }
# Authorizers are not built yet, and Ottla says so rather than ignore the setting.
start_ottla() {
  sed '/^authorizer\.class\.name=/d; /^super\.users=/d' "$node/server.properties" >"$home/ottla.properties"
  "$ottla" server "$home/ottla.properties" --override ottla.http.address=127.0.0.1:0 >"$logs/ottla-$turn" 2>&1 &
  ottla_pid=$!
  until listening "$port"; do
    kill -0 "$ottla_pid" 2>/dev/null || { tail -n 5 "$logs/ottla-$turn" >"$logs/start"; return 1; }
    sleep 0.05
  done
}

# What Apache Kafka says of a log directory that was not left as it likes it.
complaints='no clean shutdown|[Rr]ecover(ing|ed) (unflushed|segment)|[Cc]orrupt|Found invalid|Could not find|Rebuilding|[Tt]runcating|index file|(WARN|ERROR) .*\((kafka|org\.apache\.kafka)\.(storage|log)'
check_start() {
  [ "$who" = apache ] && [ "$turn" -gt 1 ] || return 0
  cp "$node/log" "$logs/apache-$turn"
  [ "$ended" = clean ] || return 0
  grep -q 'since clean shutdown file was found' "$node/log" || wrong "Apache Kafka found no clean shutdown"
  # Its metadata log is always recovered.
  if grep -E "$complaints" "$node/log" | grep -v 'partition=__cluster_metadata-0' | head -n 5 >"$logs/complaints" && [ -s "$logs/complaints" ]; then
    wrong "Apache Kafka complains: $(cat "$logs/complaints")"
  fi
}

coordinators() { (cd "$data" && find . -path './__[ct][or]*' ! -path './__cluster*' -name '*.log' | sort | xargs -r sha256sum); }

stop() {
  if [ "$who" = apache ]; then
    if [ "$ended" = clean ]; then "$OTTLA_ORACLE" stop "$node"; else "$OTTLA_ORACLE" kill "$node"; rm -f "$node/pid"; fi
  else
    if [ "$ended" = clean ]; then kill "$ottla_pid"; else kill -9 "$ottla_pid"; fi
    local status=0
    { wait "$ottla_pid"; } 2>/dev/null || status=$?
    [ "$ended" = kill ] || [ "$status" = 0 ] || wrong "the stop ended with status $status"
    ottla_pid=
  fi
  while listening "$port"; do sleep 0.05; done
}

# Both tools read every file, print the same, and say nothing but what they find in a sound one. (Of a file that does not
# begin at 0, or was compacted, both say at the end which offsets do not follow each other.)
sound='^Dumping |^(Log starting|Snapshot end) offset: |^baseOffset: .* isvalid: true$|^\| offset: |^offset: [0-9]+ position: [0-9]+ *$|^timestamp: [0-9]+ offset: [0-9]+$|^producerId: |^version: '
check_files() {
  "$ottla" storage verify --directory "$data" >"$logs/verify" 2>&1 || wrong "storage verify: $(grep -a '^WRONG' "$logs/verify" | head -n 3) $(tail -n 1 "$logs/verify")"
  local kinds=(-name '*.log') files tool
  [ "$ended" = kill ] || kinds+=(-o -name '*.index' -o -name '*.timeindex' -o -name '*.txnindex' -o -name '*.snapshot')
  files=$(find "$data" -mindepth 2 -maxdepth 2 ! -path '*/__cluster_metadata-0/*' ! -path '*-delete/*' \( "${kinds[@]}" \) -size +0 | sort | paste -sd ,)
  "$OTTLA_ORACLE" tool kafka-dump-log --deep-iteration --files "$files" >"$logs/dump-apache" 2>"$logs/dump-apache-says" || true
  "$ottla" kafka-dump-log --deep-iteration --files "$files" >"$logs/dump-ottla" 2>"$logs/dump-ottla-says" || true
  for tool in apache ottla; do
    grep -vE '^Non-consecutive offsets in |^  -?[0-9]+ is followed by [0-9]+$' "$logs/dump-$tool-says" >>"$logs/dump-$tool" || true
    if grep -vE -- "$sound" "$logs/dump-$tool" | cut -c 1-300 | head -n 3 >"$logs/unsound" && [ -s "$logs/unsound" ]; then
      wrong "kafka-dump-log of $tool says: $(cat "$logs/unsound")"
    fi
  done
  cmp -s "$logs/dump-apache" "$logs/dump-ottla" || wrong "the dumps differ: $(diff "$logs/dump-apache" "$logs/dump-ottla" | cut -c 1-300 | head -n 4)"
  dumped=$(grep -c '^| offset: ' "$logs/dump-apache" || true)
}

ended= coordinators_before=
how=(clean kill kill clean clean clean kill kill)
for turn in $(seq 1 $((swaps + 1))); do
  if [ $((turn % 2)) = 1 ]; then who=apache; else who=ottla; fi
  begun=${EPOCHREALTIME/[.,]/}
  "start_$who" || { wrong "no start: $(cat "$logs/start")"; exit 1; }
  check_start
  started=$(seconds "$begun")
  before=$differences
  echo "turn $turn $who ${ended:-clean}" >&"$to_client"
  read -r -t 600 answer <&"$from_client" || answer="wrong: the client does not answer: $(tail -n 3 "$logs/client")"
  case $answer in ok\ *) ;; *) wrong "$answer; $(grep -a "^WRONG turn $turn " "$logs/client" | head -n 10)";; esac
  coordinators_before=$([ "$who" = apache ] || echo "$coordinators_now")
  ended=${how[turn % 8]}
  stop
  coordinators_now=$(coordinators)
  if [ "$who" = ottla ] && [ "$coordinators_before" != "$coordinators_now" ]; then
    wrong "the coordinators' logs are changed: $(diff <(echo "$coordinators_before") <(echo "$coordinators_now") | head -n 4)"
  fi
  check_files
  echo "turn $turn $who: up in $started s, ${answer#ok }, $dumped records on disk, $ended end, $((differences - before)) differences"
done
[ "$differences" = 0 ] && rm -rf "$node" "$home/classes"
echo "$swaps swaps, $differences differences"
[ "$differences" = 0 ]

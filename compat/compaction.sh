#!/bin/bash
# The same logs, compacted by Apache Kafka and by Ottla: is what stays the same?
#
#   OTTLA_ORACLE=SCRIPT compaction.sh [ROUNDS]
#
#   OTTLA_ORACLE  as in swaps.sh
#   OTTLA         the program (default: the newer of target/release/ottla and target/debug/ottla)
#   ROUNDS        how often it is written and compacted (3)
# In each round Apache Kafka, its cleaner off, takes the records of compaction/Input.java; the stopped directory is copied; then
# it compacts one copy, and Ottla the other. Apache's kafka-dump-log reads both: every batch and record must be the same, in
# the same order, with the same tombstones, markers, epochs, sequences and timestamps, and of each key the same newest value.
# What was rebuilt may have another size and checksum, and a delete horizon is there or not, as it is the time of the pass.
# Apache's result is what the next round adds to, so Ottla also compacts what Apache has compacted before.
# Prints a line a round; the status is 0 when nothing is different, 77 when it cannot run here.
. "$(dirname "$0")/lib.sh"

[ $# -le 1 ] || { sed -n '2,16s/^# \{0,1\}//p' "$0" >&2; exit 2; }
rounds=${1:-3}
beside_oracle compaction
own=$home/own
ottla_pid=
trap stop_both EXIT

start_apache() {
  [ ! -f "$node/server.properties" ] || sed -i '/^log\.cleaner\./d' "$node/server.properties"
  start_oracle "$@" || { cat "$logs/start" >&2; exit 1; }
}

# compacted DATA: all that may be compacted is, by the checkpoint that both write
compacted() {
  local topic active first
  for topic in "${topics[@]}"; do
    active=$(find "$1/$topic-0" -name '*.log' | sort | tail -n 1)
    first=$((10#$(basename "$active" .log)))
    for _ in $(seq 600); do
      grep -q "^$topic 0 $first\$" "$1/cleaner-offset-checkpoint" 2>/dev/null && continue 2
      sleep 0.1
    done
    echo "$topic in $1 is not compacted up to $first: $(cat "$1/cleaner-offset-checkpoint")" >&2; return 1
  done
}

# shape DATA TOPIC: a line a batch and a record; what a rebuilt batch may have of its own is left out
shape() {
  "$OTTLA_ORACLE" tool kafka-dump-log --deep-iteration --print-data-log --files "$(find "$1/$2-0" -name '*.log' | sort | paste -sd ,)" 2>/dev/null |
    sed -E 's/^Dumping .*//; s/ position: [0-9]+//; s/ size: [0-9]+//; s/ crc: [0-9]+//; s/OptionalLong\[[0-9]+\]/OptionalLong[a time]/'
}
# newest: of each key the last value, from a shape
newest() { grep '^| offset: .* payload' | sed -E 's/.* key: //; s/ payload: /\t/' | awk -F '\t' '{ last[$1] = $2 } END { for (key in last) print key "\t" last[key] }' | sort; }

topics=(short-lived long-lived small) differences=0
for round in $(seq 1 "$rounds"); do
  start_apache log.cleaner.enable=false
  java -Xmx400m -cp "$home/classes:$jars/*" Input "127.0.0.1:$port" "$round" 2>"$logs/input" || { tail -n 3 "$logs/input" >&2; exit 1; }
  "$OTTLA_ORACLE" stop "$node"
  rm -rf "$own"; cp -r "$data" "$own"
  before=$(find "$data" -path '*-0/*.log' ! -path '*/__*' -printf '%s\n' | paste -sd +)

  start_apache log.cleaner.enable=true log.cleaner.backoff.ms=200
  compacted "$data"
  "$OTTLA_ORACLE" stop "$node"
  sed "/^authorizer\.class\.name=/d; /^super\.users=/d; s|^log\.dirs=.*|log.dirs=$own|" "$node/server.properties" >"$home/ottla.properties"
  "$ottla" server "$home/ottla.properties" --override ottla.http.address=127.0.0.1:0 >"$logs/ottla" 2>&1 &
  ottla_pid=$!
  compacted "$own"
  kill "$ottla_pid"; wait "$ottla_pid" || true; ottla_pid=

  for topic in "${topics[@]}"; do
    shape "$data" "$topic" >"$logs/$round-$topic-apache"; shape "$own" "$topic" >"$logs/$round-$topic-ottla"
    newest <"$logs/$round-$topic-apache" >"$logs/newest-apache"; newest <"$logs/$round-$topic-ottla" >"$logs/newest-ottla"
    if ! cmp -s "$logs/newest-apache" "$logs/newest-ottla"; then
      echo "WRONG round $round $topic: the newest of each key: $(diff "$logs/newest-apache" "$logs/newest-ottla" | head -n 3)"; differences=$((differences + 1))
    fi
    if ! cmp -s "$logs/$round-$topic-apache" "$logs/$round-$topic-ottla"; then
      echo "WRONG round $round $topic: $(diff "$logs/$round-$topic-apache" "$logs/$round-$topic-ottla" | cut -c 1-300 | head -n 4)"; differences=$((differences + 1))
    fi
    shapes=$logs/$round-$topic-ottla
    echo "round $round $topic: $(grep -c '^baseOffset' "$shapes") batches, $(grep -c '^| offset: .* key: ' "$shapes") records of $(wc -l <"$logs/newest-ottla") keys," \
      "$(grep -c 'valueSize: -1' "$shapes" || true) tombstones, $(grep -c 'endTxnMarker' "$shapes" || true) markers"
  done
  echo "round $round: $((before)) bytes became $(($(find "$data" -path '*-0/*.log' ! -path '*/__*' -printf '%s\n' | paste -sd +))) and $(($(find "$own" -path '*-0/*.log' ! -path '*/__*' -printf '%s\n' | paste -sd +)))"
done
[ "$differences" = 0 ] && rm -rf "$node" "$own"
echo "$rounds rounds, $differences differences"
[ "$differences" = 0 ]

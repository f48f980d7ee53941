#!/bin/bash
# Apache Kafka's own command-line tools, run against a broker and on the files that it wrote.
#
#   APACHE_KAFKA=SCRIPT apache-tools.sh BOOTSTRAP [DATA_DIR]
#
#   APACHE_KAFKA  a script of which `SCRIPT tool NAME args…` runs the tool NAME (kafka-topics, …) of Apache Kafka 4.3
#   DATA_DIR      the broker's log directory; without it nothing is dumped
# Prints `PASS|FAIL STEP SECONDS` lines, `SKIP STEP REASON` lines, and last `N passed, N failed, N skipped`; the status is 0 when
# nothing failed. What each step said is in $COMPAT_HOME/logs/apache-STEP.
. "$(dirname "$0")/lib.sh"

[ $# = 1 ] || [ $# = 2 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
bootstrap=$1 data_dir=${2:-}
if [ -z "${APACHE_KAFKA:-}" ]; then echo "SKIP all APACHE_KAFKA is not set"; echo "0 passed, 0 failed, 1 skipped"; exit 0; fi
logs=$COMPAT_HOME/logs; mkdir -p "$logs"
topic=apache-tools-$$-$(date +%s)
perf_records=20000
codecs=(none gzip snappy lz4 zstd)
passed=0 failed=0 skipped=0

tool() { timeout --kill-after=5 120 "$APACHE_KAFKA" tool "$@"; }
at() { local name=$1; shift; tool "$name" --bootstrap-server "$bootstrap" "$@"; }
topics() { at kafka-topics "$@"; }

# step NAME COMMAND…: passes when the command does; it may `return 77` after a line that says why it was skipped
step() {
  local name=$1 start=${EPOCHREALTIME/[.,]/} status=0; shift
  ("$@") >"$logs/apache-$name" 2>&1 || status=$?
  local tenths=$(((${EPOCHREALTIME/[.,]/} - start) / 100000))
  case $status in
    0) echo "PASS $name $((tenths / 10)).$((tenths % 10))"; passed=$((passed + 1));;
    77) echo "SKIP $name $(tail -n 1 "$logs/apache-$name" | cut -c 1-200)"; skipped=$((skipped + 1));;
    *) echo "FAIL $name $((tenths / 10)).$((tenths % 10)) $(tail -n 1 "$logs/apache-$name" | cut -c 1-200)"; failed=$((failed + 1));;
  esac
}

# shows PATTERN COMMAND…: it ends well, and a line of its output matches
shows() {
  local pattern=$1 output status=0; shift
  output=$("$@" 2>&1) || status=$?
  printf '%s\n' "$output"
  [ "$status" = 0 ] && grep --quiet --extended-regexp -- "$pattern" <<<"$output"
}

# prints TEXT COMMAND…: its standard output is exactly TEXT
prints() {
  local text=$1 output; shift
  output=$("$@")
  [ "$output" = "$text" ] || { printf '%s\n' "$output" "instead of" "$text"; return 1; }
}

# The tool asks for the topic's configs too, without which it shows nothing.
describe() {
  local output status=0
  output=$(topics --describe --topic "$topic" 2>&1) || status=$?
  printf '%s\n' "$output"
  if grep --quiet 'does not support DESCRIBE_CONFIGS' <<<"$output"; then echo "the broker does not advertise DescribeConfigs"; return 77; fi
  [ "$status" = 0 ] && grep --quiet "PartitionCount: 3.ReplicationFactor: 1" <<<"$output" &&
    [ "$(grep --count "Partition: [0-2].Leader: [0-9]" <<<"$output")" = 3 ]
}

# The deletion reaches the broker's metadata a moment after its answer.
delete_topics() {
  topics --delete --topic "$topic" && topics --delete --topic "$topic-perf" || return 1
  local i
  for i in 1 2 3 4 5; do
    topics --list >"$logs/apache-topics-left" || return 1
    grep --quiet "^$topic" "$logs/apache-topics-left" || return 0
  done
  cat "$logs/apache-topics-left"; return 1
}

console_produce() {
  printf 'k0:v0\nk1:v1\nk2:v2\nk3:v3\nk4:v4\n' >"$logs/apache-console-input"
  at kafka-console-producer --topic "$topic-perf" --reader-property parse.key=true --reader-property key.separator=: \
    <"$logs/apache-console-input"
}
console_consume() { # FIRST_OFFSET COUNT
  at kafka-console-consumer --topic "$topic-perf" --partition 0 --offset "$1" --max-messages "$2" --timeout-ms 30000 \
    --formatter-property print.key=true --formatter-property key.separator=: --formatter-property print.offset=true 2>/dev/null
}
perf() {
  shows "^$perf_records records sent, .* max latency" at kafka-producer-perf-test --topic "$topic-perf" --num-records "$perf_records" \
    --record-size 200 --throughput -1 --command-property acks=all --command-property "compression.type=$1"
}

# dump NAME DIRECTORY EXTENSION args…: the tool reads every such file of the directory, and says nothing but what it finds in a sound one
dump() {
  local out=$logs/apache-$1-output directory=$2 extension=$3 files; shift 3
  files=$(find "$directory" -maxdepth 1 -name "*.$extension" | sort | paste -sd ,)
  [ -n "$files" ] || { echo "no $extension file in $directory"; return 1; }
  tool kafka-dump-log --files "$files" "$@" >"$out" 2>&1
  local sound='^Dumping |^(Log starting|Snapshot end) offset: |^baseOffset: .* isvalid: true$|^\| offset: |^offset: [0-9]+ position: [0-9]+ *$|^timestamp: [0-9]+ offset: [0-9]+$'
  if grep --invert-match --extended-regexp -- "$sound" "$out" | cut -c 1-200 | head -n 5 | grep .; then return 1; fi
}
dump_segments() {
  local expected=$((5 + perf_records * ${#codecs[@]})) found codec out=$logs/apache-dump-segments-output
  dump dump-segments "$data_dir/$topic-perf-0" log --deep-iteration || return 1
  found=$(grep --count '^| offset: ' "$out")
  [ "$found" = "$expected" ] || { echo "$found records instead of $expected"; return 1; }
  for codec in "${codecs[@]}"; do grep --quiet "compresscodec: $codec " "$out" || { echo "no batch in $codec"; return 1; }; done
}
dump_metadata() {
  local out=$logs/apache-dump-metadata-output
  dump dump-metadata "$data_dir/__cluster_metadata-0" log --deep-iteration --cluster-metadata-decoder || return 1
  grep --quiet "\"type\":\"TOPIC_RECORD\".*\"name\":\"$topic\"" "$out" || { echo "no record of topic $topic"; return 1; }
}
dump_snapshots() {
  if [ -z "$(find "$data_dir/__cluster_metadata-0" -maxdepth 1 -name '*.checkpoint')" ]; then echo "no snapshot yet"; return 77; fi
  dump dump-snapshots "$data_dir/__cluster_metadata-0" checkpoint --deep-iteration --cluster-metadata-decoder
}

step broker-api-versions shows 'Produce\(0\): 0 to 13 \[usable: 13\]' at kafka-broker-api-versions
step topics-create shows "^Created topic $topic\.$" topics --create --topic "$topic" --partitions 3 --replication-factor 1
step topics-create-perf shows "^Created topic $topic-perf\.$" topics --create --topic "$topic-perf" --partitions 1 --replication-factor 1
step topics-list shows "^$topic$" topics --list
step topics-describe describe
step console-producer console_produce
step console-consumer-earliest prints $'Offset:0:k0:v0\nOffset:1:k1:v1\nOffset:2:k2:v2\nOffset:3:k3:v3\nOffset:4:k4:v4' console_consume earliest 5
step console-consumer-offset prints $'Offset:3:k3:v3\nOffset:4:k4:v4' console_consume 3 2
for codec in "${codecs[@]}"; do step "producer-perf-test-$codec" perf "$codec"; done
step get-offsets-latest prints "$topic-perf:0:$((5 + perf_records * ${#codecs[@]}))" at kafka-get-offsets --topic "$topic-perf"
step get-offsets-earliest prints "$topic-perf:0:0" at kafka-get-offsets --topic "$topic-perf" --time earliest
step get-offsets-empty prints "$topic:0:0"$'\n'"$topic:1:0"$'\n'"$topic:2:0" at kafka-get-offsets --topic "$topic"
if [ -n "$data_dir" ]; then
  step dump-segments dump_segments
  step dump-index dump dump-index "$data_dir/$topic-perf-0" index
  step dump-timeindex dump dump-timeindex "$data_dir/$topic-perf-0" timeindex
  step dump-metadata dump_metadata
  step dump-snapshots dump_snapshots
else
  echo "SKIP dump-log no DATA_DIR given"; skipped=$((skipped + 1))
fi
step topics-delete delete_topics
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]

#!/bin/bash
# Records produced by one published client, read by another by assignment, in every codec: the same bytes in the same order?
#
#   run.sh [BOOTSTRAP] [--records N] [--pairs ring|full] [--clients a,b] [--codecs a,b] [--seed N] [--keep]
#
#   BOOTSTRAP  the broker; without it, a node is started for the run (on-a-node.sh)
#   --records  records for each producer and codec ($COMPAT_RECORDS or 2000; the full proof is 1000000)
#   --pairs    ring: each producer is read by the next client of the list and by franz-go, which also shows the codec
#              of the batches; full: every producer is read by every client
#   --keep     leave the topics behind
# Prints `PASS|FAIL PRODUCER>CONSUMER CODEC RECORDS PRODUCE_S CONSUME_S` lines, `SKIP … REASON` lines, and last
# `N passed, N failed, N skipped`; the status is 0 when nothing failed. README.md says what a record is.
. "$(dirname "$0")/lib.sh"

ALL_CLIENTS=(java kcat franz-go confluent-kafka sarama kafka-python aiokafka kafkajs)
ALL_CODECS=(none gzip snappy lz4 zstd)
ADMINS=(confluent-kafka franz-go java)

usage() { sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2; }
all=("$@") bootstrap= records=${COMPAT_RECORDS:-2000} pairs=ring seed=1 keep= clients=("${ALL_CLIENTS[@]}") codecs=("${ALL_CODECS[@]}")
while [ $# -gt 0 ]; do
  case $1 in
    --keep) keep=yes; shift; continue;;
    --*) [ $# -ge 2 ] || usage;;&
    --records) records=$2; shift 2;;
    --pairs) pairs=$2; shift 2;;
    --seed) seed=$2; shift 2;;
    --clients) IFS=, read -ra clients <<<"$2"; shift 2;;
    --codecs) IFS=, read -ra codecs <<<"$2"; shift 2;;
    -*) usage;;
    *) [ -z "$bootstrap" ] || usage; bootstrap=$1; shift;;
  esac
done
[ -n "$bootstrap" ] || exec "$COMPAT/on-a-node.sh" "$0" BOOTSTRAP "${all[@]}"
[[ $pairs = ring || $pairs = full ]] || usage
for client in "${clients[@]}"; do [ -x "$COMPAT/$client/client" ] || { echo "no client $client" >&2; usage; }; done
for codec in "${codecs[@]}"; do [[ " ${ALL_CODECS[*]} " = *" $codec "* ]] || { echo "no codec $codec" >&2; usage; }; done

logs=$COMPAT_HOME/logs; mkdir -p "$logs"
run=$(date +%s)-$$
limit_s=$((120 + records / 2000))
passed=0 failed=0 skipped=0
pass() { echo "PASS $*"; passed=$((passed + 1)); }
fail() { echo "FAIL $*"; failed=$((failed + 1)); }
skip() { echo "SKIP $*"; skipped=$((skipped + 1)); }
last_line() { tail -n 1 "$1" | cut -c 1-200; }

# call NAME CLIENT args…: runs a client; its output is in $said, the seconds in $took, its status returned, its stderr in $logs/NAME
call() {
  local log=$logs/$1 client=$2 start=${EPOCHREALTIME/[.,]/} status=0 us; shift 2
  said=$(timeout --kill-after=5 "$limit_s" "$COMPAT/$client/client" "$@" 2>"$log" </dev/null) || status=$?
  [ "$status" != 124 ] || echo "not done after $limit_s s" >>"$log"
  us=$((${EPOCHREALTIME/[.,]/} - start))
  took=$((us / 1000000)).$(((us / 100000) % 10))
  return "$status"
}

# prepare_client CLIENT: 0 when it can be used
declare -A prepared
prepare_client() {
  [ -z "${prepared[$1]:-}" ] || return "${prepared[$1]}"
  local status=0
  "$COMPAT/$1/client" prepare >"$logs/prepare-$1" 2>&1 || status=$?
  prepared[$1]=$status
  return "$status"
}

# digest_of SEED SHAPE: what the records' digest must be, when Python is there to work it out
declare -A digests
digest_of() {
  [ -n "${digests[$1$2]:-}" ] || digests[$1$2]=$(PYTHONDONTWRITEBYTECODE=1 python3 "$COMPAT/records/records.py" "$records" "$1" "$2" 2>/dev/null) || true
  expected=${digests[$1$2]:-}
}

# readers_of PRODUCER: the clients that read what it produced
readers_of() {
  local reader i n=${#readers[@]} next=
  if [ "$pairs" = full ]; then echo "${readers[*]}"; return; fi
  for i in "${!readers[@]}"; do
    if [ "${readers[i]}" = "$1" ]; then next=${readers[(i + 1) % n]}; fi
  done
  next=${next:-${readers[0]}}
  [[ " ${readers[*]} " != *" franz-go "* || $next = franz-go ]] || next="$next franz-go"
  echo "$next"
}

# produce_one PRODUCER CODEC: the topic, its records, and whether they are the ones that they must be; else $problem
produce_one() {
  local producer=$1 codec=$2 i codec_seed=$seed shape= status=0
  for i in "${!ALL_CODECS[@]}"; do [ "${ALL_CODECS[i]}" != "$codec" ] || codec_seed=$((seed + i)); done
  [ "$producer" != kcat ] || shape=kcat
  call "create-$producer-$codec" "$admin" create "$bootstrap" "$topic" || { problem="no topic: $(last_line "$logs/create-$producer-$codec")"; return 1; }
  call "produce-$producer-$codec" "$producer" produce "$bootstrap" "$topic" "$records" "$codec" "$codec_seed" || status=$?
  problem=$(last_line "$logs/produce-$producer-$codec")
  [ "$status" = 0 ] || return "$status"
  produced=$said produce_s=$took
  digest_of "$codec_seed" "$shape"
  problem="sent other records than the README's"
  [ -z "$expected" ] || [ "$produced" = "$expected" ]
}

# consume_one PRODUCER CONSUMER CODEC
consume_one() {
  local log=consume-$1-$2-$3 what="$1>$2 $3 $records $produce_s" read_codec=
  call "$log" "$2" consume "$bootstrap" "$topic" "$records" || { fail "$what $took $(last_line "$logs/$log")"; return; }
  case $said in *" codec="*) read_codec=${said##* codec=}; said=${said%% codec=*};; esac
  if [ "$said" != "$produced" ]; then
    fail "$what $took read ${said:-nothing}, produced $produced"
  elif [ "$3 $read_codec" = "lz4 none" ] && [[ $1 = kcat || $1 = confluent-kafka ]]; then
    skip "$what librdkafka compresses with lz4 only for brokers that advertise FindCoordinator"
  elif [ -n "$read_codec" ] && [ "$read_codec" != "$3" ] && [ "$read_codec" != "none+$3" ]; then
    fail "$what $took the batches are in $read_codec"
  else
    pass "$what $took"
  fi
}

admin=
for client in "${ADMINS[@]}"; do
  if prepare_client "$client"; then admin=$client; break; fi
done
writers=() readers=()
for client in "${clients[@]}"; do
  status=0; prepare_client "$client" || status=$?
  if [ "$status" = 77 ]; then skip "$client $(last_line "$logs/prepare-$client")"
  elif [ "$status" != 0 ]; then fail "$client cannot be prepared: $(last_line "$logs/prepare-$client")"
  else
    writers+=("$client")
    if [ "$client" = kafkajs ]; then skip "*>kafkajs it reads in groups alone"; else readers+=("$client"); fi
  fi
done
if [ -z "$admin" ] || [ ${#readers[@]} = 0 ]; then
  [ -n "$admin" ] || echo "none of ${ADMINS[*]} can be prepared, and one must create the topics"
  writers=()
fi

for producer in "${writers[@]}"; do
  for codec in "${codecs[@]}"; do
    topic=compat-$run-$producer-$codec status=0
    produce_one "$producer" "$codec" || status=$?
    for consumer in $(readers_of "$producer"); do
      case $status in
        0) consume_one "$producer" "$consumer" "$codec";;
        77) skip "$producer>$consumer $codec $problem";;
        *) fail "$producer>$consumer $codec $records not produced: $problem";;
      esac
    done
    [ -n "$keep" ] || call "delete-$producer-$codec" "$admin" delete "$bootstrap" "$topic" || true
  done
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]

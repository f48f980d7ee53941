#!/bin/bash
# Makes the files in dump-log/ and what Apache Kafka's kafka-dump-log says about them.
#
#   record.sh ORACLE       ORACLE: a script that runs Apache Kafka 4.3.0 (start DIR PORT, stop DIR, tool NAME args…)
#
# The files are those of a node that was stopped cleanly; keep them small.
set -eu
oracle=$1
here=$(cd "$(dirname "$0")" && pwd)/dump-log
work=$(mktemp -d)
port=${PORT:-29392}
server=127.0.0.1:$port
trap '"$oracle" stop "$work/node"; rm -rf "$work"' EXIT
export KAFKA_LOG_LEVEL=ERROR

"$oracle" start "$work/node" "$port" num.partitions=1 >/dev/null
topics() { "$oracle" tool kafka-topics --bootstrap-server "$server" --create --partitions 1 "$@" >/dev/null; }
topics --topic codecs
topics --topic plain --config message.timestamp.type=LogAppendTime
topics --topic transactions
for codec in none gzip snappy lz4 zstd; do
  "$oracle" tool kafka-producer-perf-test --bootstrap-server "$server" --topic codecs --num-records 12 --record-size 900 \
    --throughput -1 --command-property compression.type=$codec >/dev/null
done
printf 'h1:v1,h2:v2\tk1\tvalue one\nh1:x\tk2\tNULL\nNULL\tNULL\tno key\n' |
  "$oracle" tool kafka-console-producer --bootstrap-server "$server" --topic plain --reader-property parse.key=true \
    --reader-property parse.headers=true --reader-property null.marker=NULL
"$oracle" tool kafka-producer-perf-test --bootstrap-server "$server" --topic transactions --num-records 5 --record-size 10 \
  --throughput -1 --transactional-id golden --transaction-duration-ms 60000 >/dev/null
topics --topic compacted --config cleanup.policy=compact --config segment.ms=500 --config min.cleanable.dirty.ratio=0.01
for _ in 1 2 3; do
  seq 1 20 | sed 's/.*/k&\tv&/; s/^k[0-9]*\([0-9]\)/k\1/' |
    "$oracle" tool kafka-console-producer --bootstrap-server "$server" --topic compacted --reader-property parse.key=true
  sleep 1
done
until grep -q '^compacted 0 40$' "$work/node/data/cleaner-offset-checkpoint"; do sleep 0.2; done
"$oracle" stop "$work/node"

data=$work/node/data
rm -rf "$here" && mkdir -p "$here"
for topic in codecs plain transactions compacted; do
  mkdir "$here/$topic-0"
  cp "$data/$topic-0"/*.log "$data/$topic-0"/*.index "$data/$topic-0"/*.timeindex "$data/$topic-0"/*.snapshot "$here/$topic-0/"
done
mkdir "$here/metadata-0"
cp "$data/bootstrap.checkpoint" "$here/metadata-0/"
head -c 6000 "$data/__cluster_metadata-0/00000000000000000000.log" >"$here/metadata-0/00000000000000000000.log"

# Records of every type, of our own making.
(cd "$here/../.." && cargo test -q -p cli --test it -- --ignored records_of_every_type_are_written)

# One line per case: the arguments; its output stands in the file of the same number.
cat >"$here/cases.txt" <<'CASES'
--files codecs-0/00000000000000000000.log
--deep-iteration --files codecs-0/00000000000000000000.log
--max-bytes 25000 --files codecs-0/00000000000000000000.log
--print-data-log --files plain-0/00000000000000000000.log
--print-data-log --skip-record-metadata --files plain-0/00000000000000000000.log
--print-data-log --files transactions-0/00000000000000000000.log
--files codecs-0/00000000000000000000.index,codecs-0/00000000000000000000.timeindex
--verify-index-only --files codecs-0/00000000000000000000.index,codecs-0/00000000000000000000.timeindex
--index-sanity-check --files codecs-0/00000000000000000000.index
--files codecs-0/00000000000000000060.snapshot
--cluster-metadata-decoder --files metadata-0/00000000000000000000.log
--cluster-metadata-decoder --skip-record-metadata --files metadata-0/00000000000000000000.log
--cluster-metadata-decoder --files metadata-0/bootstrap.checkpoint
--files cases.txt
--deep-iteration --files compacted-0/00000000000000000000.log
--files compacted-0/00000000000000000040.snapshot
--offsets-decoder --files coordinators-0/00000000000000000000.log
--transaction-log-decoder --skip-record-metadata --files coordinators-0/00000000000000000001.log
--share-group-state-decoder --skip-record-metadata --files coordinators-0/00000000000000000002.log
--remote-log-metadata-decoder --skip-record-metadata --files coordinators-0/00000000000000000003.log
--value-decoder-class org.apache.kafka.tools.api.IntegerDecoder --files transactions-0/00000000000000000000.log
--key-decoder-class org.apache.kafka.tools.api.IntegerDecoder --value-decoder-class org.apache.kafka.tools.api.LongDecoder --files transactions-0/00000000000000000000.log
--files transactions-0/00000000000000000000.txnindex,transactions-0/00000000000000000000.index
--offsets-decoder --transaction-log-decoder --files codecs-0/00000000000000000000.log
CASES
cd "$here"
number=0
while read -r line; do
  number=$((number + 1))
  # shellcheck disable=SC2086
  "$oracle" tool kafka-dump-log $line >"$number.out" </dev/null 2>/dev/null || true
done <cases.txt

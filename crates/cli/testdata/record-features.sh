#!/bin/bash
# Answers the questions of storage-features.txt anew: its lines that begin with `$ ` are arguments of Apache Kafka's
# kafka-storage, and what stands below each is its exit code, its output (`| `) and its errors (`! `).
#
#   record-features.sh ORACLE       ORACLE: a script that runs Apache Kafka 4.3.0 (tool NAME args…)
set -eu
oracle=$1
file=$(cd "$(dirname "$0")" && pwd)/storage-features.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
while read -r mark line; do
  [ "$mark" = '$' ] || continue
  code=0
  # shellcheck disable=SC2086
  KAFKA_LOG_LEVEL=OFF "$oracle" tool kafka-storage $line >"$work/out" 2>"$work/err" </dev/null || code=$?
  echo "\$ $line"
  echo "= $code"
  sed 's/^/| /' "$work/out"
  sed 's/^/! /' "$work/err"
done <"$file" >"$work/new"
cp "$work/new" "$file"

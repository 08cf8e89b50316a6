#!/bin/sh
# Runs every fuzzer of a build folder for some seconds each; non-zero if one found something. `make fuzz` calls it.
# SPDX-License-Identifier: Apache-2.0
#
#   run.sh BUILD_FOLDER [SECONDS] [FUZZER...]
#
# SECONDS: 60 if not given; FUZZER: all of them. Below BUILD_FOLDER: corpus/FUZZER (units found, kept and read again by the next run),
# found/FUZZER (inputs that crash, hang for 10 s or take more than 2 GiB), logs/FUZZER.
set -eu
build=$1
seconds=${2:-60}
shift
[ $# = 0 ] || shift

failed=""
while read -r name corpus longest; do
  case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
  mkdir -p "$build/corpus/$name" "$build/found/$name" "$build/logs"
  before=$(find "$build/corpus/$name" -type f | wc -l)
  status=0
  "$build/bin/$name" "$build/corpus/$name" "$corpus" -max_total_time="$seconds" -max_len="$longest" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="$build/found/$name/" -print_final_stats=1 >"$build/logs/$name" 2>&1 </dev/null || status=$?
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/logs/$name")
  after=$(find "$build/corpus/$name" -type f | wc -l)
  printf '%-24s %10s runs %6s new units  ' "$name" "${runs:-?}" "$((after - before))"
  if [ "$status" = 0 ]; then
    echo "nothing found"
  elif [ "$status" = 72 ]; then
    echo "interrupted, nothing found"
  else
    failed="$failed $name"
    echo "FOUND (exit $status)"
    grep -m 1 -E 'ERROR|SUMMARY|runtime error' "$build/logs/$name" | cut -c 1-200 || true
    ls "$build/found/$name" | sed "s|^|  input: $build/found/$name/|"
    echo "  again: $build/bin/$name $build/found/$name/<input>; log: $build/logs/$name"
  fi
done <"$build/fuzzers.txt"
[ -z "$failed" ] || { echo "fuzz: found something:$failed" >&2; exit 1; }

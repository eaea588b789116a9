#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/fuzz/run.sh SECONDS [BUILD_DIR]: builds the libFuzzer programs with clang, ASan and UBSan, runs each for SECONDS and
# prints what it did (TARGETS="config wire" for some of them). New inputs and findings stay in BUILD_DIR/found. Exit status 1 if there are findings.
set -eu
seconds=${1:?usage: tests/fuzz/run.sh SECONDS [BUILD_DIR]}
source=$(cd "$(dirname "$0")/../.." && pwd)
build=${2:-$source/build/fuzz}
cmake -S "$source" -B "$build" -DCMAKE_C_COMPILER=clang -DTUTTI_FUZZ=ON -DTUTTI_SANITIZE=address,undefined >"$build.log" 2>&1 ||
  { cat "$build.log"; exit 1; }
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
status=0
for target in ${TARGETS:-wire control report uplink partners calibration config air zmq port sigmf text http status latency h5table h5shape h5file}; do
  cmake --build "$build" --target "fuzz_$target" >>"$build.log" 2>&1 || { tail -n 30 "$build.log"; exit 1; }
  found=$build/found/$target
  mkdir -p "$found/inputs"
  leaks=1
  more=
  case $target in h5shape | h5table) leaks=0 ;; esac # libhdf5 keeps memory between inputs; mutate_ of them looks for leaks at its end
  if [ "$target" = h5file ]; then # libhdf5 leaks on files it refuses; its crashes are told by library, not by function
    leaks=0
    more="-keep_seed=1 -reduce_inputs=0 -len_control=0" # it reads in a child, whose coverage is not seen
    export ASAN_OPTIONS=symbolize=0:allocator_may_return_null=1
  fi
  for old in "$found"/crash-* "$found"/leak-* "$found"/timeout-* "$found"/oom-*; do # mended since the last run?
    [ ! -f "$old" ] || ! "$build/bin/fuzz_$target" "$old" >/dev/null 2>&1 || rm "$old"
  done
  nice -n 19 "$build/bin/fuzz_$target" -max_total_time="$seconds" -max_len=65536 -timeout=20 -detect_leaks=$leaks $more -rss_limit_mb=2048 \
    -artifact_prefix="$found/" -print_final_stats=1 "$found/inputs" "$source/tests/fuzz/corpus_$target" \
    >"$found/log" 2>&1 || true
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$found/log")
  findings=$(find "$found" -maxdepth 1 \( -name 'crash-*' -o -name 'leak-*' -o -name 'timeout-*' -o -name 'oom-*' \) | wc -l)
  printf '%-8s %10s executions  %s findings\n' "$target" "${executions:-?}" "$findings"
  [ "$findings" -eq 0 ] || { status=1; sed -n '/ERROR:/,/SUMMARY/p' "$found/log" | head -n 25; }
done
exit $status

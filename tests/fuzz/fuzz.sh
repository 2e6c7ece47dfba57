#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# No input makes a fuzz target crash: each runs for CODEXOS_FUZZ_SECONDS (60; 0: only over its seeds).
#   tests/fuzz/fuzz.sh [TARGET...]
# What libFuzzer finds worth keeping stays in build/fuzz/corpus/TARGET, what makes a target crash in
# build/fuzz/crashes; tests/fuzz/corpus/TARGET holds the seeds.
# needs: clang++ cmake ninja
# timeout: 5400
# long
# alone
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

readonly dir=$ROOT/build/fuzz seconds=${CODEXOS_FUZZ_SECONDS:-60}
export UBSAN_OPTIONS=print_stacktrace=1 ASAN_OPTIONS=detect_stack_use_after_return=1

# A wire type that no target knows would never be decoded (two are rows of tables).
grep -ohE '^struct [A-Za-z]+' "$ROOT"/core/wire/*.h | cut -d' ' -f2 | grep -vxE 'CodeRow|Finding' | sort | while read -r type; do
  grep -qw "$type" "$TESTS/fuzz/json_wire.cc" || printf '%s\n' "$type"
done >"$TMPDIR/unknown"
[ ! -s "$TMPDIR/unknown" ] || fail "json_wire.cc does not know: $(xargs <"$TMPDIR/unknown")"

targets=("$@")
if [ $# = 0 ]; then
  for source in "$TESTS"/fuzz/*.cc; do targets+=("$(basename "$source" .cc)"); done
fi
mkdir -p "$dir/crashes"
{
  cmake -S "$ROOT" -B "$dir" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER=clang++ -DCODEXOS_FUZZ=ON &&
    ninja -C "$dir" "${targets[@]/#/fuzz-}"
} >"$dir/log" 2>&1 || { tail -n 40 "$dir/log"; fail 'the build of the fuzz targets'; }

# Trees are built and removed all the time: in memory, where there is room.
work=$(mktemp -d /dev/shm/codexos-fuzz.XXXXXX 2>/dev/null) || work=$TMPDIR
export work dir seconds TESTS
trap '[ "$work" = "$TMPDIR" ] || { chmod -R u+rwX "$work"; rm -rf "$work"; }' EXIT

run_target() {
  local name=$1 corpus=$dir/corpus/$1 length=(-max_total_time="$seconds")
  mkdir -p "$corpus"
  [ "$seconds" != 0 ] || length=(-runs=0)
  if TMPDIR=$work "$dir/fuzz/fuzz-$name" "${length[@]}" -max_len=4096 -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$dir/crashes/$name-" "$corpus" "$TESTS/fuzz/corpus/$name" >"$dir/$name.log" 2>&1; then
    printf '%s: %s runs\n' "$name" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$dir/$name.log")"
  else
    printf '%s: FAILED, %s\n' "$name" "$(sed -n 's/.*Test unit written to /again with: '"${dir//\//\\/}"'\/fuzz\/fuzz-'"$name"' /p' "$dir/$name.log")"
    grep -nE 'ERROR|runtime error|^ *#[0-9]+ |broken' "$dir/$name.log" | head -n 30
    return 1
  fi
}
export -f run_target
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c 'run_target {}' || fail 'a fuzz target failed'

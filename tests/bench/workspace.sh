#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What holding changes back costs: a snapshot, renames, a build inside against the same outside. Prints the
# figures beside the promises; with BENCH_STRICT=1 a promise that is missed is a failure.
# needs: python3 make g++
# timeout: 900
# alone
# shellcheck source=tests/bench/figures.bash
. "$(dirname "${BASH_SOURCE[0]}")/figures.bash"

ms() { # ms COMMAND...: how long it takes
  local a b
  a=$(date +%s%N); "$@" >/dev/null 2>&1 || fail "$*"; b=$(date +%s%N)
  echo $(((b - a) / 1000))e-3
}
median() { printf '%s\n' "$@" | sort -g | sed -n "$((($# + 1) / 2))p"; }
least() { printf '%s\n' "$@" | sort -g | head -1; }

work snap; python3 "$TESTS/bench/diff.py" tree 10000; sleep 0.1
expect_ok codexos run --name hundred -- python3 -c '
for i in range(100):
    with open("d%d/f%d" % (i, i), "a") as f: f.write("changed\n")'
expect_ok codexos snapshot create hundred # the first one stores the contents
again=()
for n in $(seq 15); do again+=("$(ms codexos snapshot create --name "s$n" hundred)"); done
# Right after its end a task's base is recorded, by the same thread.
first=() at_once=()
for n in $(seq 10); do
  expect_ok codexos run --name "other$n" -- python3 -c "
for i in range(100):
    with open('d%d/f%d' % (i, i), 'a') as f: f.write('other $n %d\n' % i)"
  if [ $((n % 2)) = 0 ]; then sleep 0.5; first+=("$(ms codexos snapshot create "other$n")")
  else at_once+=("$(ms codexos snapshot create "other$n")"); fi
done
tell 'first snapshot of 100 changed files, ms' "$(median "${first[@]}")" '<=' 50
tell 'the same right after the task ended, ms' "$(median "${at_once[@]}")" '<=' 100
tell 'the next one, ms' "$(median "${again[@]}")" '<=' 50

work renames; mkdir d; : >d/a; for n in $(seq 200); do : >d/old"$n"; done
cat >rename.py <<'EOF'
import os, time
n, best = 2000, 1e9
for _ in range(9):
    a = time.perf_counter()
    for _ in range(n):
        os.rename('d/a', 'd/b'); os.rename('d/b', 'd/a')
    best = min(best, (time.perf_counter() - a) / n / 2 * 1e6)
print('%.2f' % best)
EOF
outside=$(python3 rename.py)
expect_ok codexos run -- python3 rename.py
tell 'a rename inside, microseconds' "$out" '<=' 20 "outside: $outside"

work build; mkdir src; cp -r "$ROOT/core" src/; cd src
# shellcheck disable=SC2016
printf 'objects := $(patsubst %%.cc,%%.o,$(wildcard core/base/*.cc core/http/*.cc core/os/*.cc))\nall: $(objects)\n%%.o: %%.cc\n\tg++ -std=c++20 -D_GNU_SOURCE -DFMT_HEADER_ONLY -I. -O0 -c -o $@ $<\nclean:\n\trm -f $(objects)\n' >Makefile
make -s -j2 >/dev/null; make -s clean
inside=() outside=()
# In CI, which judges no figure, once.
for _ in $(seq "${BUILDS:-$([ -n "${CI:-}" ] && echo 1 || echo 3)}"); do
  outside+=("$(ms make -s -j2)"); make -s clean
  inside+=("$(ms codexos run -- make -s -j2)")
done
a=$(least "${inside[@]}") b=$(least "${outside[@]}")
tell 'make -j2 inside over outside' "$(awk "BEGIN { printf \"%.3f\", $a / $b }")" '<=' 1.03 "$a ms against $b ms"
all_told

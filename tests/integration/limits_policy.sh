#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Limits in options, variables and policies: bad ones are refused by name, ceilings cut down, a policy can
# demand that a cgroup holds them.
# needs: python3
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
config=$HOME/.config/codexos/config.yaml
mkdir -p "$(dirname "$config")"
step 'amounts that are none, or too small'
bad() { expect_error 125 "$1" codexos run "$2" "$3" -- true; }
bad "--memory: '0' is less than the least, 8MiB" --memory 0
bad "--memory: '12' is less than the least, 8MiB" --memory 12
bad "--memory: 'lots' is not a size" --memory lots
bad "--memory: '' is not a size" --memory ''
bad "--cpus: '-1' is not a number of processors" --cpus -1
bad "--cpus: '0.001' is less than the least, 0.01" --cpus 0.001
bad "--cpu-time: '0' is less than the least, 10ms" --cpu-time 0
bad "--pids: '1' is less than the least, 2" --pids 1
bad '--pids' --pids many
bad "--disk: '1k' is less than the least, 1MiB" --disk 1k
for name in MEMORY=0 CPUS=-1 PIDS=x DISK=1 OPEN_FILES=1 LOG=1; do
  expect_error 125 "CODEXOS_${name%=*}" env "CODEXOS_$name" codexos run -- true
done

step 'from the file, numbers and texts'
printf 'limits: {memory: 100MiB, pids: 50, cpus: 1.5, open_files: 256, log: 1MiB}\n' >"$config"
expect_ok codexos policy check "$config"
expect_ok codexos run --name filed -- sh -c 'ulimit -n; head -c 3000000 /dev/zero | tr "\0" x >&2'
expect_eq "$out" 256
expect_eq "$(field filed '[.limits[] | .name + " " + .value] | join(", ")')" 'memory 100MiB, cpus 1.5, pids 50, open_files 256, log 1MiB'
expect_eq "$(codexos logs filed --stream stderr 2>&1 >/dev/null | tr -cd x | wc -c)" 1048576
expect_has "$(codexos policy show)" 'memory: '
step 'an option replaces it, none takes it away'
expect_eq "$(codexos --json run --plan-only --memory 50MiB -- true | jq -r '.limits[0].value')" 50MiB
expect_eq "$(codexos --json run --plan-only --memory none -- true | jq -r '[.limits[].name] | index("memory")')" null
expect_eq "$(CODEXOS_MEMORY=70MiB codexos --json run --plan-only -- true | jq -r '.limits[0].value')" 70MiB
step 'a project that is not trusted can only narrow'
printf 'limits: {memory: 1GiB, pids: 20}\n' >.codexos.yaml
expect_eq "$(codexos --json run --plan-only -- true 2>/dev/null | jq -r '[.limits[] | .name + " " + .value] | join(", ")')" \
  'memory 100MiB, cpus 1.5, pids 20, open_files 256, log 1MiB'
step 'a ceiling'
printf 'limits: {memory: 100MiB}\nceiling: {limits: {memory: 200MiB, pids: 100}}\n' >"$config"
expect_eq "$(codexos --json run --plan-only -- true 2>/dev/null | jq -r '[.limits[] | .name + " " + .value] | join(", ")')" \
  'memory 100MiB, pids 20'
rm .codexos.yaml
printf 'limits: {memory: 100MiB}\n' >"$HOME/given.yaml"
expect_error 125 '--memory 1GiB: memory: 1GiB goes beyond' codexos run --policy "$HOME/given.yaml" --memory 1GiB -- true
rm "$config"

step 'a cgroup that is demanded'
printf 'limits: {driver: cgroup, memory: 64MiB}\n' >"$config"
if codexos --json run --plan-only -- true >"$TMPDIR/plan" 2>/dev/null; then
  expect_match "$(jq -r '.limits[0].by' "$TMPDIR/plan")" '^cgroup v[12]$'
  expect_ok codexos run --name held -- true
  expect_match "$(field held '.limits[0].by')" '^cgroup v[12]$'
else
  expect_error 125 'a policy demands that a cgroup holds the limits, and none can be used here: ' codexos run -- true
fi
printf 'limits: {driver: nobody}\n' >"$config"
expect_error 125 driver codexos run -- true
rm "$config"

step 'processes'
cat >make.py <<'P'
import os, time
n = 0
try:
    while n < 40:
        if os.fork() == 0: time.sleep(60); os._exit(0)
        n += 1
except OSError: pass
print(n)
P
expect_ok codexos run --name few --pids 8 -- python3 make.py
# Itself is one; one or two may be left for what answers for the overlays.
{ [ "$out" -ge 7 ] && [ "$out" -le 9 ]; } || fail "$out children with a limit of 8"
expect_eq "$(field few .cause)" exited

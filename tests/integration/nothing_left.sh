#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# After many tasks of every kind, however they ended, the daemon has as many descriptors, threads, processes, namespaces
# and mounts as before them. It has few descriptors to begin with, so that a kind which keeps one runs out of them.
# long
# needs: python3 openssl curl git
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

rounds=40
ulimit -n 96
# shellcheck source=tests/network.bash
. "$TESTS/network.bash"
repo
daemon=$(daemon_pid)

# Each kind is a task that ends in its own way.
kinds=(succeeds fails missing killed stopped times_out detached with_network refused_network owner_killed on_a_terminal
  with_exec paused changes_applied snapshots planned refused)
quiet() { "$@" >/dev/null 2>&1 || true; }
succeeds() { expect_ok codexos run -q -- true; }
fails() { expect_code 3 codexos run -q -- sh -c 'echo x >&2; exit 3'; }
missing() { expect_code 127 codexos run -q -- no-such-program; }
killed() { codexos run -d -q --name k -- sleep 600 >/dev/null; expect_ok codexos kill k; }
stopped() { codexos run -d -q --name k -- sleep 600 >/dev/null; expect_ok codexos stop k; }
times_out() { expect_code 124 codexos run -q --timeout 50ms -- sleep 600; }
detached() { codexos run -d -q --name k -- sh -c 'sleep 600 & exit 4' >/dev/null; expect_code 4 codexos wait k; }
with_network() { expect_ok codexos run -q --allow "good.test:$http,private" -- curl -sS --max-time 20 "http://good.test:$http/hello"; }
refused_network() { expect_code 6 codexos run -q --allow "good.test:$http,private" -- curl -sS --max-time 20 "http://other.test:$http/hello"; }
owner_killed() {
  codexos run -q --name k -- sleep 600 &
  local owner=$!
  wait_until 20 state_is k running
  kill -KILL "$owner"
  quiet wait "$owner"
  wait_until 20 ended k
}
on_a_terminal() { expect_ok pty -- codexos run -q -- tty; }
runs() { codexos run -d -q --name k "$@" -- sleep 600 >/dev/null && wait_until 20 state_is k running; }
with_exec() { runs; expect_code 5 codexos exec k -- sh -c 'exit 5'; expect_ok codexos kill k; }
paused() { runs; expect_ok codexos pause k; expect_ok codexos kill k; }
changes_applied() {
  expect_ok codexos run -q --name k -- sh -c 'date +%N >file.txt; echo x >new'
  expect_ok codexos diff k
  expect_ok codexos apply -q k
  expect_ok codexos undo -q k
}
snapshots() {
  expect_ok codexos run -q --name k -- sh -c 'date +%N >file.txt'
  expect_ok codexos snapshot create k --name s
  expect_ok codexos run -q --name from-k --from k@s -- true
  expect_ok codexos rm -f from-k
}
planned() { expect_ok codexos run --plan-only -- true; }
refused() { expect_code 125 codexos run -q -w /no/such/folder -- true; }
once() {
  local kind
  for kind in "${kinds[@]}"; do
    "$kind"
    quiet codexos rm -f k
  done
}

# Those of the daemon, its children and theirs.
family() {
  local pid=$1 child
  printf '%s\n' "$pid"
  # shellcheck disable=SC2013  # words of one line
  for child in $(cat /proc/"$pid"/task/*/children 2>/dev/null || true); do family "$child"; done
}
# What there is now, a line each. The descriptors and namespaces of a daemon that is not ours to look into are not told.
now() {
  local pid pids
  pids=$(family "$daemon")
  lines() { printf '%s %s\n' "$(wc -l)" "$1"; }
  lines processes <<<"$pids"
  find "/proc/$daemon/task" -mindepth 1 -maxdepth 1 | lines 'threads of the daemon'
  { grep -F "$SCRATCH" /proc/self/mountinfo || true; } | lines 'mounts outside'
  # Contents that nothing refers to any more are swept later.
  find "$CODEXOS_HOME" -mindepth 1 ! -path '*/objects/*' -printf 'state %P\n' | sed 's/[0-9]\+/N/g' | sort | uniq -c
  [ -r "/proc/$daemon/fd" ] || return 0
  for pid in $pids; do
    find "/proc/$pid/fd" -type l -printf "%l of $(cat "/proc/$pid/comm" || true)\n" || true
  done | sed -E 's/[0-9]+/N/g; s/:\[N\]/:[]/; /^net:/d' | sort | uniq -c
  for pid in $pids; do find "/proc/$pid/ns" -type l ! -name 'net*' -printf '%l\n' || true; done | sort -u | lines namespaces
  for pid in $pids; do cat "/proc/$pid/mountinfo" || true; done | lines 'mounts inside'
} 2>/dev/null
# Network namespaces that are held: of tasks, and of a few that ended, for the next ones (daemon/exec/spare_networks.h).
networks() {
  local pid
  for pid in $(family "$daemon"); do find "/proc/$pid/fd" "/proc/$pid/ns" -type l -lname 'net:*' -printf '%l\n' || true; done 2>/dev/null | sort -u | wc -l
}
# now(), once it does not change any more: what was parked or used again has its number.
settled() {
  local last='' next same=0 n
  for n in $(seq 200); do
    next=$(now)
    if [ "$next" = "$last" ]; then same=$((same + 1)); else same=0; fi
    [ "$same" -lt 10 ] || { printf '%s\n' "$next"; return; }
    last=$next
    sleep 0.1
  done
  fail "it does not settle in $n looks: $next"
}

step 'every kind, until one time more changes nothing'
: >"$SCRATCH/before"
for _ in 1 2 3 4 5 6; do
  once
  quiet codexos prune --all
  settled >"$SCRATCH/again"
  ! cmp -s "$SCRATCH/before" "$SCRATCH/again" || break
  mv "$SCRATCH/again" "$SCRATCH/before"
done
expect_file "$SCRATCH/again"
cat "$SCRATCH/before" >&2
held=$(networks)

step "every kind, $rounds times"
for _ in $(seq "$rounds"); do once; done
expect_eq "$(daemon_pid)" "$daemon" 'the daemon'
quiet codexos prune --all
as_before() { settled >"$SCRATCH/after" && cmp -s "$SCRATCH/before" "$SCRATCH/after"; }
for _ in 1 2 3 4 5; do ! as_before || break; done
diff "$SCRATCH/before" "$SCRATCH/after" >"$SCRATCH/differs" || fail "there is more than before, or less:"$'\n'"$(cat "$SCRATCH/differs")"
[ "$(networks)" -le $((held + 10)) ] || fail "$(networks) network namespaces are held, and $held before"

step 'what counts sees what is there'
codexos run -d -q --name more --allow "good.test:$http,private" -- sleep 600 >/dev/null
settled >"$SCRATCH/during"
! diff -q "$SCRATCH/before" "$SCRATCH/during" >/dev/null || fail 'a task that runs was not seen'
codexos kill more >/dev/null && codexos rm -f more >/dev/null

step 'and nothing at all without the daemon'
pids=$(family "$daemon")
expect_ok codexos daemon stop
for pid in $pids; do wait_until 20 dead "$pid"; done
expect_eq "$(grep -F "$SCRATCH" /proc/self/mountinfo || true)" ''

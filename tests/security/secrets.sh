#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Values of secrets are looked for, in twelve encodings, where they must not be: database and WAL, every file of
# the state folder, logs of the daemon, JSON output, /proc of every process, core files, and the memory of the
# daemon once nothing uses them. Not looked for: what was compressed, and the memory of a task's own processes
# and its PID 1, which hold what the task was given (and cannot be looked into).
# needs: jq python3
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

search() { python3 "$TESTS/canary.py" search "$@"; }
nothing_in() { # nothing_in WHAT VALUES file|memory PLACE...
  local found
  found=$(search "${@:2}")
  expect_eq "$found" '' "values in $1"
}
random_value() { python3 -c 'import secrets, sys; n = int(sys.argv[1]); print(f"cnry/{secrets.token_hex(6)}+{secrets.token_hex(n)[:n]}", end="")' "${1:-12}"; }
put() { printf '%s' "$1" | codexos secret "${@:2}"; }
# The values lie here only in the test's own memory and in this file, which is outside the state folder.
readonly values=$TMPDIR/values
remember() { printf '%s\n' "$@" >>"$values"; }
# Everything that the state folder holds, by name.
state_files() { find "$CODEXOS_HOME" ! -readable -prune -o -type f -print; }
# The daemon, its zygotes and parked helpers, shims of tasks, clients: what runs our programs. Who is not root sees
# no more than the command lines of most of them, which is the point.
ours() {
  local dir pid
  for dir in /proc/[0-9]*; do
    ! readlink "$dir/exe" 2>/dev/null | grep -q "^$CODEXOS_BIN/" || printf '%s\n' "${dir#/proc/}"
  done
  pid=$(daemon_pid)
  [ -z "$pid" ] || printf '%s %s' "$pid" "$(made_by "$pid")" | tr ' ' '\n'
}
shown() { local pid; for pid in $(ours); do printf '/proc/%s/environ\n/proc/%s/cmdline\n' "$pid" "$pid"; done; }
check_everywhere() { # check_everywhere WHEN
  mapfile -t files < <(state_files)
  [ ${#files[@]} -ge 5 ] || fail "only ${#files[@]} files in the state folder"
  nothing_in "the state folder, $1" "$values" file "${files[@]}"
  mapfile -t files < <(shown)
  # Without a daemon nobody but root knows which processes are ours: they are not dumpable.
  [ ${#files[@]} -ge 2 ] || [ -z "$(daemon_pid)" ] || fail 'no process of ours was found'
  [ ${#files[@]} -ge 2 ] || return 0
  nothing_in "/proc, $1" "$values" file "${files[@]}"
}
work

step 'the search finds what it looks for, in each encoding'
v=$(random_value)
printf '%s\n' "$v" >"$TMPDIR/probe-value"
{ printf '%s' "$v" | base64 -w0; } >"$TMPDIR/p1"
{ printf 'x%s' "$v" | base64 -w0 | tr '+/' '-_'; } >"$TMPDIR/p2"
{ printf '%s' "$v" | xxd -p -c 999 2>/dev/null || printf '%s' "$v" | od -An -tx1 | tr -d ' \n'; } >"$TMPDIR/p3"
{ printf '%s' "$v" | rev; } >"$TMPDIR/p4"
{ printf '%s' "$v" | iconv -t UTF-16LE; } >"$TMPDIR/p5"
{ jq -rn --arg v "$v" '$v | @uri'; } >"$TMPDIR/p6"
printf '%s' "$v" >"$TMPDIR/p7"
for n in 1 2 3 4 5 6 7; do [ -n "$(search "$TMPDIR/probe-value" file "$TMPDIR/p$n")" ] || fail "encoding $n is not found"; done

step 'stored, used in each form, rotated, shown; a task runs with them'
one=$(random_value) two=$(random_value) three=$(random_value 300) four=$(random_value)
remember "$one" "$two" "$three" "$four"
put "$one" set one --host api.example.com --env ONE
put "$two" set two
printf '%s' "$three" >"$TMPDIR/three"
codexos secret set --file "$TMPDIR/three" three
put "$four" rotate one
expect_eq "$(codexos secret show --reveal one)" "$four"
expect_ok codexos run --secret one --secret-file three --secret-value two -- sh -c 'cat /run/codexos/secrets/three >/dev/null; test -n "$TWO" && test -n "$ONE"'
id=$(codexos run -d --secret one --secret-file three --secret-value two -- sleep 300)
codexos exec "$id" -- sh -c 'test -n "$TWO"'
expect_code 125 codexos run --secret-file three=/nowhere/../x -- true
check_everywhere 'while a task runs'

step 'a task that prints them, in many encodings, cut anywhere: what is kept of it holds none that can be known'
cp "$TESTS/canary.py" .
say_all='printf %s "$TWO" | python3 canary.py print 1 2; python3 canary.py print 1 </run/codexos/secrets/three'
expect_ok codexos run --name says --secret-file three --secret-value two -- sh -c "$say_all"
expect_has "$out" "$two" 'who runs it sees its output as it is'
expect_ok pty -- codexos run --name shows --secret-file three --secret-value two -- sh -c "$say_all"
expect_ok codexos logs says
[ "$(grep -cE '^<\*+>$' <<<"$out")" -gt 700 ] || fail "not what was printed: ${out:0:1000}"
[ "$(codexos logs shows | grep -cE '^<\*+>.?$')" -gt 700 ] || fail 'not what was shown'
mapfile -t files < <(state_files)
expect_eq "$(python3 "$TESTS/canary.py" known "$values" "${files[@]}")" '' 'the state folder'
expect_ok codexos rm says shows

step 'no output tells them'
for command in 'secret list' 'secret status' 'ps -a' "inspect $id" "events $id" 'events' 'daemon status' 'doctor' "stats --no-stream $id" "why $id" "diff $id" "net ls $id"; do
  # shellcheck disable=SC2086 # a command and its arguments
  timeout 10 codexos --json $command >>"$TMPDIR/said" 2>&1 </dev/null || true
done
for option in --secret --secret-file --secret-value; do codexos --json run --plan-only $option one -- true >>"$TMPDIR/said" 2>&1; done
[ -s "$TMPDIR/said" ] || fail 'nothing was said'
nothing_in 'output' "$values" file "$TMPDIR/said"

step 'command lines and environments of our own programs while they read a value'
(sleep 2; printf '%s' "$one") | codexos secret set one --host api.example.com --env ONE &
writer=$!
mapfile -t files < <(shown)
nothing_in 'a client that waits' "$values" file "${files[@]}"
wait "$writer"

step 'killed and started again'
pid=$(daemon_pid)
kill -KILL "$pid"
wait_until 10 dead "$pid"
check_everywhere 'after kill -9'
expect_eq "$(codexos secret show --reveal one)" "$one"
check_everywhere 'with the next daemon'

step 'the daemon and its helpers leave no core file'
pid=$(daemon_pid)
ulimit -c unlimited
# proc(5): the files of what is not dumpable belong to root, whoever runs it.
for p in "$pid" "$(field "$id" .pid)"; do
  expect_eq "$(stat -c %u "/proc/$p/environ")" 0 "the owner of /proc/$p: not dumpable"
done
find "$CODEXOS_HOME" "$PWD" -name 'core*' | grep -q . && fail 'there is a core file'
grep -q '^[^|]' /proc/sys/kernel/core_pattern && {
  kill -ABRT "$pid"
  wait_until 10 dead "$pid"
  find / -xdev -newer "$TMPDIR/said" -name 'core*' -type f -size +64k 2>/dev/null | grep -v '^/proc\|^/sys' >"$TMPDIR/cores" || true
  mapfile -t cores <"$TMPDIR/cores"
  nothing_in 'core files' "$values" file "${cores[@]}"
}

if is_root; then
  step 'the search of memory finds a value that is in use: of the task that runs'
  expect_eq "$(codexos secret show --reveal two)" "$two"
  pid=$(daemon_pid)
  [ -n "$(search "$values" memory "$pid")" ] || fail 'the value of a placeholder in use was not found: the search is blind'
  expect_ok codexos rm -f "$id"

  step 'what nobody uses any more is not in the memory of the daemon or of what it parked, nor is a passphrase'
  phrase=$(random_value) short=$(random_value 1 | cut -c6-15)
  remember "$phrase" "$short"
  put "$phrase" protect --passphrase >/dev/null
  put "$short" set short >/dev/null
  put "$two" set two >/dev/null
  expect_eq "$(codexos secret show --reveal two)" "$two"
  expect_eq "$(codexos secret show --reveal short)" "$short"
  expect_ok codexos run --secret one --secret-file three --secret-value two -- true
  expect_ok codexos secret lock
  put "$phrase" unlock >/dev/null
  expect_ok codexos secret lock
  expect_ok codexos secret status
  wait_until 10 eval '[ -z "$(search "$values" memory "$(daemon_pid)")" ] || { search "$values" memory "$(daemon_pid)" >"$TMPDIR/found"; false; }'
  # shellcheck disable=SC2046 # several of them
  nothing_in 'helpers' "$values" memory $(made_by "$(daemon_pid)")

  step 'locked, a task that runs is served no more; what it holds itself stays its own'
  put "$phrase" unlock >/dev/null
  id=$(codexos run -d --secret one -- sleep 300)
  wait_until 10 eval '[ -n "$(search "$values" memory "$(daemon_pid)")" ]' # the egress holds it
  expect_ok codexos secret lock
  wait_until 10 eval '[ -z "$(search "$values" memory "$(daemon_pid)")" ]'
  expect_ok codexos rm -f "$id"
fi
expect_ok codexos secret status
check_everywhere 'at the end'
codexos rm -f "$id" >/dev/null 2>&1 || true

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# codexos secret, verb by verb, and what a task gets: by stdin, file and terminal; what is refused; a passphrase
# over a restart; a key file, a credential; placeholders, files and values.
# needs: jq
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

set_secret() { printf '%s' "$1" | codexos secret set "${@:2}"; }
status() { codexos --json secret status | json "$1"; }
reveal() { codexos secret show --reveal "$1"; }
# What the state folder's check of doctor says.
kept() { codexos --json doctor | json '.checks[] | select(.name == "state-folder") | .found'; }
work

step 'nothing is there at first'
expect_ok codexos secret list
expect_eq "$out" ''
expect_eq "$(status .state)" empty
expect_has "$(kept)" 'secrets: none'
expect_no_file "$CODEXOS_HOME/keys"
expect_error 3 'no secret gh' codexos secret show gh
expect_error 3 'no secret gh' codexos secret show --reveal gh
expect_error 3 'no secret gh' codexos secret rm gh
expect_error 3 '' eval 'printf "long enough" | codexos secret rotate gh'
expect_error 3 '' codexos secret rekey
expect_error 5 '' codexos secret accept

step 'set by stdin; the end of the last line is no part of it'
expect_ok set_secret $'value-of-gh-0123\n' gh --host api.github.com --env GH_TOKEN
expect_eq "$out" 'gh is stored, version 1: api.github.com authorization'
expect_eq "$(reveal gh)" value-of-gh-0123
expect_eq "$(codexos --json secret show --reveal gh)" '{"value":"value-of-gh-0123"}'
expect_eq "$(stat -c %a "$CODEXOS_HOME/keys" "$CODEXOS_HOME"/keys/* | xargs)" '700 600 600 600'
step 'by a file, with lines and bytes that are not text'
printf 'line one\nline two\n\xff\n' >value
expect_ok codexos secret set --file value bytes
codexos secret show --reveal bytes | cmp - value
step 'by a terminal, which shows nothing of it'
run_captured pty --expect 'value (not shown)' --send 'typed-by-hand-1\n' --expect 'is stored' -- codexos secret set typed
expect_eq "$code" 0
expect_hasnt "$out" typed-by-hand
expect_eq "$(reveal typed)" typed-by-hand-1
step 'a prompt that is interrupted leaves the terminal as it was, and stores nothing'
run_captured pty --expect 'value (not shown)' --send '\x03' --expect 'echo on' -- sh -c 'trap : INT; codexos secret set other; stty -a | grep -qw -- -echo || echo "echo on"'
expect_eq "$code" 0
expect_error 3 '' codexos secret show other
step 'a value that a terminal would cut is refused'
run_captured pty --expect 'value (not shown)' --send "$(printf 'x%.0s' $(seq 5000))" --sleep 0.3 --send '\n' --expect 'error:' -- codexos secret set other
expect_code 3 codexos secret show other
step 'stdin that is closed'
expect_error 2 'stdin is closed' eval 'codexos secret set other <&-'

step 'list, show, rotate, rm; in words, --json and -q'
expect_ok codexos secret list
expect_match "$out" 'NAME +VERSION +CHANGED +ENV +FOR'
expect_match "$out" $'\ngh +1 +[^ ]+ +GH_TOKEN +api.github.com authorization'
expect_eq "$(codexos -q secret list | xargs)" 'bytes gh typed'
expect_eq "$(codexos --json secret list | jq -c '[.secrets[].name]')" '["bytes","gh","typed"]'
expect_hasnt "$(codexos --json secret list)" value-of-gh
expect_ok codexos secret show gh
expect_eq "$out" 'gh is stored, version 1: api.github.com authorization'
expect_ok eval 'printf new-value-of-gh | codexos --json secret rotate gh'
expect_eq "$(json '"\(.name) \(.version) \(.binding.hosts[0]) \(.binding.env)"' <<<"$out")" 'gh 2 api.github.com GH_TOKEN'
expect_eq "$(reveal gh)" new-value-of-gh
expect_ok codexos -q secret rm typed bytes
expect_eq "$out" $'typed\nbytes'
expect_error 3 'no secret bytes' codexos secret rm bytes
expect_error 2 '' codexos secret rm

step 'what is refused'
expect_error 2 'shorter than 8' set_secret short gh
expect_error 2 '' set_secret '' gh
expect_error 2 '64 KiB' eval 'head -c 65537 /dev/zero | tr "\0" x | codexos secret set gh'
expect_error 2 'NUL' eval 'printf "with a \\0 in it" | codexos secret set gh'
expect_ok eval 'head -c 65536 /dev/zero | tr "\0" x | codexos secret set big'
for name in 1a -- -a a/b 'a b' "$(printf 'a%.0s' $(seq 65))"; do
  code=0; set_secret long-enough -- "$name" >out 2>err || code=$?
  [ "$code" = 2 ] || fail "the name '$name': exit $code"
done
for host in 10.0.0.0/8 1.2.3.4 'a b' http://a.example ''; do
  expect_error 2 '' set_secret long-enough gh --host "$host"
done
expect_error 2 header set_secret long-enough gh --host a.example --header 'x y'
expect_error 2 method set_secret long-enough gh --host a.example --method 'G T'
expect_error 2 path set_secret long-enough gh --host a.example --path v1
expect_error 2 env set_secret long-enough gh --env 1A
expect_error 2 line set_secret $'two\nlines of it' gh --host a.example
expect_error 2 '' codexos secret protect
expect_error 2 '' codexos secret protect --passphrase --key-file
expect_error 2 '' eval 'printf short | codexos secret protect --passphrase'
expect_error 5 'opens by itself' codexos secret lock
expect_error 5 'not locked' eval 'printf passphrase | codexos secret unlock'
expect_eq "$(reveal gh)" new-value-of-gh
step 'a body that is no JSON does not come back, nor into the log'
if [ "$(uname -r | awk -F. '{ print $1 * 1000 + $2 }')" -ge 6011 ]; then
  expect_ok api -X PUT http://x/v1/secrets/broken -d $'{"value":"canary-in-a-broken\tbody"}'
  expect_has "$out" '"code":"invalid"'
  expect_hasnt "$out" canary-in-a-broken
fi
expect_eq "$(grep -c canary-in-a-broken "$CODEXOS_HOME/codexosd.log" || true)" 0

step 'a new master key'
key=$(status .key_id)
expect_ok codexos secret rekey
expect_ne "$(status .key_id)" "$key"
expect_eq "$(reveal gh)" new-value-of-gh

step 'a passphrase: locked after each start of the daemon'
expect_ok eval 'printf "correct horse" | codexos secret protect --passphrase'
expect_no_file "$CODEXOS_HOME/keys/master.key"
expect_has "$(kept)" '2, kept by a passphrase'
expect_ok codexos daemon stop
expect_eq "$(status .state)" locked
expect_has "$(kept)" locked
expect_error 4 'locked' codexos secret show --reveal gh
expect_error 4 'locked' set_secret long-enough gh
expect_code 125 codexos run --secret-file gh -- true
expect_has "$err" 'codexos secret unlock'
expect_ok codexos run -- true
expect_error 4 'passphrase is wrong' eval 'printf "correct horsf" | codexos secret unlock'
run_captured pty --expect 'passphrase (not shown)' --send 'correct horse\n' --expect 'vault:   open' -- codexos secret unlock
expect_eq "$code" 0
expect_hasnt "$out" 'correct horse'
expect_eq "$(reveal gh)" new-value-of-gh
expect_ok codexos secret lock
expect_error 4 'locked' codexos secret show --reveal gh
expect_ok eval 'printf "correct horse" | codexos secret unlock'
expect_error 5 '' codexos secret rekey
step 'on a terminal it is asked for twice'
run_captured pty --expect 'new passphrase' --send 'one passphrase\n' --expect 'again' --send 'other passphrase\n' --expect 'nothing was changed' -- codexos secret protect --passphrase
expect_eq "$code" 2
expect_ok codexos secret protect --key-file
expect_ok codexos daemon stop
expect_eq "$(reveal gh)" new-value-of-gh

step 'a key file that others can read opens nothing'
codexos daemon stop >/dev/null
chmod 640 "$CODEXOS_HOME/keys/master.key"
expect_code 6 codexos secret status
expect_has "$out" 'can be read by others'
expect_error 4 'can be read by others' codexos secret show --reveal gh
expect_code 6 codexos doctor
expect_has "$out" 'the vault does not open'
codexos daemon stop >/dev/null
chmod 600 "$CODEXOS_HOME/keys/master.key"
expect_eq "$(reveal gh)" new-value-of-gh

step 'a database that was rolled back is found, and accepted on demand'
codexos daemon stop >/dev/null
cp -a "$CODEXOS_HOME/tenants/default" "$SCRATCH/before"
printf 'a later value' | codexos secret rotate gh >/dev/null
codexos daemon stop >/dev/null
rm -rf "$CODEXOS_HOME/tenants/default"
cp -a "$SCRATCH/before" "$CODEXOS_HOME/tenants/default"
expect_error 4 'rolled back' codexos secret show --reveal gh
expect_code 6 codexos secret status
expect_ok codexos secret accept
expect_eq "$(reveal gh)" new-value-of-gh

step 'a credential of the service'
codexos daemon stop >/dev/null
mkdir -m 700 "$SCRATCH/credentials"
printf 'a credential of thirty-two bytes' >"$SCRATCH/credentials/codexos-master-key"
CREDENTIALS_DIRECTORY=$SCRATCH/credentials codexosd --foreground 2>"$TMPDIR/daemon.log" &
started+=($!)
wait_until 20 eval '[ -n "$(daemon_pid)" ]'
expect_ok codexos secret protect --credential
expect_eq "$(status .source)" credential
expect_eq "$(reveal gh)" new-value-of-gh
codexos daemon stop >/dev/null
expect_error 4 'has no credential' codexos secret show --reveal gh
codexos daemon stop >/dev/null
CREDENTIALS_DIRECTORY=$SCRATCH/credentials codexosd --foreground 2>>"$TMPDIR/daemon.log" &
started+=($!)
wait_until 20 eval '[ -n "$(daemon_pid)" ]'
expect_eq "$(reveal gh)" new-value-of-gh
expect_ok codexos secret protect --key-file

step 'run --secret-file: only readable, in memory, in no workspace and in no diff'
expect_ok codexos run --name f --secret-file gh -- sh -c 'stat -c "%a %s" /run/codexos/secrets/gh; stat -f -c %T /run/codexos/secrets/gh; cat /run/codexos/secrets/gh; echo; env; echo x >made'
expect_has "$out" $'400 15\ntmpfs\nnew-value-of-gh\n'
expect_hasnt "$out" =new-value-of-gh
expect_eq "$(codexos diff f --name-status)" $'A\tmade'
expect_hasnt "$(codexos diff f)" new-value
expect_ok codexos run --secret-file gh=/tmp/key -- sh -c 'stat -f -c %T /tmp/key; cat /tmp/key'
expect_eq "$out" $'tmpfs\nnew-value-of-gh'
for path in "$PWD/key" "$PWD/sub/key" relative /tmp/../key /tmp/./key / /tmp/key/; do
  expect_error 125 'secret gh' codexos run --secret-file gh="$path" -- true
done
expect_error 125 'given twice' codexos run --secret-file gh --secret-file gh -- true
expect_error 125 'no secret none' codexos run --secret-file none -- true
mkdir folder
expect_error 125 'secret gh' codexos run --mode direct --secret-file gh="$PWD/folder/key" -- true
expect_no_file folder/key
step 'run --secret-value: in the environment of its programs, and of those of exec'
id=$(codexos run -d --secret-value gh=TOKEN -- sleep 100)
expect_eq "$(codexos exec "$id" -- sh -c 'echo $TOKEN')" new-value-of-gh
printf 'after rotate 1' | codexos secret rotate gh >/dev/null
expect_eq "$(codexos exec "$id" -- sh -c 'echo $TOKEN')" 'after rotate 1'
expect_hasnt "$(codexos --json inspect "$id")$(codexos --json events "$id")" 'new-value-of-gh'
expect_eq "$(field "$id" '.secrets | map("\(.name) \(.form) \(.target)") | join(",")')" 'gh value TOKEN'
expect_ok codexos rm -f "$id"
expect_error 125 'given twice' codexos run -e TOKEN=x --secret-value gh=TOKEN -- true
step 'run --secret: a placeholder, for secrets with a host only'
expect_ok codexos run --secret gh -- sh -c 'echo $GH_TOKEN'
expect_hasnt "$out" 'rotate 1'
expect_match "$out" '^[a-zA-Z_]+[0-9a-f]{16,}'
expect_error 125 'bound to no host' codexos run --secret big -- true
expect_error 125 'net host' codexos run --net host --secret gh -- true
step '--plan-only shows that, and no value'
for option in --secret --secret-file --secret-value; do
  expect_ok codexos --json run --plan-only $option gh -- true
  expect_hasnt "$out" 'rotate 1'
  expect_has "$out" gh
done

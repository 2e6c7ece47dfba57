#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An agent works with the key or the login that its user has, and its task has neither: it holds placeholders, the
# egress puts the values in, and refreshed tokens go to the user's own file.
# needs: curl jq git
# timeout: 180
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/secrets.bash
. "$TESTS/secrets.bash"

eval_agent
host=good.test:$echo_tls
fake_preset "[\"$host,private\"]" <<YAML
keys: [FAKE_KEY, OTHER_KEY]
held: {FAKE_KEY: {hosts: ["$host"], header: x-key}}
login:
  file: ~/.fake/cred.json
  link: .fake/cred.json
  keys: [oauth]
  needs: oauth.access
  newer: oauth.expires
  tokens:
    oauth.access: {hosts: ["$host"]}
    oauth.refresh: {}
  refresh:
    - {hosts: ["$host"], path: /oauth/token, sends: oauth.refresh, gives: {access_token: oauth.access, refresh_token: oauth.refresh}}
    - {hosts: ["$host"], path: /oauth/chunks, sends: oauth.refresh, gives: {access_token: oauth.access, refresh_token: oauth.refresh}}
YAML
repo
agent() { run_net "$1" -a fake "${@:2}"; }
place=(-e "U=$URL")
last() { codexos --json inspect "$1" | jq -r "$2"; }

step 'a key that the user gives becomes a placeholder, in its shape'
key=sk-fake-0123456789abcdefABCDEF
agent key -e FAKE_KEY="$key" "${place[@]}" 'echo "$FAKE_KEY"; curl -sS -H "X-Key: $FAKE_KEY" $U/hello; env | grep -c ABCDEF'
expect_eq "$code" 1 "$err"  # of grep: it found nothing
expect_has "$out" 'sk-fake-cxsec_'
expect_has "$out" 'key is ****'
expect_eq "$(header x-key)" "$key"
expect_eq "$(last key '"\(.agent.auth) \(.agent.placeholders)"')" 'key FAKE_KEY true'
expect_has "$(told key)" 'secret.used used FAKE_KEY in header x-key'
step 'it is in no file of ours, in clear'
grep -rqsF -e "$key" "$CODEXOS_HOME" && fail "the key is in $(grep -rlsF -e "$key" "$CODEXOS_HOME")"
grep -rqsF -e "$(printf %s "$key" | base64 -w0)" "$CODEXOS_HOME" && fail 'the key is there in base64'

step 'when the job fails and the key was of no use, that may be the reason'
agent unused -e FAKE_KEY="$key" 'exit 3'
expect_eq "$code" 3
expect_has "$err" '--key-for HOST'
agent used -e FAKE_KEY="$key" "${place[@]}" 'curl -sS -H "X-Key: $FAKE_KEY" $U/hello; exit 3'
expect_eq "$code" 3
expect_hasnt "$err" '--key-for HOST'

step 'to another header or host it stays what it is'
agent wrong -e FAKE_KEY="$key" "${place[@]}" 'curl -sS -H "Authorization: $FAKE_KEY" $U/hello'
expect_hasnt "$(header authorization)" "$key"
expect_has "$(codexos --json events wrong | jq -r 'select(.type == "denied") | .secret')" FAKE_KEY
step 'a key that the preset says nothing of is given as it is'
agent plain -e OTHER_KEY="$key" 'echo "$OTHER_KEY"'
expect_eq "$code $out $(last plain .agent.placeholders)" "0 $key false"
step 'and one whose provider is said to be elsewhere, without TLS: with a note'
agent elsewhere -e FAKE_KEY="$key" -e FAKE_BASE_URL=http://127.0.0.1:1 'echo "$FAKE_KEY"'
expect_eq "$out" "$key"
expect_has "$(last elsewhere '.notes[]')" 'FAKE_KEY is given as it is, not as a placeholder: FAKE_BASE_URL leads to a place without TLS'
agent own -e FAKE_KEY="$key" -e FAKE_BASE_URL="https://other.test:$echo_tls/v1" --allow "other.test:$echo_tls,private" 'curl -sSk -H "X-Key: $FAKE_KEY" $FAKE_BASE_URL/hello'
expect_has "$(told own)" 'used FAKE_KEY in header x-key' "$out $err"
step 'a key from the vault is one as well'
set_secret vaulted --host "$host,private" --header x-key
agent vault --secret vaulted=FAKE_KEY "${place[@]}" 'curl -sS -H "X-Key: $FAKE_KEY" $U/hello'
expect_eq "$(header x-key) $(last vault .agent.auth)" "$SECRET key FAKE_KEY" "$err"

step 'what becomes of other secrets cuts no connection that has the key'
expect_ok codexos run -d --name streams -e FAKE_KEY="$key" "${place[@]}" -a fake 'curl -sS --limit-rate 2M -H "X-Key: $FAKE_KEY" $U/big | wc -c'
wait_until 20 eval '[ -n "$(told streams)" ]'
set_secret another --host "$host,private"
expect_ok codexos wait streams
expect_eq "$(codexos logs streams 2>/dev/null)" 8388608

# ---- a login

own() { jq -r ".oauth.$1" ~/.fake/cred.json; }
printf '{"oauth":{"access":"sk-at-0000-canary-access-token","refresh":"sk-rt-0000-canary-refresh-token","expires":10},"private":"x"}' >~/.fake/cred.json
chmod 600 ~/.fake/cred.json
expect_ok codexos agent login-share fake
bearer='curl -sS -H "Authorization: Bearer $(jq -r .oauth.access ~/.fake/cred.json)" $U/hello'
refresh='curl -sS -d "{\"grant_type\":\"refresh_token\",\"refresh_token\":\"$(jq -r .oauth.refresh ~/.fake/cred.json)\"}" -H "Content-Type: application/json"'

step 'a task uses the login, and finds no token of it'
agent login "${place[@]}" "cat ~/.fake/cred.json; $bearer; grep -rs canary ~ /run /proc/self/environ && echo FOUND; true"
expect_eq "$code" 0 "$err"
expect_has "$out" '"access":"sk-at-0000-cxsec_'
expect_hasnt "$out" canary
expect_hasnt "$out" FOUND
expect_eq "$(header authorization)" 'Bearer sk-at-0000-canary-access-token'
expect_eq "$(last login '"\(.agent.auth) \(.agent.placeholders)"')" 'login true'

step 'a refresh: the new tokens are in the file of the user, and the task has its placeholders again'
held=$(codexos run -a fake 'cat ~/.fake/cred.json' 2>/dev/null)
# As an agent does: it asks, writes down what it got, and goes on with it.
agent fresh "${place[@]}" "$refresh \$U/oauth/token >new || exit 9; cat new
  jq -c --slurpfile n new '.oauth.access = \$n[0].access_token | .oauth.refresh = \$n[0].refresh_token | .oauth.expires = 20' ~/.fake/cred.json >w && cat w >~/.fake/cred.json
  $bearer"
expect_eq "$code" 0 "$err"
expect_hasnt "$out" canary
expect_eq "$(asked .path) $(header authorization)" '/hello Bearer sk-at-0001-canary-access-token'
expect_has "$(told fresh)" 'secret.used refreshed fake oauth.refresh by good.test'
expect_eq "$(own access) $(own refresh) $(jq -r .private ~/.fake/cred.json)" 'sk-at-0001-canary-access-token sk-rt-0001-canary-refresh-token x'
expires_is() { [ "$(own expires)" = "$1" ]; }
wait_until 10 expires_is 20
expect_eq "$(codexos run -a fake 'jq -r .oauth.access ~/.fake/cred.json' 2>/dev/null | tail -c 39)" "$(jq -r .oauth.access <<<"$held" | tail -c 39)"
step 'also of an answer in chunks; the next one works'
agent chunks "${place[@]}" "$refresh \$U/oauth/chunks"
expect_eq "$code $(jq -r '[keys[]] | join(" ")' <<<"$out")" '0 access_token expires_in refresh_token' "$err"
expect_hasnt "$out" canary
expect_eq "$(own access)" 'sk-at-0002-canary-access-token'

step 'another task that runs uses the new ones at once'
expect_ok codexos run -d --name runs "${place[@]}" -a fake "while [ ! -e /tmp/go ]; do sleep 0.1; done; $bearer"
agent again "${place[@]}" "$refresh \$U/oauth/token"
uses_new() { codexos exec runs -- sh -c "$bearer" >/dev/null && [ "$(header authorization)" = "Bearer sk-at-0003-canary-access-token" ]; }
wait_until 10 uses_new
step 'and so it does after the death of the daemon, and what the user did himself'
pid=$(daemon_pid)
kill -KILL "$pid"
wait_until 10 dead "$pid"
SSL_CERT_FILE=$NET/ca.pem expect_ok codexos daemon start
uses() { codexos exec runs -- sh -c "$bearer" >/dev/null && [ "$(header authorization)" = "Bearer $1" ]; }
wait_until 10 uses sk-at-0003-canary-access-token
jq '.oauth.access = "sk-at-9999-canary-of-the-user" | .oauth.expires = 99' ~/.fake/cred.json >"$TMPDIR/own" && cat "$TMPDIR/own" >~/.fake/cred.json
wait_until 10 uses sk-at-9999-canary-of-the-user
codexos exec runs -- touch /tmp/go || true
expect_ok codexos wait runs
step 'a key of the caller as well: it is sealed in the task'"'"'s record'
expect_ok codexos run -d --name sealed -e FAKE_KEY="$key" "${place[@]}" -a fake 'while [ ! -e /tmp/go ]; do sleep 0.1; done'
wait_until 10 codexos exec sealed -- true  # else there may be no program yet that outlives it
pid=$(daemon_pid)
kill -KILL "$pid"
wait_until 10 dead "$pid"
SSL_CERT_FILE=$NET/ca.pem expect_ok codexos daemon start
expect_ok codexos exec sealed -- sh -c 'curl -sS -H "X-Key: $FAKE_KEY" $U/hello'
expect_eq "$(header x-key)" "$key"
codexos exec sealed -- touch /tmp/go || true
expect_ok codexos wait sealed

step 'without an egress a login cannot be used, and that is said'
echo 'ceiling: {net: host}' >~/.config/codexos/config.yaml
expect_error 125 'needs the egress' codexos run --net host -a fake true

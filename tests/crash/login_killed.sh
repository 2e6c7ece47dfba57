#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The daemon is killed before each single call that changes something on the disk while a task's agent gets new tokens,
# and each of them fails with a full disk: the user's own file is whole, has the new tokens once they are on the disk,
# and the task never has either.
# needs: curl jq
# timeout: 600
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/secrets.bash
. "$TESTS/secrets.bash"
codexos daemon stop >/dev/null
export SSL_CERT_FILE=$NET/ca.pem  # of the daemon
# shellcheck source=tests/crash/faults.bash
. "$TESTS/crash/faults.bash"

eval_agent
host=good.test:$echo_tls
fake_preset "[\"$host,private\"]" <<YAML
keys: [FAKE_KEY]
login:
  file: ~/.fake/cred.json
  link: .fake/cred.json
  keys: [oauth]
  needs: oauth.access
  tokens: {oauth.access: {hosts: ["$host"]}, oauth.refresh: {}}
  refresh:
    - {hosts: ["$host"], path: /oauth/token, sends: oauth.refresh, gives: {access_token: oauth.access, refresh_token: oauth.refresh}}
YAML
repo
printf '{"oauth":{"access":"sk-at-0000-canary-access-token","refresh":"sk-rt-0000-canary-refresh-token"},"private":"x"}' >~/.fake/cred.json
chmod 600 ~/.fake/cred.json
up
expect_ok codexos agent login-share fake
cat >asks.sh <<'S'
while [ ! -e stop ]; do
  if [ -e go ]; then
    mv go went
    token=$(jq -r .oauth.refresh ~/.fake/cred.json)
    curl -sS --max-time 20 -o said -d "{\"grant_type\":\"refresh_token\",\"refresh_token\":\"$token\"}" -H "Content-Type: application/json" "$U/oauth/token" 2>failed || echo cut >>said
    mv said answered
  fi
  sleep 0.02
done
S
expect_ok codexos run -d --name asks -e "U=$URL" --mode direct -a fake 'exec sh asks.sh'
wait_until 20 state_is asks running

# The provider's last pair, by its number, and that of the user's file.
given() { asked 'select(.path == "/oauth/token").body' | grep -o 'rt-[0-9]*' | tail -n 1; }
own() { jq -r '[.oauth.access[6:10], .oauth.refresh[6:10], .private] | join(" ")' ~/.fake/cred.json; }
hits=0 lost=0
# break_call HOW N: `all` is set when it makes no such call any more.
all=no
break_call() {
  local how=$1 n=$2 old new
  up
  wait_until 20 state_is asks running
  old=$(own)
  rm -f answered went "$TMPDIR/fault.hit"
  printf 'any %s %s %s\n' "$how" "$n" "$RANDOM$RANDOM" >"$TMPDIR/fault"
  touch go
  wait_until 30 test -e answered
  [ -e "$TMPDIR/fault.hit" ] || sleep 0.3
  rm -f "$TMPDIR/fault"
  expect_hasnt "$(cat answered)" canary
  [ -e "$TMPDIR/fault.hit" ] || all=yes
  [ "$how" != kill ] || [ "$all" = yes ] || wait_until 15 dead "$pid"
  up
  wait_until 20 state_is asks running
  # What a full disk kept from the file is tried again with the next look at the login.
  [ "$how" = kill ] || [ "$(own)" != "$old" ] || wait_until 20 eval "[ \"\$(own)\" != '$old' ]"
  new=$(own)
  expect_match "$new" '^([0-9]{4}) \1 x$' "$how at $n"
  expect_eq "$(stat -c %a ~/.fake/cred.json)" 600
  expect_eq "$(find ~/.fake -type f | wc -l)" 1 "$(ls -la ~/.fake)"
  hits=$((hits + 1))
  [ "$all" = yes ] && expect_has "$(cat answered)" access_token
  # A token that was given and is nowhere: the user signs in again, as one would have to elsewhere.
  if [ "$new" = "$old" ] && [ "$(tail -n 1 "$NET/asked.log" | jq -r .path)" = /oauth/token ]; then
    lost=$((lost + 1))
    n=$(curl -sS --cacert "$NET/ca.pem" --connect-to "$host:127.0.0.1:$echo_tls" "$URL/oauth/now")
    jq -c --arg n "$n" '.oauth.access = "sk-at-\($n)-canary-access-token" | .oauth.refresh = "sk-rt-\($n)-canary-refresh-token"' ~/.fake/cred.json >"$TMPDIR/own"
    cat "$TMPDIR/own" >~/.fake/cred.json
    codexos daemon stop >/dev/null # the next one reads it
    wait_until 15 dead "$pid"
  fi
  return 0
}
for how in kill full; do
  step "$how"
  all=no
  for i in $(seq 60); do
    break_call $how "$i"
    [ "$all" = no ] || break
  done
  [ "$all" = yes ] || fail 'there are always further calls'
done
[ "$hits" -ge 8 ] || fail "only $hits calls were there to be broken"
[ "$lost" -lt $((hits / 2)) ] || fail "$lost of $hits pairs were lost"
step "$hits calls were broken, $lost pairs were lost with the daemon"
touch stop
expect_ok codexos wait asks

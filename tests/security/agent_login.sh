#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A shared login: one copy for all tasks of the agent, refreshed both ways; nothing else of the agent's
# folder is found, and nothing that a task writes there goes further than a login of that shape.
# needs: jq
# timeout: 120
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

mkdir -p ~/.local/bin ~/.config/codexos/agents ~/.fake
printf '#!/bin/sh\neval "$1"\n' >~/.local/bin/fake-agent
chmod +x ~/.local/bin/fake-agent
for name in fake other; do
  cat >~/.config/codexos/agents/$name.yaml <<EOF
name: $name
program: fake-agent
places: [~/.local/bin]
job: ["{program}", "{prompt}"]
folders: [.fake]
keys: [FAKE_KEY]
login: {file: ~/.fake/cred.json, link: .fake/cred.json, keys: [oauth], needs: oauth.token, newer: oauth.expires}
EOF
done
login() { printf '{"oauth":{"token":"%s","expires":%s},"private":"canary"}' "$1" "$2"; }
token() { jq -r .oauth.token ~/.fake/cred.json; }
token_is() { [ "$(token)" = "$1" ]; }
login t1 10 >~/.fake/cred.json
chmod 600 ~/.fake/cred.json
printf canary >~/.fake/history
work
readonly show='cat ~/.fake/cred.json; ls -A ~/.fake; grep -rs canary ~ /run && echo FOUND; true'

step 'nothing is shared until the user says so'
expect_ok codexos run -a fake "$show"
expect_hasnt "$out" t1
expect_hasnt "$out" FOUND
expect_eq "$(codexos --json inspect | json .agent.auth)" none
expect_code 1 codexos run -a fake false
expect_has "$err" 'codexos agent login-share fake'

step 'then the login is, and nothing else'
expect_ok codexos agent login-share fake
expect_has "$out" 'which could read it'
expect_ok codexos run -a fake "$show"
expect_has "$out" '"token":"t1"'
expect_hasnt "$out" canary
expect_hasnt "$out" history
expect_eq "$(codexos --json inspect | json .agent.auth)" login
expect_has "$(codexos agent login-share --list)" shared
step 'not with another agent, not with a command, and not beside a key'
expect_ok codexos run -a other "$show"
expect_hasnt "$out" t1
expect_ok codexos run -- sh -c "$show"
expect_hasnt "$out" t1
expect_ok codexos run -a fake -e FAKE_KEY=k "$show"
expect_hasnt "$out" t1

step 'a refresh inside comes back to the user, and the rest of the file stays'
expect_ok codexos run -a fake 'printf "{\"oauth\":{\"token\":\"t2\",\"expires\":20}}" >~/.fake/cred.json'
wait_until 10 token_is t2
expect_eq "$(jq -r .private ~/.fake/cred.json)" canary
expect_eq "$(stat -c %a ~/.fake/cred.json)" 600
step 'also by temp and rename, and while the task runs'
task=$(codexos run -d -a fake 'd=$(dirname "$(readlink ~/.fake/cred.json)"); printf "{\"oauth\":{\"token\":\"t3\",\"expires\":30}}" >$d/new && mv $d/new $d/cred.json; while [ ! -e /tmp/go ]; do sleep 0.1; done; cat ~/.fake/cred.json')
wait_until 10 token_is t3
step 'what another task refreshed, and what the user did, is seen by all'
login t4 40 >~/.fake/cred.json
wait_until 10 eval "codexos exec $task -- grep -q t4 $HOME/.fake/cred.json"
codexos exec "$task" -- touch /tmp/go || true  # the end of the task may overtake it
expect_ok codexos wait "$task"
step 'an agent that replaces the link is understood'
expect_ok codexos run -a fake 'rm ~/.fake/cred.json; printf "{\"oauth\":{\"token\":\"t5\",\"expires\":50}}" >~/.fake/cred.json'
wait_until 10 token_is t5

step 'what is no login, or an older one, or a link goes nowhere'
for bad in 'echo garbage >$f' 'printf "{\"oauth\":{\"token\":\"\"}}" >$f' 'printf "{\"oauth\":{\"token\":\"old\",\"expires\":1}}" >$f' \
  'printf "{\"oauth\":{\"token\":[],\"expires\":99}}" >$f' 'rm $f; ln -s /etc/passwd $f' 'rm $f; mkfifo $f' 'rm $f; ln -s /proc/self/environ $f' 'head -c 1000000 /dev/zero >$f'; do
  expect_ok codexos run -a fake "f=\$(readlink ~/.fake/cred.json); $bad"
  expect_ok codexos run -a fake 'cat ~/.fake/cred.json'
  expect_has "$out" '"token":"t5"' "after: $bad"
  expect_eq "$(token)" t5 "after: $bad"
done

step 'revoked is revoked'
expect_ok codexos agent login-share --revoke fake
expect_ok codexos run -a fake "$show"
expect_hasnt "$out" t5
expect_eq "$(token)" t5
expect_error 3 'is not shared' codexos agent login-share --revoke fake
expect_error 2 'has no login file' codexos agent login-share aider
expect_code 3 codexos agent login-share claude

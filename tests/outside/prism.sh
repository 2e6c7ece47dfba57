#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every operation of openapi.yaml that is no stream is done through Stoplight Prism, which lets only such requests and
# answers through as the document describes. Prism reads a body as one value, so it cannot judge streams of lines, and it
# knows no upgrade; traffic.sh has both.
# long
# needs: node npm curl jq python3 git
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/npm.bash
. "$TESTS/npm.bash"

needs_curl
needs_npm 18 prism
npm_modules @stoplight/prism-cli@5.14.2 yaml@2.9.1

mkdir -p ~/.local/bin ~/.config/codexos/agents ~/.fake
printf '#!/bin/sh\neval "$1"\n' >~/.local/bin/fake-agent
chmod +x ~/.local/bin/fake-agent
cat >~/.config/codexos/agents/fake.yaml <<'A'
name: fake
program: fake-agent
places: [~/.local/bin]
job: ["{program}", "{prompt}"]
folders: [.fake]
login: {file: ~/.fake/cred.json, link: .fake/cred.json, keys: [oauth], needs: oauth.token, newer: oauth.expires}
A
printf '{"oauth":{"token":"t","expires":1}}' >~/.fake/cred.json
chmod 600 ~/.fake/cred.json
repo
printf 'version: 1\nshow: [/opt]\n' >.codexos.yaml
codexos daemon start >/dev/null 2>&1

python3 "$TESTS/outside/bridge.py" "$CODEXOS_HOME/codexosd.sock" "$SCRATCH/upstream" &
started+=($!)
wait_until 20 test -e "$SCRATCH/upstream"
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
prism() { # prism DOCUMENT: sets `port`
  port=$(free_port)
  node "$modules/node_modules/@stoplight/prism-cli/dist/index.js" proxy "$1" "http://127.0.0.1:$(cat "$SCRATCH/upstream")" \
    --errors --host 127.0.0.1 --port "$port" >"$SCRATCH/prism.$port" 2>&1 &
  started+=($!)
  wait_until 60 grep -q 'is listening' "$SCRATCH/prism.$port"
}
prism "$ROOT/schema/openapi.yaml"

# call STATUS METHOD PATTERN PATH [BODY]: done through Prism; its answer must be the daemon's own, with this status.
: >"$SCRATCH/done"
call() {
  local wanted=$1 method=$2 pattern=$3 path=$4 got
  got=$(curl -sS --max-time 60 -D "$SCRATCH/head" -o "$SCRATCH/body" -w '%{http_code}' -X "$method" \
    ${5:+-H 'Content-Type: application/json' -d "$5"} "http://127.0.0.1:$port$path")
  [ "$got" = "$wanted" ] || fail "$method $path: $got instead of $wanted: $(head -c 1500 "$SCRATCH/body")"
  grep -qi '^x-request-id:' "$SCRATCH/head" || fail "$method $path was answered by Prism: $(head -c 1500 "$SCRATCH/body")"
  if grep -i '^sl-violations' "$SCRATCH/head"; then fail "$method $path"; fi
  printf '%s %s\n' "$method" "$pattern" >>"$SCRATCH/done"
}
body() { jq -r "$1" "$SCRATCH/body"; }
of() { call "$1" "$2" "/v1/tasks/{id}$3" "/v1/tasks/$4$3${5:-}" "${6:-}"; } # STATUS METHOD VERB TASK [QUERY [BODY]]
task() { jq -cn --arg cwd "$PWD" --arg name "$1" --arg run "$2" --argjson more "${3:-{\}}" \
  --argjson env "{\"HOME\":\"$HOME\",\"PATH\":\"$PATH\"}" '{argv: ["sh", "-c", $run], cwd: $cwd, name: $name, caller_env: $env} + $more'; }
here=$(jq -rn --arg cwd "$PWD" '$cwd | @uri')

step 'the daemon about itself'
for what in status version health doctor; do call 200 GET "/v1/$what" "/v1/$what"; done

step 'tasks'
call 201 POST /v1/tasks /v1/tasks "$(task one 'echo more >>file.txt; echo new >new; echo out; echo err >&2; cat ~/.ssh/id')"
expect_code 1 codexos wait one
call 201 POST /v1/tasks /v1/tasks "$(task two 'exec sleep 600' '{"net": "allow", "allow": ["example.org"]}')"
wait_until 20 state_is two running
call 200 GET /v1/tasks '/v1/tasks?all=1&limit=5'
call 200 GET /v1/tasks "/v1/tasks?workspace=$here"
call 200 GET /v1/tasks/last "/v1/tasks/last?cwd=$here&waiting=1"
expect_eq "$(body .name)" one
of 200 GET '' two
of 404 GET '' no-such
of 200 GET /changes one '?all=1&stat=1'
expect_eq "$(body '[.changes[].path] | join(" ")')" 'file.txt new'
of 200 GET /diff one '?path=new'
for what in stats policy why policy/suggest; do of 200 GET "/$what" one; of 200 GET "/$what" two; done

step 'orders'
of 200 POST /pause two
of 200 POST /resume two
of 200 POST /net two '' '{"allow": ["example.net"]}'
of 201 POST /exec two '' '{"argv": ["true"]}'
of 200 POST /stop two '' '{"grace_ms": 1000}'
call 201 POST /v1/tasks /v1/tasks "$(task three 'exec sleep 600')"
of 200 POST /kill three '' '{"signal": 9}'

step 'snapshots'
of 201 POST /snapshots one '' '{"name": "s"}'
of 200 GET /snapshots one
call 200 POST '/v1/tasks/{id}/snapshots/{name}/open' /v1/tasks/one/snapshots/s/open
call 200 POST '/v1/tasks/{id}/snapshots/{name}/restore' /v1/tasks/one/snapshots/s/restore
call 200 DELETE '/v1/tasks/{id}/snapshots/{name}' /v1/tasks/one/snapshots/s

step 'changes'
of 200 POST /apply one '' '{"dry_run": true}'
of 200 POST /apply one '' '{"paths": ["new"], "on_conflict": "fail"}'
call 200 GET /v1/applied/last "/v1/applied/last?cwd=$here"
of 200 POST /undo one '' '{}'
of 200 POST /discard one '' '{}'
of 200 DELETE '' one '?force=1'

step 'policies and trust'
query=$(jq -cn --arg cwd "$PWD" --arg home "$HOME" '{cwd: $cwd, caller_env: {HOME: $home}}')
call 200 POST /v1/policy/show /v1/policy/show "$query"
call 200 POST /v1/policy/check /v1/policy/check "$query"
call 200 POST /v1/policy/test /v1/policy/test "{\"query\": $query, \"cases\": [{\"read\": \"/etc/shadow\", \"expect\": \"no\"}, {\"env\": \"HOME\", \"expect\": \"yes\"}]}"
expect_eq "$(body .failed)" 0
call 200 POST /v1/trust /v1/trust "$(jq -cn --arg dir "$PWD" --arg home "$HOME" '{dir: $dir, caller_env: {HOME: $home}}')"
call 200 GET /v1/trust /v1/trust
call 200 DELETE /v1/trust "/v1/trust?path=$here"

step 'agents'
caller=$(jq -cn --arg cwd "$PWD" --arg home "$HOME" --arg path "$PATH" '{cwd: $cwd, caller_env: {HOME: $home, PATH: $path}}')
call 200 POST /v1/agents/query /v1/agents/query "$caller"
expect_eq "$(body '[.agents[].name] | index("fake") != null')" true
call 200 POST '/v1/agents/{name}/login' /v1/agents/fake/login "$caller"
call 200 DELETE '/v1/agents/{name}/login' /v1/agents/fake/login

step 'what is not described does not come through'
unasked() { # WHAT METHOD PATH [BODY]
  expect_eq "$(curl -sS --max-time 20 -o "$SCRATCH/body" -w '%{http_code}' -X "$2" ${4:+-H 'Content-Type: application/json' -d "$4"} "http://127.0.0.1:$port$3")" "${5:-422}" "$1"
  expect_has "$(cat "$SCRATCH/body")" stoplight "$1"
}
unasked 'a field that there is not' POST /v1/prune '{"everything": true}'
unasked 'a flag that is none' GET '/v1/tasks?all=maybe'
unasked 'a path that there is not' GET /v1/nothing '' 404
good=$port
sed 's/tasks_running:/tasks_runnign:/' "$ROOT/schema/openapi.yaml" >"$SCRATCH/other.yaml"
prism "$SCRATCH/other.yaml"
unasked 'an answer that the document does not have' GET /v1/status '' 500
port=$good

step 'and at last'
call 200 POST /v1/prune /v1/prune '{"dry_run": true}'
call 200 POST /v1/daemon/stop /v1/daemon/stop

step 'all that there is was done, but for'
NODE_PATH=$modules/node_modules node -e '
  const api = require("yaml").parse(require("fs").readFileSync(process.argv[1], "utf8"));
  for (const [path, item] of Object.entries(api.paths)) for (const method of Object.keys(item)) console.log(`${method.toUpperCase()} ${path}`)' \
  "$ROOT/schema/openapi.yaml" | sort >"$SCRATCH/all"
sort -u "$SCRATCH/done" | comm -23 "$SCRATCH/all" - >"$SCRATCH/rest"
expect_eq "$(cat "$SCRATCH/rest")" 'GET /v1/events
GET /v1/tasks/{id}/events
GET /v1/tasks/{id}/logs
GET /v1/tasks/{id}/stream
GET /v1/tasks/{id}/wait
POST /v1/tasks/{id}/attach' 'operations that were not done through Prism'

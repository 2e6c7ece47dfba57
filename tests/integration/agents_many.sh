#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Twenty agents at once in one repository: each runs at the same time as the others, reaches its host, keeps its
# changes to itself, and all of them are applied one after the other.
# needs: git jq python3 curl
# timeout: 240
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/network.bash
. "$TESTS/network.bash"

count=20
mkdir -p ~/.local/bin ~/.config/codexos/agents
# Its job is a number. It goes on when all of them are there.
cat >~/.local/bin/fake-agent <<'AGENT'
#!/bin/bash
say() { jq -cn --arg t "$1" '{type:"assistant",message:{content:[{type:"text",text:$t}]},session_id:"s"}'; }
say "began"
while [ ! -e /run/together/go ]; do sleep 0.1; done
answer=$(curl -fsS --max-time 60 "$MODEL/hello") || exit 9
echo "$answer" >"answer-$1"
sed -i "s/^line $1\$/line $1 done/" list
say "$answer"
jq -cn '{type:"result",subtype:"success",is_error:false,result:"done",session_id:"s",usage:{input_tokens:8,output_tokens:2}}'
AGENT
chmod +x ~/.local/bin/fake-agent
cat >~/.config/codexos/agents/fake.yaml <<'EOF'
name: fake
about: an agent of the tests
program: fake-agent
places: [~/.local/bin]
job: ["{program}", "{prompt}"]
events: claude
folders: [.fake]
EOF
repo
for n in $(seq $count); do printf 'line %d\n\n\n\n\n' "$n"; done >list
git add list && git commit -qm list
mkdir "$SCRATCH/together"

step 'all of them run at once'
for n in $(seq $count); do
  expect_ok codexos run -d -q --name "agent$n" --show "$SCRATCH/together:/run/together" --allow "model$n.test:$http,private" \
    -e "MODEL=http://model$n.test:$http" -a fake "$n"
done
began() { [ "$(for n in $(seq $count); do codexos logs "agent$n"; done | grep -c began)" = $count ]; }
wait_until 90 began
expect_eq "$(codexos ps -q | wc -l)" $count
touch "$SCRATCH/together/go"

step 'each has done its job, reached its host, and was heard'
for n in $(seq $count); do
  expect_ok codexos wait "agent$n"
  expect_eq "$(field "agent$n" '"\(.state) \(.agent.usage.output_tokens) \(.net.connections)"')" 'succeeded 2 1'
  expect_eq "$(codexos diff --name-status "agent$n")" $'A\tanswer-'"$n"$'\nM\tlist'
  expect_eq "$(net_events "agent$n" net.connection .target)" "\"model$n.test\""
done

step 'all that they did to one file comes together'
for n in $(seq $count); do expect_ok codexos apply "agent$n"; done
expect_eq "$(grep -c ' done$' list)" $count
expect_eq "$(cat answer-7)" "hello from model7.test:$http"

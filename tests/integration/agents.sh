#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run -a gives a job to an agent: its command line, what it says, how it ends, what is hidden from it.
# needs: git jq python3
# timeout: 240
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# An agent that prints what Claude Code prints; its job is a shell script.
mkdir -p ~/.local/bin ~/.config/codexos/agents
cat >~/.local/bin/fake-agent <<'AGENT'
#!/bin/bash
if [ "$1" = --version ]; then echo 'fake-agent 1.2.3'; exit; fi
session=s-$RANDOM$RANDOM resumed=''
while [ $# -gt 1 ]; do
  case $1 in --resume) session=$2 resumed=yes; shift ;; *) extra="$extra[$1]" ;; esac
  shift
done
say() { jq -cn --arg t "$1" --arg s "$session" '{type:"assistant",message:{content:[{type:"text",text:$t}]},session_id:$s}'; }
result() { jq -cn --arg t "$1" --arg s "$session" --argjson e "${2:-false}" '{type:"result",subtype:"success",is_error:$e,result:$t,session_id:$s,total_cost_usd:0.25,usage:{input_tokens:80,cache_read_input_tokens:20,output_tokens:10}}'; }
[ -z "$resumed" ] || say "going on with $session"
[ -z "$extra" ] || say "extra $extra"
jq -cn --arg c "$1" '{type:"assistant",message:{content:[{type:"tool_use",id:"t1",name:"Bash",input:{command:$c}}]}}'
eval "$1"
AGENT
chmod +x ~/.local/bin/fake-agent
preset() { # NAME FURTHER-LINES
  cat >~/.config/codexos/agents/"$1".yaml <<EOF
name: $1
about: an agent of the tests
program: fake-agent
places: [~/.local/bin]
job: ["{program}", "{extra}", "{prompt}"]
resume: ["{program}", --resume, "{session}", "{extra}", "{prompt}"]
interactive: ["{program}", "{prompt}"]
version: ["{program}", --version]
events: claude
folders: [.fake]
$2
EOF
}
preset fake 'env: {WHERE: "{home}/.fake"}
keys: [FAKE_KEY]'
repo
last() { codexos --json inspect 2>/dev/null | json "$1"; }
# kinds TASK PREFIX: the types of its events in their order. Words that come at once are one event or several.
kinds() {
  codexos --json events "$1" | jq -s -r --arg prefix "$2" 'map(select(.type|startswith($prefix)).type)
    |reduce .[] as $type ([]; if .[-1]==$type then . else .+[$type] end)|join(" ")'
}

step 'its words on stdout, what it does on stderr, and a record'
expect_ok codexos run -a fake -e FAKE_KEY=k 'echo made >made.txt; say hello; say "$WHERE"; result done'
expect_eq "$out" "hello"$'\n'"$HOME/.fake"
expect_has "$err" '> Bash: echo made >made.txt'
expect_has "$err" '100 tokens in (20 cached), 10 out, $0.2500'
expect_has "$err" '1 file changed'
expect_eq "$(last '.agent|"\(.name) \(.auth) \(.inner_sandbox) \(.usage.input_tokens) \(.usage.cost_usd)"')" 'fake key FAKE_KEY off 100 0.25'
expect_has "$(codexos inspect 2>&1)" '100 tokens in'
expect_has "$(codexos ps)" 'fake'
expect_eq "$(kinds "$(last .id)" '')" \
  'task.created task.started agent.tool_call agent.text agent.usage agent.cost task.ended'
expect_eq "$(codexos --json events "$(last .id)" | jq -s '[.[].seq]==[range(1;length+1)]')" true

step 'events on stdout with --json, only its words with -q'
expect_ok codexos --json run -a fake 'say hello; result done'
expect_eq "$(jq -s -r 'map(select(.type=="agent.text").text)|join("")' <<<"$out")" hello
expect_eq "$(jq -s -r '.[-1]|"\(.type) \(.tokens.output_tokens)"' <<<"$out")" 'task.ended 10'
expect_ok codexos -q run -a fake 'say hello; echo noise >&2; result done'
expect_eq "$out$err" hello

step 'it exits with 0 only when the job is done'
expect_code 1 codexos run -a fake 'say "I stop."; true'
expect_has "$err" 'left without a result'
expect_eq "$(last '"\(.state) \(.cause) \(.exit_code)"')" 'failed agent_failed 1'
expect_code 1 codexos run -a fake 'result "402 no money" true'
expect_has "$err" 'reported an error: 402 no money'
expect_code 3 codexos run -a fake 'result "402 no money" true; exit 3'
expect_code 1 codexos run -a fake 'jq -cn "{type:\"result\",subtype:\"success\",result:\"no\",usage:{},permission_denials:[1,2]}"'
expect_has "$err" 'were refused by its own rules'
expect_code 124 codexos run --timeout 1s -a fake 'sleep 60'
expect_code 143 codexos run -a fake 'kill -TERM $$'
env --default-signal=INT codexos run -a fake 'trap "exit 0" INT; say ready; while :; do sleep 0.1; done' >"$TMPDIR/int" 2>&1 &
pid=$!
wait_until 20 grep -qx ready "$TMPDIR/int"
kill -INT "$pid"
code=0
wait "$pid" || code=$?
expect_eq "$code" 130 'exit of an interrupted agent that exits with 0'

step 'a failed job is not applied'
expect_code 1 codexos run --apply-on-success -a fake 'echo x >applied.txt'
expect_no_file applied.txt
expect_ok codexos run --apply-on-success -a fake 'echo x >applied.txt; result done'
expect_file applied.txt
rm applied.txt

step 'silence has a limit, and a preset says which'
preset hasty 'idle_timeout_s: 1'
expect_code 124 codexos run -a hasty 'sleep 60'
expect_eq "$(last .cause)" idle_limit
expect_eq "$(codexos --json run --plan-only -a fake x | json .idle_timeout_ms)" 900000
expect_ok codexos run --idle-timeout 20s -a hasty 'sleep 2; result done'

step '.env is hidden from agents, not from commands, and shown when it is named'
printf 'PASSWORD=secret\n' >.env
mkdir -p packages && printf 'PASSWORD=secret\n' >packages/.env.local && printf 'PASSWORD=\n' >.env.example
expect_ok codexos run -a fake 'say "$(cat .env packages/.env.local; cat .env.example)"; result done'
expect_eq "$out" 'PASSWORD='
expect_ok codexos run -- cat .env
expect_has "$out" secret
expect_ok codexos run --show .env -a fake 'say "$(cat .env)"; result done'
expect_has "$out" secret
expect_ok codexos run --mode direct -a fake 'say "[$(cat .env)]"; result done'
expect_eq "$out" '[]'
expect_eq "$(cat .env)" 'PASSWORD=secret'
rm -rf .env packages .env.example
step 'but a .env that git has is no secret, and stays whole in a commit'
printf 'PORT=80\n' >.env
git add .env && git commit -qm 'settings'
sleep 0.1 # what is written within 10 ms of a start counts as written meanwhile
expect_ok codexos run -a fake 'say "$(cat .env)"; echo more >>file.txt; git commit -qam all; result done'
expect_eq "$out" 'PORT=80'
expect_ok codexos apply
expect_eq "$(git show HEAD:.env)" 'PORT=80'

step '-c goes on with the conversation and the state; without it both begin anew'
expect_ok codexos run -a fake 'echo one >one.txt; mkdir -p ~/.fake; echo kept >~/.fake/note; result done'
first=$(last .agent.session)
expect_ok codexos run -c -a fake 'say "$(cat one.txt ~/.fake/note)"; result done'
expect_eq "$out" "going on with $first"$'\n'"one"$'\n'"kept"
expect_eq "$(last .agent.continued)" true
expect_ok codexos run -a fake 'say "$(ls one.txt 2>&1)"; result done'
expect_hasnt "$out" "going on"
expect_has "$out" 'No such file'
step 'the conversation goes on after an apply as well'
# What a discarded task had continued waits again.
while task=$(codexos -q ps | head -n 1) && [ -n "$task" ]; do expect_ok codexos discard "$task"; done
expect_ok codexos run -a fake 'echo two >two.txt; result done'
second=$(last .agent.session)
expect_ok codexos apply
expect_ok codexos run -c -a fake 'say "$(cat two.txt)"; result done'
expect_eq "$out" "going on with $second"$'\n'two
step 'another folder knows nothing of it'
repo other
expect_ok codexos run -c -a fake 'say "[$(ls -A ~/.fake)]"; result done'
expect_eq "$out" '[]'
cd ~/repo

step 'what follows -- joins its command line; stdin is empty unless -i'
expect_ok codexos run -a fake 'result done' -- --model 'a b'
expect_eq "$out" 'extra [--model][a b]'
printf 'hello\n' >"$TMPDIR/in"
out=$(codexos run -a fake 'say "$(wc -c)"; result done' <"$TMPDIR/in" 2>/dev/null)
expect_eq "$out" 0
out=$(codexos run -i -a fake 'say "$(wc -c)"; result done' <"$TMPDIR/in" 2>/dev/null)
expect_eq "$out" 6

step 'in the background, and over the death of the daemon'
task=$(codexos run -d -a fake 'say one; while [ ! -e /tmp/go ]; do sleep 0.1; done; say two; result done')
wait_until 10 eval "codexos --json events $task | grep -q '\"text\":\"one\"'"
pid=$(daemon_pid)
kill -KILL "$pid"
wait_until 10 dead "$pid"
codexos exec "$task" -- touch /tmp/go || true  # the end of the task may overtake it
expect_ok codexos wait "$task"
expect_eq "$(kinds "$task" agent.)" \
  'agent.tool_call agent.text agent.usage agent.cost'

step 'a terminal gets its own command line'
expect_has "$(pty -- codexos run -t -a fake 'printf "is a tty: %s\n" "$(tty)"')" 'is a tty: /dev/pts/'

step 'what is wrong is said'
expect_error 125 'there is no agent "nosuch"' codexos run -a nosuch x
expect_error 125 'one argument' codexos run -a fake fix it
expect_has "$err" "'fix it'"
expect_error 125 'no job is given' codexos run -a fake
expect_error 125 'no agent is configured' codexos run 'a job'
expect_ok env CODEXOS_AGENT=fake codexos run 'say "configured one"; result done'
expect_eq "$out" 'configured one'
preset broken 'evnets: x'
expect_error 125 'broken.yaml:' codexos run -a broken x
expect_has "$err" 'events'
preset absent ''
sed -i 's/program: fake-agent/program: no-such-agent/' ~/.config/codexos/agents/absent.yaml
expect_error 125 'neither on PATH' codexos run -a absent x
cp ~/.config/codexos/agents/fake.yaml ./mine.yaml
expect_ok codexos run -a ./mine.yaml 'say "by path"; result done'
expect_eq "$out" 'by path'
rm mine.yaml

step 'any program can have a job'
expect_ok codexos run -a command 'a job' -- printf 'got: %s\n'
expect_eq "$out" 'got: a job'
expect_code 4 codexos run -a command 'exit 4' -- sh -c

step 'agent list, show, check'
expect_ok codexos agent list
for name in claude codex opencode gemini aider command fake; do expect_has "$out" "$name"; done
expect_has "$out" 'unknown field'
expect_eq "$(codexos --json agent show fake | json .program)" "$HOME/.local/bin/fake-agent"
expect_code 6 codexos agent check fake
expect_has "$out" 'fake-agent 1.2.3'
expect_has "$out" 'set FAKE_KEY, and give it by -e'
FAKE_KEY=k expect_ok codexos agent check fake
expect_code 6 codexos agent check absent
expect_error 3 'there is no agent' codexos agent show nosuch

# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Real agents from npm, in pinned versions, against a model server that follows a script
# (tests/model.bash). What is installed is kept in AGENTS_CACHE for the next test.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/npm.bash
. "$TESTS/npm.bash"
# shellcheck source=tests/model.bash
. "$TESTS/model.bash"

# shellcheck disable=SC2034  # the tests use them
readonly codex_package=@openai/codex@0.169.0 claude_package=@anthropic-ai/claude-code@2.1.197 opencode_package=opencode-ai@1.18.33

# agent_home PROGRAM PACKAGE PLACE: installs the package below a fake nvm or ~/.local of this test's home.
agent_home() {
  local program=$1 package=$2 place=$3 prefix cache
  needs_npm 18 "$package"
  cache=$npm_cache/agents/$package
  if [ ! -x "$cache/bin/$program" ]; then
    mkdir -p "$cache"
    timeout 300 npm install --global --prefix "$cache" --no-audit --no-fund --loglevel=error "$package" >"$TMPDIR/npm.log" 2>&1 ||
      skip "npm cannot install $package here: $(grep -m 1 -E 'ERR|error' "$TMPDIR/npm.log" || echo 'no reason given')"
    # Scripts of packages do not run by themselves in newer versions of npm.
    "$cache/bin/$program" --version >/dev/null 2>&1 || (
      cd "$(dirname "$(readlink -f "$cache/bin/$program")")/.." && for script in install.cjs postinstall.mjs; do [ ! -e "$script" ] || node "$script"; done
    ) >>"$TMPDIR/npm.log" 2>&1 || true
  fi
  case $place in
    nvm) prefix=$HOME/.nvm/versions/node/v$(node -p process.versions.node) ;;
    local) prefix=$HOME/.local ;;
  esac
  mkdir -p "$prefix"
  cp -al "$cache/." "$prefix/" 2>/dev/null || cp -a "$cache/." "$prefix/"
  # A real nvm has its node beside the packages.
  [ "$place" != nvm ] || ln -s "$(command -v node)" "$prefix/bin/node"
}

# Those that most people have, each where one installs it, and a repository.
three_agents() {
  agent_home claude "$claude_package" nvm
  agent_home codex "$codex_package" local
  agent_home opencode "$opencode_package" local
  repo
}

# `agent_options` and `agent_extra` are set by the test: what the agent needs to talk to the model.
agent='' agent_options=() agent_extra=()
# agent_command OPTION... -- JOB: the line of the run command, in `command`.
command=()
agent_command() {
  command=(codexos run --reach "$model_port" "${agent_options[@]}")
  while [ "$1" != -- ]; do command+=("$1"); shift; done
  command+=(-a "$agent" "$2" -- "${agent_extra[@]}")
}
run_agent() {
  agent_command "$@"
  timeout 200 "${command[@]}"
}

# What each needs to talk to a model at URL, in `options` of `run` and `extra` of its own.
# shellcheck disable=SC2034
options=() extra=()
# claude_at URL
# shellcheck disable=SC2034
claude_at() { options=(-e "ANTHROPIC_BASE_URL=$1") extra=(--model any); }
# codex_at URL PROVIDER-MEMBERS
# shellcheck disable=SC2034
codex_at() { options=() extra=(-m fake-1 -c model_provider=fake -c "model_providers.fake={name=\"fake\",base_url=\"$1/v1\",wire_api=\"responses\",$2}"); }
# opencode_at URL OPTIONS: as a provider that its login may have a key of.
# shellcheck disable=SC2034
opencode_at() {
  options=(-e "OPENCODE_CONFIG_CONTENT={\"provider\":{\"openrouter\":{\"npm\":\"@ai-sdk/openai-compatible\",\"name\":\"fake\",\"options\":{\"baseURL\":\"$1/v1\"$2},\"models\":{\"fake-1\":{\"name\":\"fake-1\"}}}},\"model\":\"openrouter/fake-1\"}")
  extra=(--model openrouter/fake-1)
}

last() { codexos --json inspect 2>/dev/null | json "$1"; }

# The job of the script: a file, a commit, an answer.
readonly job_turns='[
  {"text": "I will write a file.", "run": "echo made by an agent >made.txt; cat .env; ls -a ~ ~/.ssh; curl -sS -m 5 http://foreign.example.org/"},
  {"text": "Now a commit.", "run": "git add made.txt && git commit -qm \"work of an agent\" && git log --oneline | head -n 1"},
  {"text": "All done."}]'

# agent_does_a_job: what it says and does, what is held back, and what becomes of it.
agent_does_a_job() {
  printf 'PASSWORD=canary-in-env\n' >.env
  printf '.env\n' >.gitignore
  git add .gitignore && git commit -qm 'ignore secrets'
  mkdir -p ~/.ssh && printf 'canary-in-ssh\n' >~/.ssh/id_ed25519
  model "$job_turns"

  step 'it does the job: its words on stdout, what it does on stderr'
  expect_ok run_agent -- 'write a file and commit it'
  expect_eq "$out" $'I will write a file.\nNow a commit.\nAll done.'
  expect_has "$err" 'echo made by an agent >made.txt'
  expect_has "$err" '300 tokens in (60 cached), 30 out'
  expect_has "$err" 'codexos apply'
  expect_no_file made.txt

  step 'the record: events, session, tokens'
  local task
  task=$(codexos --json inspect 2>/dev/null | json .id)
  expect_eq "$(field "$task" '.agent|"\(.name) \(.prompt) \(.usage.input_tokens) \(.usage.cached_input_tokens) \(.usage.output_tokens)"')" \
    "$agent write a file and commit it 300 60 30"
  expect_ne "$(field "$task" .agent.session)" ''
  codexos --json events "$task" >"$SCRATCH/events"
  expect_eq "$(jq -s -r 'map(select(.type=="agent.tool_call"))|length' "$SCRATCH/events")" 2
  expect_eq "$(jq -s -r 'map(select(.type=="agent.text").text)|join("|")' "$SCRATCH/events")" 'I will write a file.|Now a commit.|All done.'
  expect_eq "$(jq -s -r '.[-1]|"\(.type) \(.cause) \(.exit_code) \(.tokens.output_tokens)"' "$SCRATCH/events")" 'task.ended exited 0 30'
  expect_eq "$(jq -s -r '[.[].seq]==[range(1;length+1)]' "$SCRATCH/events")" true

  step 'it saw neither the secrets of the workspace nor those of the home'
  expect_hasnt "$(cat "$requests" "$SCRATCH/events")" canary

  step 'a foreign host gets nowhere, and why says so'
  expect_eq "$(jq -s -r 'map(select(.type=="denied" and .target=="foreign.example.org"))|length>0' "$SCRATCH/events")" true
  expect_ok codexos why "$task"
  expect_has "$out" foreign.example.org

  step 'diff, apply, undo'
  expect_ok codexos diff
  expect_has "$out" '+made by an agent'
  expect_has "$out" '+1 commit'
  expect_ok codexos apply
  expect_eq "$(cat made.txt)" 'made by an agent'
  expect_eq "$(git log -1 --format=%s)" 'work of an agent'
  expect_ok codexos undo
  expect_no_file made.txt
  expect_eq "$(git log -1 --format=%s)" 'ignore secrets'
  expect_eq "$(cat .env)" 'PASSWORD=canary-in-env'
}

# agent_goes_on: -c continues the conversation and the state of the workspace.
agent_goes_on() {
  step '-c goes on with the conversation and with what is held back'
  model '[{"text": "First.", "run": "echo one >first.txt"}, {"text": "First is done."}]'
  expect_ok run_agent -- 'the first job'
  local first
  first=$(codexos --json inspect 2>/dev/null | json .id)
  printf '%s\n' '[{"text":"unused"},{"text": "Second.", "run": "cat first.txt >second.txt"}, {"text": "Second is done."}]' >"$SCRATCH/next.json"
  model "$(cat "$SCRATCH/next.json")"
  expect_ok run_agent -c -- 'the second job'
  expect_has "$out" 'Second is done.'
  expect_eq "$(codexos --json inspect 2>/dev/null | json '.agent|"\(.continued) \(.session)"')" "true $(field "$first" .agent.session)"
  # The model heard both jobs in one conversation.
  expect_match "$(jq -r .said "$requests" | tr '\n' ' ')" 'the first job.*the second job'
  expect_ok codexos diff --name-status
  expect_has "$out" second.txt
  expect_ok codexos discard
}

# agent_fails MESSAGE: an error of the model's server is one of the task, whatever the agent exits with.
agent_fails() {
  step 'an error of the model is no success'
  model '[{"status": 402, "message": "the budget is used up"}]'
  expect_code 1 run_agent -- 'a job'
  expect_has "$err" 'the budget is used up'
  expect_has "$(codexos --json inspect 2>/dev/null | json .detail)" 'the budget is used up'
}

# agent_ends: kill, time limit and interrupt give the right exits.
agent_ends() {
  local task pid code=0
  step 'a time limit'
  model '[{"text": "Waiting.", "run": "sleep 300"}]'
  expect_code 124 run_agent --timeout 15s -- 'a job'
  expect_eq "$(last .cause)" time_limit
  step 'kill'
  model '[{"text": "Waiting.", "run": "sleep 300"}]'
  agent_command -d -- 'a job'
  task=$("${command[@]}")
  wait_until 60 grep -q '"tools": \["' "$requests"
  codexos kill "$task" >/dev/null
  expect_code 137 codexos wait "$task"
  step 'an interrupt is no success'
  model '[{"text": "Waiting.", "run": "sleep 300"}]'
  agent_command -- 'a job'
  env --default-signal=INT "${command[@]}" >"$SCRATCH/int.out" 2>&1 &
  pid=$!
  wait_until 60 grep -q '"tools": \["' "$requests"
  kill -INT "$pid"
  sleep 3  # a second one stops the task, also when the agent does not obey the first
  kill -INT "$pid" 2>/dev/null || true
  sleep 0.1
  kill -INT "$pid" 2>/dev/null || true
  wait "$pid" || code=$?
  expect_ne "$code" 0 'exit of an interrupted agent'
}

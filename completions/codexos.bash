# SPDX-License-Identifier: Apache-2.0
# Printed by `codexos completion bash` from the table of commands; do not edit.

_codexos_ids() {
  COMPREPLY=($(compgen -W "$(codexos __ids 2>/dev/null)" -- "$cur"))
}

# By name, or a file of one's own.
_codexos_agents() {
  COMPREPLY=($(compgen -W "$(codexos __ids agents 2>/dev/null)" -- "$cur") $(compgen -f -- "$cur"))
}

# What follows `--` is the task's own command line: completed as if it stood alone.
_codexos_payload() {
  local at=$1
  if declare -F _command_offset >/dev/null; then
    _command_offset "$at"
  elif ((COMP_CWORD == at)); then
    COMPREPLY=($(compgen -c -- "$cur"))
  else
    COMPREPLY=($(compgen -f -- "$cur"))
  fi
}

_codexos() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
  local verb='' flags='' verbs i
  COMPREPLY=()
  verbs='run ps inspect logs attach wait stats events exec stop kill pause net resume rm prune diff apply discard undo snapshot why policy agent secret budget usage trust status health doctor daemon completion version help'
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --)
        _codexos_payload $((i + 1))
        return
        ;;
      --tenant | --socket | --color) [[ $verb ]] || ((i++)) ;;
      -*) ;;
      *)
        if [[ -z $verb ]]; then
          verb=${COMP_WORDS[i]}
        elif [[ $verb == net ]]; then
          verb='net '${COMP_WORDS[i]}
        elif [[ $verb == snapshot ]]; then
          verb='snapshot '${COMP_WORDS[i]}
        elif [[ $verb == policy ]]; then
          verb='policy '${COMP_WORDS[i]}
        elif [[ $verb == agent ]]; then
          verb='agent '${COMP_WORDS[i]}
        elif [[ $verb == secret ]]; then
          verb='secret '${COMP_WORDS[i]}
        elif [[ $verb == budget ]]; then
          verb='budget '${COMP_WORDS[i]}
        elif [[ $verb == daemon ]]; then
          verb='daemon '${COMP_WORDS[i]}
        fi
        ;;
    esac
  done
  case $verb in
    '')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || COMPREPLY=($(compgen -W "$verbs" -- "$cur"))
      ;;
    net) COMPREPLY=($(compgen -W 'allow deny ls' -- "$cur")) ;;
    snapshot) COMPREPLY=($(compgen -W 'create list restore rm' -- "$cur")) ;;
    policy) COMPREPLY=($(compgen -W 'show check suggest test' -- "$cur")) ;;
    agent) COMPREPLY=($(compgen -W 'list show check login-share' -- "$cur")) ;;
    secret) COMPREPLY=($(compgen -W 'set list show rotate rm status protect unlock lock rekey accept' -- "$cur")) ;;
    budget) COMPREPLY=($(compgen -W 'show set raise explain' -- "$cur")) ;;
    daemon) COMPREPLY=($(compgen -W 'start stop status' -- "$cur")) ;;
    run)
      case $prev in
        --name) :; return ;;
        --label) :; return ;;
        -w | --workspace) COMPREPLY=($(compgen -d -- "$cur")); return ;;
        --mode) COMPREPLY=($(compgen -W 'overlay direct read-only none' -- "$cur")); return ;;
        --write) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --from) _codexos_ids; return ;;
        -e | --env) :; return ;;
        --env-file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --show | --mount) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --net) COMPREPLY=($(compgen -W 'none allow host' -- "$cur")); return ;;
        --allow) :; return ;;
        --publish) :; return ;;
        --reach) :; return ;;
        --net-bytes) :; return ;;
        --isolation) COMPREPLY=($(compgen -W 'full landlock' -- "$cur")); return ;;
        --seccomp) COMPREPLY=($(compgen -W 'default nested' -- "$cur")); return ;;
        --profile) :; return ;;
        --policy) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --timeout) :; return ;;
        --idle-timeout) :; return ;;
        --memory) :; return ;;
        --cpus) :; return ;;
        --cpu-time) :; return ;;
        --pids) :; return ;;
        --disk) :; return ;;
        -a | --agent) _codexos_agents; return ;;
        --secret) :; return ;;
        --secret-file) :; return ;;
        --secret-value) :; return ;;
        --key-for) :; return ;;
        --ssh-key) :; return ;;
        --max-tokens) :; return ;;
        --max-requests) :; return ;;
        --max-cost) :; return ;;
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='-d --detach -i --interactive -t --tty --name --label -w --workspace --mode --write --from -c -e --env --env-file --show --mount --net --allow --publish --reach --net-bytes --isolation --seccomp --profile --policy --timeout --idle-timeout --memory --cpus --cpu-time --pids --disk --apply --apply-on-success --allow-protected --skip-protected --plan-only --learn --rm -a --agent --secret --secret-file --secret-value --key-for --ssh-key --models --max-tokens --max-requests --max-cost --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    ps)
      case $prev in
        -w | --workspace) COMPREPLY=($(compgen -d -- "$cur")); return ;;
        -n | --last) :; return ;;
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='-a --all -w --workspace -n --last --no-trunc --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    inspect)
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_ids
      ;;
    logs)
      case $prev in
        --tail) :; return ;;
        --stream) COMPREPLY=($(compgen -W 'stdout stderr' -- "$cur")); return ;;
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='-f --follow --tail --stream --raw --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_ids
      ;;
    attach)
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--no-stdin --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_ids
      ;;
    wait)
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_ids
      ;;
    stats)
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_ids
      ;;
    events)
      case $prev in
        --from) :; return ;;
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='-f --follow --from --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_ids
      ;;
    exec)
      case $prev in
        -e | --env) :; return ;;
        --env-file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        -w | --cwd) :; return ;;
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='-i --interactive -t --tty -e --env --env-file -w --cwd --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_ids
      ;;
    stop)
      case $prev in
        -t | --grace) :; return ;;
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='-t --grace --no-wait --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_ids
      ;;
    kill)
      case $prev in
        -s | --signal) COMPREPLY=($(compgen -W 'HUP INT QUIT KILL USR1 USR2 TERM CONT STOP' -- "$cur")); return ;;
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='-s --signal --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_ids
      ;;
    pause)
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_ids
      ;;
    'net allow')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    'net deny')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    'net ls')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_ids
      ;;
    resume)
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_ids
      ;;
    rm)
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='-f --force --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_ids
      ;;
    prune)
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--all --dry-run -f --force --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    diff)
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--stat --name-status --all --exit-code --no-pager --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_ids
      ;;
    apply)
      case $prev in
        --on-conflict) COMPREPLY=($(compgen -W 'fail ours theirs merge' -- "$cur")); return ;;
        --commit) :; return ;;
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='-n --dry-run --on-conflict --allow-protected --skip-protected --commit --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_ids
      ;;
    discard)
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_ids
      ;;
    undo)
      case $prev in
        --on-conflict) COMPREPLY=($(compgen -W 'fail ours theirs merge' -- "$cur")); return ;;
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='-n --dry-run --on-conflict --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_ids
      ;;
    'snapshot create')
      case $prev in
        --name) :; return ;;
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--name --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_ids
      ;;
    'snapshot list')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_ids
      ;;
    'snapshot restore')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    'snapshot rm')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    why)
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_ids
      ;;
    'policy show')
      case $prev in
        -w | --workspace) COMPREPLY=($(compgen -d -- "$cur")); return ;;
        --profile) :; return ;;
        --policy) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='-w --workspace --profile --policy --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_ids
      ;;
    'policy check')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || COMPREPLY=($(compgen -f -- "$cur"))
      ;;
    'policy suggest')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_ids
      ;;
    'policy test')
      case $prev in
        -w | --workspace) COMPREPLY=($(compgen -d -- "$cur")); return ;;
        --profile) :; return ;;
        --reach) :; return ;;
        --read) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --write) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        -e | --env) :; return ;;
        --apply) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='-w --workspace --profile --reach --read --write -e --env --apply --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || COMPREPLY=($(compgen -f -- "$cur"))
      ;;
    'agent list')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    'agent show')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_agents
      ;;
    'agent check')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_agents
      ;;
    'agent login-share')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='-l --list --revoke --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_agents
      ;;
    'secret set')
      case $prev in
        --file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --host) :; return ;;
        --header) :; return ;;
        --method) :; return ;;
        --path) :; return ;;
        --env) :; return ;;
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--file --host --header --method --path --env --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    'secret list')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    'secret show')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--reveal --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    'secret rotate')
      case $prev in
        --file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--file --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    'secret rm')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    'secret status')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    'secret protect')
      case $prev in
        --file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--passphrase --key-file --credential --file --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    'secret unlock')
      case $prev in
        --file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--file --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    'secret lock')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    'secret rekey')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    'secret accept')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    'budget show')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    'budget set')
      case $prev in
        --period) COMPREPLY=($(compgen -W 'total day month' -- "$cur")); return ;;
        --max-tokens) :; return ;;
        --max-requests) :; return ;;
        --max-cost) :; return ;;
        --soft) :; return ;;
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--period --max-tokens --max-requests --max-cost --soft --none --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    'budget raise')
      case $prev in
        --max-tokens) :; return ;;
        --max-requests) :; return ;;
        --max-cost) :; return ;;
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--max-tokens --max-requests --max-cost --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_ids
      ;;
    'budget explain')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || _codexos_ids
      ;;
    usage)
      case $prev in
        --by) COMPREPLY=($(compgen -W 'task agent model day' -- "$cur")); return ;;
        --days) :; return ;;
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--by --days --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    trust)
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='-n --dry-run -l --list --revoke --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || COMPREPLY=($(compgen -d -- "$cur"))
      ;;
    status)
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    health)
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    doctor)
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--fix --json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    'daemon start')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    'daemon stop')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    'daemon status')
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    completion)
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || COMPREPLY=($(compgen -W 'bash zsh fish' -- "$cur"))
      ;;
    version)
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      ;;
    help)
      case $prev in
        --tenant) COMPREPLY=($(compgen -W 'default' -- "$cur")); return ;;
        --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
      esac
      flags='--json --tenant --socket -q --quiet -v --verbose --color -h --help'
      [[ $cur == -* ]] || COMPREPLY=($(compgen -W "$verbs" -- "$cur"))
      ;;
  esac
  [[ $cur == -* ]] && COMPREPLY=($(compgen -W "$flags" -- "$cur"))
}
complete -o bashdefault -F _codexos codexos

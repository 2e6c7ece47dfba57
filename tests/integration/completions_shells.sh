#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bash, zsh and fish, each as a person uses it, offer every verb that the help names, the options of a verb and their
# values, and the tasks of the daemon that runs. Where there is no daemon, and no program, they offer less and say nothing.
# needs: python3
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
mkdir zsh
codexos completion bash >bashrc
codexos completion zsh >zsh/_codexos
codexos completion fish >config.fish
# Lists at once, a candidate a line, whatever their number.
cat >>bashrc <<'R'
bind 'set completion-query-items 0' 'set page-completions off' 'set completion-display-width 0'
bind 'set bell-style none' 'set enable-bracketed-paste off'
bind '"\C-g": possible-completions'
PS1='READY '
R
cat >zsh/.zshrc <<R
fpath=($PWD/zsh \$fpath)
autoload -Uz compinit && compinit -u -D
bindkey -e && bindkey '^G' list-choices
LISTMAX=9999 PS1='READY ' zle_bracketed_paste=()
R

# What a shell offers behind LINE, in `offered`: all that its terminal showed, from the list on.
offered='' patience=1
terminal() { # LINE COMMAND...
  local line=$1
  shift
  expect_ok pty --rows 400 --cols 200 --expect 'READY ' --send "$line\\x07" --sleep "$patience" --send '\x15' \
    --send 'echo t'"''"'he end\n' --expect 'the end' --send 'exit\n' -- "$@"
  offered=$(tr -d '\r' <<<"$out" | sed 's/\x1b\[[0-9;?]*[A-Za-z]/ /g')
}
offers_of_bash() { terminal "$1" bash --noprofile --rcfile bashrc -i; }
offers_of_zsh() { terminal "$1" env ZDOTDIR="$PWD/zsh" zsh -d -i; }
offers_of_fish() {
  expect_ok env XDG_CONFIG_HOME="$PWD/fish" fish --no-config -c 'source config.fish; complete -C "$argv[1]"' "$1"
  expect_eq "$err" '' "fish behind '$1'"
  offered=$out
}
# offers SHELL LINE WORD...: each WORD is offered. What was typed ahead may keep a shell from listing, so it gets its time.
offers() {
  local shell=$1 line=$2 word missing
  shift 2
  for patience in 0.2 1 5; do
    "offers_of_$shell" "$line"
    missing=''
    for word; do
      grep -qE -- "(^|[[:space:]])$word([[:space:]]|\$)" <<<"$offered" || missing="$missing $word"
    done
    [ -n "$missing" ] || return 0
  done
  fail "$shell does not offer$missing behind '$line': $offered"
}

# The verbs of the help; what has several second words is a noun.
codexos --help | sed -n 's/^  \([a-z]\+\( [a-z]\+\)\?\)  *[a-z].*/\1/p' | grep -v '^codexos' >lines
nouns=$(cut -d' ' -f1 lines | sort | uniq -d)
verbs=$(cut -d' ' -f1 lines | sort -u)
for verb in run ps inspect net snapshot apply doctor daemon help; do expect_has " $(xargs <<<"$verbs") " " $verb "; done
expect_has " $(xargs <<<"$nouns") " ' daemon '

shells=()
for shell in bash zsh fish; do ! command -v $shell >/dev/null || shells+=("$shell"); done
work_of() { # SHELL: all of it
  local shell=$1 noun
  step "$shell: verbs"
  # shellcheck disable=SC2086  # words
  offers "$shell" 'codexos ' $verbs
  for noun in $nouns; do
    # shellcheck disable=SC2046
    offers "$shell" "codexos $noun " $(sed -n "s/^$noun \([a-z]*\)\$/\1/p" lines)
  done
  step "$shell: options and their values"
  offers "$shell" 'codexos run --' --detach --timeout --workspace
  offers "$shell" 'codexos run --mode ' overlay direct read-only
  offers "$shell" 'codexos completion ' bash zsh fish
  step "$shell: tasks, by id and by name, where a task is wanted"
  offers "$shell" 'codexos inspect ' "$id" ended-one
  offers "$shell" 'codexos kill runn' running-one
  offers "$shell" 'codexos snapshot list ' "$id" running-one
  step "$shell: agents, by name"
  offers "$shell" 'codexos run -a ' claude codex opencode
  offers "$shell" 'codexos agent show ' claude aider
  step "$shell: what follows -- is the task's own command line"
  offers "$shell" 'codexos run -- ls ' bashrc
}
without_daemon() { # SHELL
  "offers_of_$1" 'codexos inspect '
  expect_hasnt "$offered" "$id" "$1 without a daemon"
  expect_hasnt "${offered,,}" error "$1 without a daemon"
}

id=$(codexos run -d --name running-one -- sleep 600)
expect_ok codexos run -q --name ended-one -- sh -c 'echo x >new'
for shell in "${shells[@]}"; do work_of "$shell"; done
codexos kill running-one >/dev/null
codexos daemon stop >/dev/null

step 'no daemon: nothing is offered, nothing said, and none is started'
for shell in "${shells[@]}"; do without_daemon "$shell"; done
expect_eq "$(daemon_pid)" '' 'completion started a daemon'
step 'no program either'
PATH=/usr/local/bin:/usr/bin:/bin
if ! command -v codexos >/dev/null; then
  for shell in "${shells[@]}"; do
    without_daemon "$shell"
    expect_hasnt "$offered" 'not found' "$shell"
  done
fi
[ ${#shells[@]} = 3 ] || skip "needs zsh and fish; passed with: ${shells[*]}"

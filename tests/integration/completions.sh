#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Completion scripts are syntactically right and offer verbs, options and ids without starting a daemon.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
for shell in bash zsh fish; do
  expect_ok codexos completion $shell
  printf '%s\n' "$out" >c.$shell
  ! command -v $shell >/dev/null || $shell -n c.$shell || fail "syntax of the $shell completion"
done
expect_error 2 '' codexos completion tcsh
complete_bash() { bash --norc -c 'source ./c.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; f=$(complete -p codexos | sed "s/.*-F \([^ ]*\).*/\1/"); "$f" codexos "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"; printf "%s\n" "${COMPREPLY[@]}"' bash "$@"; }
expect_match "$(complete_bash codexos in)" 'inspect'
expect_match "$(complete_bash codexos run --de)" '--detach'
expect_eq "$(daemon_pid)" '' 'completion started a daemon'
expect_ok codexos run --name mytask -- sh -c 'echo x >n'
expect_match "$(complete_bash codexos inspect my)" 'mytask'

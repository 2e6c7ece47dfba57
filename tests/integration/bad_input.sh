#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Bad input of every kind: the documented code and message, nothing is lost, the daemon lives.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
expect_ok codexos run --name first -- sh -c 'echo kept >new'
pid=$(daemon_pid)

step 'wrong flags and verbs, with the nearest correct one'
expect_error 125 '--detach' codexos run --detatch -- true
expect_error 2 'inspect' codexos inspct first
expect_error 2 'ps' codexos pss
expect_error 2 '--all' codexos ps --al
expect_error 2 '' codexos
expect_error 2 '' codexos --nonsense ps
expect_error 125 '' codexos run
expect_error 125 '' codexos run --
expect_error 125 '' codexos run --name
expect_error 125 '' codexos run --mode sideways -- true
expect_error 125 '' codexos run --label noequals -- true
expect_error 2 '' codexos ps extra
expect_error 2 '' codexos logs --tail many first
expect_error 2 '' codexos --color purple ps

step 'a prompt where a command was meant, and the other way round'
expect_error 125 'codexos run -- npm test' codexos run npm test
expect_error 125 'codexos run -- ls' codexos run ls
expect_error 125 '' codexos run 'fix the failing test'
expect_error 125 'codexos run -- ls -l' codexos run ls -l

step 'what has not landed is refused by name'
expect_error 125 'not available in this version' codexos run --tools a -- true
for verb in approve deny timeline replay fork debug memory mcp eval market \
  tenant user role token login audit billing backup restore db metrics top config; do
  expect_error 2 'not available in this version' codexos "$verb"
done
expect_error 2 'not available in this version' codexos --tenant other ps

step 'unknown ids'
for verb in inspect logs stop kill pause resume rm diff apply undo discard events; do
  args=()
  [ $verb != diff ] || args=(--name-status)
  expect_error 3 nobody codexos $verb "${args[@]}" nobody
done
for verb in wait attach; do expect_error 125 nobody codexos $verb nobody; done
expect_error 2 '' codexos inspect '../../etc'
expect_match "$(codexos inspect $'a\nb' 2>&1; echo "code $?")" 'error: .*code [23]'

step 'a cwd that was deleted, a workspace that vanished or is no folder'
mkdir ../gone && cd ../gone && rmdir ../gone
expect_error 125 '' codexos run -- true
cd "$HOME/work"
expect_error 125 '/no/such/folder' codexos run -w /no/such/folder -- true
expect_error 125 '' codexos run -w /etc/passwd -- true
expect_error 125 '' codexos run --show /no/such/path -- true
expect_error 125 '' codexos run --show '' -- true
expect_error 125 '' codexos run --write /etc -- true
expect_error 125 '' codexos run --write ../x -- true
expect_error 125 '' codexos run --env-file /no/such/file -- true
expect_error 125 '' codexos run -e '=x' -- true
expect_error 125 '' codexos run --from nobody -- true

step 'arguments that are big or odd'
expect_ok codexos run -- printf '%s|' '' 'a b' $'new\nline' 'ü' "it's" '$HOME' '*' --flag -- -x
expect_eq "$out" "|a b|"$'new\nline'"|ü|it's|\$HOME|*|--flag|--|-x|"
expect_ok codexos run -- sh -c 'printf %s "${#1}"' sh "$(head -c 100000 /dev/zero | tr '\0' x)"
expect_eq "$out" 100000
expect_eq "$(codexos run -- printf %s $'\xff\xfe' | od -An -tx1 | xargs)" 'ff fe'

step 'nothing was lost and the daemon lives'
expect_eq "$(daemon_pid)" "$pid"
expect_has "$(codexos diff --name-status first)" new

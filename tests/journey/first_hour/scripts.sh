#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What scripts and CI do: command substitution around a detached task, a reader that closes early,
# an empty environment, cron's, no terminal and no streams at all.
# shellcheck source=tests/journey/home.sh
. "$(dirname "${BASH_SOURCE[0]}")/../home.sh"

home_gitconfig
home_project
step 'x=$(codexos run -d ...) returns at once with the id alone'
before=$(date +%s%N)
x=$(codexos run -d -- sleep 60)
expect_match "$x" '^[a-z2-7]{12}$' 'the id'
[ $((($(date +%s%N) - before) / 1000000)) -lt 10000 ] || fail 'it did not return at once'
expect_ok codexos stop "$x"

step 'yes | head -1'
expect_eq "$(timeout 20 codexos run -- yes | head -1)" y
wait_until 15 eval '[ -z "$(codexos -q ps)" ]'
set +o pipefail
expect_eq "$(codexos run -- sh -c 'seq 1 100000; echo "end $?" >&2' 2>/dev/null | tail -1)" 100000
set -o pipefail

step 'codes and pipes in set -e scripts'
expect_code 3 codexos run -- sh -c 'exit 3'
expect_eq "$(printf 'a\nb\n' | codexos run -- wc -l | xargs)" 2
expect_eq "$(codexos run -- sh -c 'echo out; echo err >&2' 2>/dev/null)" out

step 'env -i'
expect_ok env -i CODEXOS_HOME="$CODEXOS_HOME" "$CODEXOS_BIN/codexos" run -- /bin/echo bare
expect_eq "$out" bare
expect_ok env -i CODEXOS_HOME="$CODEXOS_HOME" "$CODEXOS_BIN/codexos" run -- sh -c 'echo path=$PATH'
expect_match "$out" 'path=.*/usr/bin' 'a PATH where there was none'

step 'as cron: no terminal, no stdin, a session of its own'
env -i PATH=/usr/bin:/bin CODEXOS_HOME="$CODEXOS_HOME" HOME="$HOME" setsid -w sh -c "exec '$CODEXOS_BIN/codexos' run -- sh -c 'cat; echo done' <&- >cron.out 2>cron.err"
expect_eq "$(cat cron.out)" 'done'
env -i PATH=/usr/bin:/bin CODEXOS_HOME="$CODEXOS_HOME" setsid -w sh -c "'$CODEXOS_BIN/codexos' run -- true <&- >&- 2>&-; echo \$? >cron.code"
expect_eq "$(cat cron.code)" 0 'all three streams closed'

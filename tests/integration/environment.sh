#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The environment of a task: the list of the contract and -e, nothing else.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

repo
expect_ok env SECRET_TOKEN=x AWS_SECRET_ACCESS_KEY=x SSH_AUTH_SOCK=/x LD_PRELOAD= http_proxy=x PYTHONPATH=/x GIT_DIR=/x CI=1 LC_TIME=C TZ=Europe/Oslo NO_COLOR=1 COLORTERM=t LANGUAGE=en codexos run -- env
vars=$(cut -d= -f1 <<<"$out" | grep -E '^[A-Za-z_]+' | sort | xargs)
for v in SECRET_TOKEN AWS_SECRET_ACCESS_KEY SSH_AUTH_SOCK LD_PRELOAD http_proxy PYTHONPATH GIT_DIR CODEXOS_HOME CODEXOS_BIN SCRATCH TMPDIR; do
  expect_hasnt " $vars " " $v " "$v was passed on"
done
for v in CI LC_TIME TZ NO_COLOR COLORTERM LANGUAGE LANG TERM USER LOGNAME SHELL HOME PATH PWD CODEXOS_TASK; do
  expect_has " $vars " " $v " 'the list of the contract'
done
expect_has "$out" "HOME=$HOME"
expect_has "$out" "PWD=$PWD"
expect_has "$out" 'TZ=Europe/Oslo'
expect_match "$out" 'CODEXOS_TASK=[a-z2-7]{12}'
for v in $vars; do
  case "$v" in CI|LC_*|TZ|NO_COLOR|COLORTERM|LANGUAGE|LANG|TERM|USER|LOGNAME|SHELL|HOME|PATH|PWD|CODEXOS_TASK|GIT_CONFIG_*|GIT_AUTHOR_*|GIT_COMMITTER_*|_|PIP_*|UV_*|NPM_CONFIG_*|npm_config_*|CARGO_*) ;; *) fail "$v is in the environment and not in the contract" ;; esac
done
step 'PATH holds what exists inside'
expect_ok env PATH="/no/such:$HOME/none:$PATH:" codexos run -- sh -c 'IFS=:; for d in $PATH; do test -d "$d" || echo missing "$d"; done'
expect_eq "$out" ''
step '-e'
expect_ok env A_ONE=1 A_TWO=2 PASSED=p codexos run -e 'A_*' -e PASSED -e SET='v=w x' -e EMPTY= -- sh -c 'echo "$A_ONE $A_TWO $PASSED $SET [$EMPTY] ${EMPTY+set}"'
expect_eq "$out" '1 2 p v=w x [] set'
expect_ok codexos run -e NOT_SET_HERE -- sh -c 'echo "${NOT_SET_HERE-unset}"'
expect_eq "$out" unset
expect_ok codexos run -e PATH=/bin:/usr/bin -e HOME=/tmp -- sh -c 'echo $PATH $HOME'
expect_eq "$out" '/bin:/usr/bin /tmp'
printf '# comment\nF_ONE=from file\n\nexport F_TWO=2\n' >../vars
sed -i '/export/d' ../vars
expect_ok codexos run --env-file ../vars -e F_THREE=3 -- sh -c 'echo $F_ONE $F_THREE'
expect_eq "$out" 'from file 3'
step 'umask, nofile, nice'
expect_eq "$(umask 027; codexos run -- sh -c umask)" 0027
expect_eq "$(umask 077; codexos run --mode direct -- sh -c 'echo >mode-file'; stat -c %a mode-file)" 600

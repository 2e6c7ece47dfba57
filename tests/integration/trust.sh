#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A project's .codexos.yaml can only narrow, until the user trusts it; when it changes, again.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

mkdir -p ~/data ~/.config/codexos && echo treasure >~/data/file
repo
config=$PWD/.codexos.yaml
cat >"$config" <<END
show: [~/data]
seccomp: nested
env: [MY_TOKEN]
hide: [secret.txt]
limits: {timeout: 1h}
END
echo s >secret.txt
export MY_TOKEN=tok
what='cat ~/data/file 2>/dev/null; cat secret.txt; echo "<$MY_TOKEN>"'

step 'not trusted: it narrows, and stderr says what it cannot do'
expect_ok codexos run -- sh -c "$what"
expect_eq "$out" '<>'
expect_has "$err" "$config is not trusted, so it cannot widen (show: $HOME/data, seccomp: nested, env: MY_TOKEN): codexos trust"
expect_eq "$(json '[.seccomp, .timeout_ms]|join(" ")' <<<"$(codexos --json run --plan-only -- true)")" 'default 3600000'
expect_has "$(codexos --json inspect | json '.notes|join(" ")')" 'not trusted'
expect_ok codexos policy show
expect_match "$out" "not trusted: +$config"
expect_has "$out" 'not trusted, so without: env: MY_TOKEN'

step 'trust shows what it widens; -n trusts nothing'
expect_ok codexos trust -n
expect_has "$out" "would widen"
expect_has "$out" 'seccomp: nested'
expect_eq "$(codexos trust --list)" ''
expect_ok codexos trust
expect_has "$out" 'may widen'
expect_has "$out" "show: $HOME/data"
expect_ok codexos run -- sh -c "$what"
expect_eq "$out" $'treasure\n<tok>'
expect_hasnt "$err" trust
expect_eq "$(json .seccomp <<<"$(codexos --json run --plan-only -- true)")" nested
(cd sub && expect_ok codexos run -- sh -c "$what" && expect_has "$out" treasure)
expect_ok codexos trust --list
expect_match "$out" "$config +trusted"
expect_eq "$(codexos --json trust --list | json '.projects[0].widens|length')" 3

step 'it survives the daemon'
codexos daemon stop >/dev/null
expect_ok codexos run -- sh -c "$what"
expect_has "$out" treasure

step 'a file that changed is not trusted any more; the old content is'
cp -p "$config" "$TMPDIR/old"
printf 'limits: {idle_timeout: 1h}\nshow: [~/data]\n' >"$config"
expect_ok codexos run -- sh -c "$what"
expect_hasnt "$out" treasure
expect_has "$err" "$config has changed since it was trusted, so it cannot widen (show: $HOME/data): codexos trust"
expect_match "$(codexos trust --list)" "$config +changed"
cat "$TMPDIR/old" >"$config"
expect_ok codexos run -- sh -c "$what"
expect_has "$out" treasure

step 'another folder at the path is not meant, nor a copy at another'
cd .. && mv repo old && mkdir repo && cp old/.codexos.yaml repo/ && cd repo
expect_ok codexos run -- sh -c "$what"
expect_hasnt "$out" treasure
expect_has "$err" 'codexos trust'
cd .. && rm -rf repo && mv old repo && cd repo
expect_ok codexos run -- sh -c "$what"
expect_has "$out" treasure
cp -r ../repo ../copy && cd ../copy
expect_ok codexos run -- sh -c "$what"
expect_hasnt "$out" treasure
cd ../repo

step "the user's own ceiling holds for what is trusted, and their own options go beyond"
printf 'ceiling: {seccomp: default, env: []}\n' >~/.config/codexos/config.yaml
expect_ok codexos run -- sh -c "$what"
expect_eq "$out" $'treasure\n<>'
expect_has "$err" "$config: seccomp: nested goes beyond the ceiling of $HOME/.config/codexos/config.yaml and is left out"
expect_ok codexos run --seccomp nested -- true
rm ~/.config/codexos/config.yaml

step 'revoked'
expect_ok codexos trust --revoke
expect_has "$out" 'is not trusted any more'
expect_ok codexos run -- sh -c "$what"
expect_hasnt "$out" treasure
expect_error 3 'is not trusted' codexos trust --revoke
expect_error 3 '' codexos trust "$HOME/data"

step 'from inside a task nothing can be trusted, and its own change waits at the gate'
codexos discard >/dev/null 2>&1 || true
expect_ok codexos run -- sh -c 'printf "seccomp: nested\n" >.codexos.yaml'
expect_code 4 codexos apply
expect_has "$out$err" .codexos.yaml
expect_code 1 codexos run -w . -- test -S "$CODEXOS_HOME/codexosd.sock"

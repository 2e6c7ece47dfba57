#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Policy files decide what a task finds, is passed and may take; options and variables come before them.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

config=$HOME/.config/codexos/config.yaml
mkdir -p "${config%/*}" ~/data
echo treasure >~/data/file
repo

step 'without any file nothing is said'
expect_ok codexos policy show
expect_has "$out" 'nobody says anything'
expect_ok codexos policy check
expect_has "$out" "$config: absent"

step "the user's file shows, hides, passes on, limits"
printf 'SECRET=1\n' >.env
mkdir keys && echo k >keys/a && echo t >.env.local
cat >"$config" <<'END'
version: 1
show: [~/data, ~/not-here]
hide: ['.env*', keys]
env: [MY_TOKEN, 'MINE_*']
limits:
  timeout: 5s
END
export MY_TOKEN=tok MINE_A=1 MINE_B='two words' MINE=0 OTHER=no
expect_ok codexos run -- sh -c 'cat ~/data/file; cat .env .env.local; ls keys | wc -l; echo "$MY_TOKEN,$MINE_A,$MINE_B,$MINE,$OTHER"'
expect_eq "$out" $'treasure\n0\ntok,1,two words,,' 'what the task found'
expect_has "$err" 'show '"$HOME"'/not-here: it does not exist here'
codexos diff --exit-code >/dev/null || fail 'what is hidden is no change'
expect_code 2 codexos run -- sh -c 'echo x >.env'
expect_code 2 codexos run -- sh -c 'echo x >keys/a'
expect_code 1 codexos run -- sh -c 'rm -rf keys'
expect_eq "$(cat .env keys/a)" $'SECRET=1\nk'
expect_code 124 codexos run -- sleep 20
expect_ok codexos run --plan-only -- true
expect_match "$out" "$PWD/keys .*hidden"

step 'a detached task is passed the same'
id=$(codexos run -d -- sh -c 'echo "$MY_TOKEN"' 2>/dev/null)
codexos wait "$id"
expect_eq "$(codexos logs "$id")" tok

step 'the record keeps nothing of variables that were not passed on'
expect_hasnt "$(strings -a "$CODEXOS_HOME"/tenants/default/tenant.db*)" OTHER=no

step 'options and variables come first'
expect_ok codexos run --timeout 30s -- sh -c 'true'
expect_eq "$(json .timeout_ms <<<"$(codexos --json run --timeout 30s --plan-only -- true)")" 30000
expect_eq "$(json .timeout_ms <<<"$(CODEXOS_TIMEOUT=7s codexos --json run --plan-only -- true)")" 7000
expect_eq "$(json .timeout_ms <<<"$(CODEXOS_TIMEOUT=7s codexos --json run --timeout 0 --plan-only -- true)")" 0
expect_error 125 "CODEXOS_TIMEOUT: 'soon' is not a time" env CODEXOS_TIMEOUT=soon codexos run -- true
expect_ok codexos run --show "$PWD/.env:ro" -- cat .env
expect_eq "$out" SECRET=1

step 'who said what'
expect_ok codexos policy show
expect_match "$out" "timeout: '5s' +# $config"
expect_match "$out" "in force: +$config"
expect_match "$out" "absent: +$PWD/.codexos.yaml"
CODEXOS_TIMEOUT=7s expect_ok codexos policy show
expect_match "$out" "timeout: '7s' +# CODEXOS_TIMEOUT"
codexos policy show >"$TMPDIR/p.yaml"
expect_ok codexos policy check "$TMPDIR/p.yaml"
expect_ok codexos policy show "$id"
expect_has "$out" "- MY_TOKEN"

step 'profiles'
cat >>"$config" <<'END'
profiles:
  fast:
    limits: {timeout: 1s}
END
expect_eq "$(json .timeout_ms <<<"$(codexos --json run --profile fast --plan-only -- true)")" 1000
expect_eq "$(json .timeout_ms <<<"$(CODEXOS_PROFILE=fast codexos --json run --plan-only -- true)")" 1000
expect_eq "$(json .timeout_ms <<<"$(CODEXOS_PROFILE=fast codexos --json run --profile default --plan-only -- true)")" 5000
expect_error 125 'there is no profile fats' codexos run --profile fats -- true
expect_has "$err" 'profiles: fast'

step 'a policy that is given takes the place of the files, and options can only narrow it'
printf 'hide: [keys]\nlimits: {timeout: 10s}\n' >"$TMPDIR/given.yaml"
expect_ok codexos run --policy "$TMPDIR/given.yaml" -- sh -c 'cat .env; ls keys | wc -l; echo "<$MY_TOKEN>"; ls ~/data 2>&1 | tail -c 3'
expect_has "$out" $'SECRET=1\n0\n<>'
expect_eq "$(json .timeout_ms <<<"$(codexos --json run --policy "$TMPDIR/given.yaml" --timeout 3s --plan-only -- true)")" 3000
expect_error 125 "--timeout 20s: timeout: 20s goes beyond what $TMPDIR/given.yaml allows" codexos run --policy "$TMPDIR/given.yaml" --timeout 20s -- true
expect_error 125 "goes beyond what $TMPDIR/given.yaml allows" codexos run --policy "$TMPDIR/given.yaml" --show ~/data -- true
expect_error 125 "goes beyond what $TMPDIR/given.yaml allows" codexos run --policy "$TMPDIR/given.yaml" --seccomp nested -- true
expect_ok codexos run --policy "$TMPDIR/given.yaml" -e A=b -- sh -c 'echo "$A"'
expect_eq "$out" b
expect_ok env CODEXOS_POLICY="$TMPDIR/given.yaml" codexos run -- sh -c 'cat .env'
expect_error 125 'there is no such file' codexos run --policy "$TMPDIR/none.yaml" -- true

step 'what a policy protects is not applied without consent'
printf 'protect: [deploy.sh, ci/release]\n' >"$config"
codexos run -- sh -c 'echo x >deploy.sh; mkdir -p a/ci; echo x >a/ci/release; echo x >plain' 2>/dev/null
expect_code 4 codexos apply
expect_has "$out$err" deploy.sh
expect_has "$out$err" a/ci/release
expect_no_file plain
expect_ok codexos apply --skip-protected
expect_file plain
expect_no_file deploy.sh

step 'a file that changes counts at once'
printf 'limits: {timeout: 9s}\n' >"$config"
expect_eq "$(json .timeout_ms <<<"$(codexos --json run --plan-only -- true)")" 9000
printf 'limits: {timeout: 8s}\n' >"$config.new" && mv "$config.new" "$config"
expect_eq "$(json .timeout_ms <<<"$(codexos --json run --plan-only -- true)")" 8000
rm "$config"
expect_eq "$(json .timeout_ms <<<"$(codexos --json run --plan-only -- true)")" 0
mkdir -p "$TMPDIR/xdg/codexos" && printf 'limits: {timeout: 6s}\n' >"$TMPDIR/xdg/codexos/config.yaml"
expect_eq "$(json .timeout_ms <<<"$(XDG_CONFIG_HOME=$TMPDIR/xdg codexos --json run --plan-only -- true)")" 6000
expect_eq "$(json .timeout_ms <<<"$(codexos --json run --plan-only -- true)")" 0

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Nothing goes beyond the ceiling of /etc/codexos/config.yaml: no file, no variable, no option.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

is_root || skip 'needs root: a mount namespace with an /etc/codexos of its own'
if [ -z "${IN_OWN_MOUNTS:-}" ]; then
  unshare -m true 2>/dev/null || skip 'mount namespaces cannot be made here'
  # The test again, with an /etc that only it and its daemon see.
  exec env IN_OWN_MOUNTS=1 SCRATCH="$SCRATCH" unshare -m --propagation private "${BASH_SOURCE[0]}"
fi
mkdir -p "$SCRATCH/etc/upper" "$SCRATCH/etc/work"
mount -t tmpfs none "$SCRATCH/etc"
mkdir -p "$SCRATCH/etc/upper" "$SCRATCH/etc/work"
mount -t overlay -o "lowerdir=/etc,upperdir=$SCRATCH/etc/upper,workdir=$SCRATCH/etc/work" none /etc 2>/dev/null || skip 'there is no overlay for /etc here'
mkdir -p /etc/codexos ~/.config/codexos ~/data && echo treasure >~/data/file
etc=/etc/codexos/config.yaml
cat >"$etc" <<'END'
limits: {timeout: 20m}
ceiling:
  seccomp: default
  limits: {timeout: 30m}
  show: [/opt, ~/allowed]
  hide: [secret.txt]
  env: [GOOD]
END
chmod 644 "$etc"
repo
echo s >secret.txt
export GOOD=1 BAD=2
timeout_of() { codexos --json run --plan-only "$@" -- true 2>/dev/null | json .timeout_ms; }

step 'its settings are the lowest rank, its ceiling the highest'
expect_eq "$(timeout_of)" 1200000
expect_eq "$(timeout_of --timeout 30m)" 1800000
for bad in '--timeout 31m' '--timeout 0' '--seccomp nested' "--show $HOME/data" '-e BAD=1'; do
  read -ra words <<<"$bad"
  expect_error 125 "goes beyond what $etc allows" codexos run "${words[@]}" -- true
  expect_has "$err" "${words[*]:0:1}"
done
expect_error 125 "CODEXOS_TIMEOUT: timeout: 2h goes beyond what $etc allows" env CODEXOS_TIMEOUT=2h codexos run -- true
expect_ok codexos run -e GOOD=x -- sh -c 'cat secret.txt; echo "$GOOD"'
expect_eq "$out" x
expect_error 125 "goes beyond what $etc allows" codexos run --show "$PWD/secret.txt" -- true

step "the user's file, a trusted project and a given policy do not exceed it"
printf 'limits: {timeout: 2h}\nshow: [~/data]\nenv: [GOOD, BAD]\nceiling: {seccomp: nested}\n' >~/.config/codexos/config.yaml
expect_ok codexos run -- sh -c 'cat ~/data/file 2>/dev/null; echo "$GOOD<$BAD>"'
expect_eq "$out" '1<>'
expect_has "$err" "$HOME/.config/codexos/config.yaml: timeout: 2h goes beyond the ceiling of $etc and is left out"
expect_eq "$(timeout_of)" 1800000
printf 'seccomp: nested\n' >.codexos.yaml
codexos trust >/dev/null
expect_eq "$(codexos --json run --plan-only -- true 2>/dev/null | json .seccomp)" default
printf 'limits: {timeout: 3h}\n' >~/given.yaml
expect_error 125 "goes beyond what $etc allows" codexos run --policy ~/given.yaml -- true
expect_ok codexos policy show
expect_has "$out" "goes beyond the ceiling of $etc"

step 'one that others could have written stops everything'
chmod 666 "$etc"
expect_error 125 'others can write to it' codexos run -- true
chmod 644 "$etc"; chown 12345 "$etc"
expect_error 125 'belongs to another user' codexos run -- true
chown 0 "$etc"; printf 'ceeling: {}\n' >"$etc"
expect_error 125 "$etc:1: unknown field" codexos run -- true

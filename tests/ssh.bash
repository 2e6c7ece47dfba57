# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# An SSH agent of the user's with two keys, "ada@laptop" and "other", and servers that give out git repositories
# to the first. To be sourced after lib.sh, instead of network.bash.

for program in ssh ssh-agent ssh-add ssh-keygen; do command -v "$program" >/dev/null || skip "needs $program"; done
python3 -W ignore -c 'import asyncssh' 2>/dev/null || skip 'needs python3-asyncssh'
# shellcheck source=tests/network.bash
. "$TESTS/network.bash"
mkdir -p "$HOME/.ssh" && chmod 700 "$HOME/.ssh"
ssh-keygen -q -t ed25519 -N '' -C ada@laptop -f "$HOME/.ssh/id_ed25519"
ssh-keygen -q -t ecdsa -N '' -C other -f "$SCRATCH/other"
ssh-agent -D -a "$SCRATCH/agent" >/dev/null &
started+=($!)
export SSH_AUTH_SOCK=$SCRATCH/agent
wait_until 10 test -S "$SSH_AUTH_SOCK"
ssh-add -q "$HOME/.ssh/id_ed25519" "$SCRATCH/other" 2>/dev/null
# ssh_server NAME [KIND [HOST]]: one with a key of that kind, which the user knows as HOST; its port is then in
# PORT_NAME.
ssh_server() {
  python3 -W ignore "$TESTS/integration/fixtures/git_ssh.py" "$HOME/.ssh/id_ed25519.pub" "$NET/ssh.$1" "${2:-ssh-ed25519}" 2>>"$NET/ssh.log" &
  started+=($!)
  wait_until 60 test -e "$NET/ssh.$1"
  printf -v "PORT_$1" %s "$(cat "$NET/ssh.$1")"
  printf '[%s]:%s %s\n' "${3:-good.test}" "$(cat "$NET/ssh.$1")" "$(cat "$NET/ssh.$1.key")" >>"$HOME/.ssh/known_hosts"
}
# signed TASK: "fingerprint host user" of each signature; refused TASK: why each that was not made was not.
signed() { net_events "$1" secret.used '[.what, .secret, .target, .detail] | join(" ")' | tr -d '"'; }
refused() { net_events "$1" denied 'select(.what == "ssh-key") | .detail' | tr -d '"'; }

# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A server that secrets are used against (fixtures/secrets_upstream.py), which the daemon trusts, and a secret
# `key` that is bound to it. To be sourced after lib.sh, instead of network.bash.

# shellcheck source=tests/trusted_network.bash
. "$TESTS/trusted_network.bash"
python3 "$TESTS/integration/fixtures/secrets_upstream.py" "$NET" >"$NET/upstream.log" 2>&1 &
started+=($!)
wait_until 20 test -e "$NET/upstream.ports"
# shellcheck source=/dev/null
. "$NET/upstream.ports"
: "${echo_tls:?}" "${wrong_name:?}" "${unknown_ca:?}" "${echo_http:?}"
touch "$NET/asked.log"
export URL=https://good.test:$echo_tls
SECRET=s3cret-value-0123456789abcdef
# set_secret NAME OPTIONS...: with the value above.
set_secret() {
  local name=$1
  shift
  printf %s "$SECRET" | codexos secret set "$name" "$@" >/dev/null
}
set_secret key --host "good.test:$echo_tls,private" --env KEY
# eval_agent: a program `fake-agent` whose job is a shell script.
eval_agent() {
  mkdir -p ~/.local/bin ~/.config/codexos/agents ~/.fake
  printf '#!/bin/sh\neval "$1"\n' >~/.local/bin/fake-agent
  chmod +x ~/.local/bin/fake-agent
}
# fake_preset HOSTS: its preset, for a list of hosts in YAML; the rest of it is read from stdin.
fake_preset() {
  cat - >"$TMPDIR/preset.rest"
  cat - "$TMPDIR/preset.rest" >~/.config/codexos/agents/fake.yaml <<YAML
name: fake
program: fake-agent
places: [~/.local/bin]
job: ["{program}", "{prompt}"]
folders: [.fake]
hosts: $1
YAML
}
# asked [JQ]: the last request that a server got.
asked() { tail -n 1 "$NET/asked.log" | jq -r "${1:-.}"; }
header() { asked "[.headers[] | select(.[0] == \"$1\") | .[1]] | join(\" AND \")"; }
# told TASK: "type what detail" of what happened to secrets.
told() { codexos --json events "$1" | jq -r 'select(.secret) | [.type, .what // "", .secret, .detail // ""] | join(" ")'; }

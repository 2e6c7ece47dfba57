# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# An internet for tests of the network (fixtures/servers.py), and a daemon that resolves names by it.
# To be sourced after lib.sh. Names below .test lead to the host's loopback, so rules need ",private".

for program in python3 openssl; do command -v "$program" >/dev/null || skip "needs $program"; done
NET=$SCRATCH/net
mkdir -p "$NET/www"
python3 "$TESTS/integration/fixtures/servers.py" "$NET" >"$NET/log" 2>&1 &
started+=($!)
wait_until 20 test -e "$NET/ports"
# shellcheck source=/dev/null
. "$NET/ports"
: "${dns:?}" "${http:?}" "${https:?}" "${echo:?}"
touch "$NET/dns.log" "$NET/http.log"
export CODEXOS_RESOLVER=127.0.0.1:$dns
codexos daemon start >/dev/null

# events TASK TYPE [JQ]: the task's events of a type, a line each.
net_events() { codexos --json events "$1" | jq -c "select(.type == \"$2\") | ${3:-.}"; }
# denied TASK: "what target port" of each refusal.
denied() { net_events "$1" denied '[.what, .target, (.port // 0 | tostring)] | join(" ")' | tr -d '"'; }
# run_net NAME OPTIONS -- COMMAND: a task with this name; its output is in $out and $err, its code in $code.
run_net() {
  local name=$1
  shift
  run_captured codexos run --name "$name" "$@"
}
reached_http() { grep -qF -- "$1" "$NET/http.log"; }

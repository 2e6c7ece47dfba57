#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the model gateway costs: small exchanges a second from inside a task against a provider on this machine, the
# latency that it adds to a direct connection, and 500 streams at once; and what Portkey's gateway, from npm, does of
# the same, without budgets, records, or a task around it. With BENCH_STRICT=1 a promise that is missed is a failure.
# timeout: 240
# alone
# shellcheck source=tests/bench/figures.bash
. "$(dirname "${BASH_SOURCE[0]}")/figures.bash"
# shellcheck source=tests/npm.bash
. "$TESTS/npm.bash"

work
load=$CODEXOS_BIN/bench-models
cp "$load" model_load
"$load" serve "$SCRATCH/port" &
started+=($!)
wait_until 10 test -s "$SCRATCH/port"
port=$(cat "$SCRATCH/port")
mkdir -p ~/.config/codexos
cat >~/.config/codexos/providers.yaml <<Y
providers: [{name: local, wires: [openai], base_url: "http://127.0.0.1:$port/v1", models: [m], max_concurrent: 1000, prices: [{model: m, input: 1, output: 1}]}]
Y
inside() { codexos run --allow llm.codexos.internal -- ./model_load "$@"; }

read -r _ direct _ < <("$load" ask 127.0.0.1 "$port" 1 3)
read -r _ ours p95 < <(inside ask llm.codexos.internal 80 1 3)
tell 'one after the other, added p50, ms' "$(awk "BEGIN { printf \"%.3f\", $ours - $direct }")" '<=' 0.5 \
  "$ours against $direct ms; p95 $p95 ms"
read -r straight _ < <("$load" ask 127.0.0.1 "$port" 32 3)
read -r rate p50 p95 < <(inside ask llm.codexos.internal 80 32 5)
tell 'exchanges a second, 32 connections' "$rate" '>=' 2000 "direct: $straight; p50 $p50, p95 $p95 ms"
read_portkey() { # read_portkey CONNECTIONS: rate, p50 and p95
  "$load" ask 127.0.0.1 "$other" "$1" 3 'x-portkey-provider: openai' 'authorization: Bearer none' "x-portkey-custom-host: http://127.0.0.1:$port/v1"
}
# What it is worth next to another one, where npm can fetch it.
if portkey=$(needs_npm 18 portkey && npm_modules @portkey-ai/gateway@1.15.2 && echo "$modules"); then
  other=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  TRUSTED_CUSTOM_HOSTS=127.0.0.1 node "$portkey/node_modules/@portkey-ai/gateway/build/start-server.js" --headless --port="$other" >"$TMPDIR/portkey.log" 2>&1 &
  started+=($!)
  wait_until 30 eval 'curl -sS -m 1 -o /dev/null "http://127.0.0.1:$other/" 2>/dev/null'
  read_portkey 1 >/dev/null
  read -r _ theirs _ < <(read_portkey 1)
  tell "added p50, ratio to Portkey's" "$(awk "BEGIN { printf \"%.2f\", ($ours - $direct) / ($theirs - $direct) }")" '<=' 1 "$theirs ms"
  read -r theirs p50 p95 < <(read_portkey 32)
  tell "exchanges a second, times Portkey's" "$(awk "BEGIN { printf \"%.1f\", $rate / $theirs }")" '>=' 1 "$theirs; p50 $p50, p95 $p95 ms"
fi
inside streams llm.codexos.internal 80 500 >figures # to its end: else the test's end would cut it off
read -r whole most <figures
tell 'streams at once' "$most" '>=' 500 "$whole of 500 came to their end"
all_told

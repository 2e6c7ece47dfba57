#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the model gateway costs: small exchanges a second from inside a task against a provider on this machine, the
# latency that it adds to a direct connection, and 500 streams at once. With BENCH_STRICT=1 a promise that is missed
# is a failure.
# timeout: 120
# alone
# shellcheck source=tests/bench/figures.bash
. "$(dirname "${BASH_SOURCE[0]}")/figures.bash"

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
read -r direct _ < <("$load" ask 127.0.0.1 "$port" 32 3)
read -r rate p50 p95 < <(inside ask llm.codexos.internal 80 32 5)
tell 'exchanges a second, 32 connections' "$rate" '>=' 2000 "direct: $direct; p50 $p50, p95 $p95 ms"
read -r whole most < <(inside streams llm.codexos.internal 80 500)
tell 'streams at once' "$most" '>=' 500 "$whole of 500 came to their end"
all_told

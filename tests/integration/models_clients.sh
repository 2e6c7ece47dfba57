#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The official clients from npm, unchanged, through the model gateway: whole and streamed answers, tool calls,
# errors, embeddings, broken streams.
# needs: node npm
# timeout: 420
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/npm.bash
. "$TESTS/npm.bash"
needs_npm 20 openai
npm_modules openai@6.30.1 @anthropic-ai/sdk@1.14.0
work
mkdir -p ~/.config/codexos
cat >~/.config/codexos/providers.yaml <<'Y'
providers: [{name: demo, wires: [scripted], models: ["*"], script: script.yaml}]
Y
cat >~/.config/codexos/script.yaml <<'Y'
rules:
  - {match: {user: fail}, fault: {status: 402, message: used up}}
  - {match: {user: later}, reply: At last., fault: {status: 529, retry_after: 0, times: 1}}
  - {match: {user: cut}, reply: one two three four, fault: {cut_after: 3}}
  - {match: {user: tool}, reply: I call., calls: [{name: look, arguments: '{"what":"ä sky"}'}, {name: look, arguments: '{}'}]}
turns: [{reply: Hello there., usage: {input: 30, cached_input: 10, output: 5}}]
Y
cp "$TESTS/integration/fixtures/model_clients.mjs" .
run_captured codexos run --allow llm.codexos.internal --show "$modules" -e NODE_PATH="$modules/node_modules" -- node model_clients.mjs "$modules"
expect_eq "$code" 0 "$out $err"
expect_has "$out" 'all is well'

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The unit tests of what has threads (the relay, workers, mailboxes, the server beside them), with
# ThreadSanitizer.
# needs: g++ cmake ninja
# timeout: 1800
# long
# alone
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

dir=$LINT_CACHE/threads
mkdir -p "$dir"
{ cmake -S "$ROOT" -B "$dir" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCODEXOS_TSAN=ON -DCMAKE_UNITY_BUILD=ON && ninja -C "$dir" codexos-unit; } >"$dir/log" 2>&1 ||
  { tail -n 40 "$dir/log"; fail 'the build with ThreadSanitizer'; }
TSAN_OPTIONS=halt_on_error=1 setarch -R "$dir/bin/codexos-unit" -sf='*egress*,*os/*,*tasks/*,*api/*,*workspace/*'

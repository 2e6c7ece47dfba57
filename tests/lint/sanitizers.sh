#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The unit tests, with AddressSanitizer and UndefinedBehaviorSanitizer.
# needs: g++ cmake ninja
# timeout: 1800
# long
# alone
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

dir=$LINT_CACHE/sanitize
mkdir -p "$dir"
{ cmake -S "$ROOT" -B "$dir" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCODEXOS_SANITIZE=ON -DCMAKE_UNITY_BUILD=ON && ninja -C "$dir" codexos-unit; } >"$dir/log" 2>&1 ||
  { tail -n 40 "$dir/log"; fail 'the sanitizer build'; }
UBSAN_OPTIONS=print_stacktrace=1 "$dir/bin/codexos-unit"

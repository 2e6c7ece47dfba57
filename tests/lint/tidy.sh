#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy finds nothing by .clang-tidy; a source whose text did not change is not looked at again.
# needs: clang-tidy clang++ cmake ninja
# timeout: 2400
# long
# alone
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

dir=$LINT_CACHE/tidy
mkdir -p "$dir"
cmake -S "$ROOT" -B "$dir" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_CXX_COMPILER_LAUNCHER= >"$dir/log" 2>&1 ||
  { cat "$dir/log"; fail 'cmake for clang-tidy'; }
config=$(sha256sum <"$ROOT/.clang-tidy")
jq -r '.[] | select(.file | test("/tests/") | not) | [.directory, .file, .command] | @tsv' "$dir/compile_commands.json" |
  CHECKED=$dir/checked CONFIG=$config DIR=$dir xargs -d '\n' -P "$(nproc)" -n 1 bash -c '
    IFS="	" read -r directory file command <<<"$1"
    cd "$directory" || exit 255
    command=$(sed "s/ -o [^ ]*//; s/ -MD//; s/ -MT [^ ]*//; s/ -MF [^ ]*//; s/ -c / /" <<<"$command")
    sum=$({ printf "%s" "$CONFIG"; eval "$command -E" 2>/dev/null; } | sha256sum | cut -c1-40)
    mkdir -p "$CHECKED"
    [ -e "$CHECKED/$sum" ] && exit 0
    clang-tidy --quiet -p "$DIR" "$file" 2>/dev/null && touch "$CHECKED/$sum"' _ ||
  fail 'clang-tidy found something'

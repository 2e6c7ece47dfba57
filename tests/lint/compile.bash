# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# check_with COMPILER NAME [CMAKE-OPTION...]: every source, with the project's own flags, by another compiler:
# warnings are errors. Only the syntax and the types; no code is made. It takes what other tests leave of the
# processors.
check_with() {
  local compiler=$1 dir=$LINT_CACHE/$2
  shift 2
  mkdir -p "$dir"
  cmake -S "$ROOT" -B "$dir" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_COMPILER_LAUNCHER= "$@" >"$dir/log" 2>&1 ||
    { cat "$dir/log"; fail "cmake with $compiler"; }
  # A source whose text after the preprocessor was good before is not looked at again.
  jq -r '.[] | [.directory, .command] | @tsv' "$dir/compile_commands.json" |
    CHECKED=$dir/checked nice -n 10 xargs -d '\n' -P "$(nproc)" -n 1 bash -c '
      cd "${1%%	*}" || exit 255
      command=$(sed "s/ -o [^ ]*//; s/ -MD//; s/ -MT [^ ]*//; s/ -MF [^ ]*//; s/ -c / /" <<<"${1#*	}")
      sum=$(eval "$command -E" 2>/dev/null | sha256sum | cut -c1-40) || exit 255
      mkdir -p "$CHECKED"
      [ -e "$CHECKED/$sum" ] && exit 0
      eval "$command -fsyntax-only" && touch "$CHECKED/$sum"' _ ||
    fail "$compiler is not content"
}

# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Figures beside their promises. With BENCH_STRICT=1 a promise that is missed is a failure, at the end.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

need_bwrap() {
  (cd "$TESTS/bench" && python3 -Bc 'import subprocess, programs; subprocess.run(programs.BWRAP + ["/bin/true"], check=True)') 2>/dev/null ||
    skip 'bwrap does not work here'
}

missed=0
tell() { # tell WHAT VALUE OP PROMISE DETAIL
  local held=held
  awk "BEGIN { exit !($2 $3 $4) }" || { held=MISSED; missed=1; }
  printf '%-44s %8s  (promised %s %s: %s)  %s\n' "$1" "$2" "$3" "$4" "$held" "${5:-}"
}
all_told() {
  [ "${BENCH_STRICT:-0}" = 0 ] || [ $missed = 0 ] || fail 'a promise was missed'
}

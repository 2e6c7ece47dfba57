#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A read of the vault, in the process that has it open. Prints the figure beside the promise; with BENCH_STRICT=1 a
# promise that is missed is a failure.
# timeout: 120
# alone
# shellcheck source=tests/bench/figures.bash
. "$(dirname "${BASH_SOURCE[0]}")/figures.bash"

mkdir -p "$SCRATCH/vault"
read -r median p99 < <("$CODEXOS_BIN/bench-vault" "$SCRATCH/vault")
tell 'a read of the vault, us' "$median" '<=' 50 "median of 20,000 over 100 secrets, p99 $p99 us"
all_told

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What runs before the C library (cli/early.cc) needs nothing of it: the object asks for `_start` and a
# constant, has no thread-local data and no constructors, and the program begins there.
# needs: nm readelf
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

program=$CODEXOS_BIN/codexos
object=$(find "$CODEXOS_BIN/../cli" -name 'early.cc.o' 2>/dev/null | head -n 1)
at=$(nm "$program" 2>/dev/null | awk '$3 == "codexos_entry" { print $1 }')
if [ -z "$object" ] || [ -z "$at" ]; then skip 'this build has no entry of its own, or no object files'; fi

step 'the program begins there'
entry=$(readelf -hW "$program" | awk '/Entry point/ { print $NF }')
expect_eq $((entry)) $((16#$at)) 'the entry point'

step 'it needs nobody'
expect_eq "$(nm -uC "$object" | awk '{ print $2 }' | LC_ALL=C sort)" $'_start\ncodexos::kVersion' 'symbols from elsewhere'
expect_eq "$(nm "$object" | awk 'NF == 3 && $2 ~ /[iI]/')" '' 'functions that are chosen at the start (IFUNC)'
expect_eq "$(readelf -SW "$object" | grep -E '\.t(data|bss)|\.init_array|\.ctors' || true)" '' 'thread-local data, constructors'

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Reads of the API, as many as one connection, 64 and 1,000 get answered; writes, each on the disk before its answer. Prints the figures beside the promises;
# with BENCH_STRICT=1 a promise that is missed is a failure. The client takes its part of the two processors.
# timeout: 120
# alone
# shellcheck source=tests/bench/figures.bash
. "$(dirname "${BASH_SOURCE[0]}")/figures.bash"

work
expect_ok codexos run --name one -- true
socket=$(codexos --json daemon status | json .socket)
load() { "$CODEXOS_BIN/bench-api" "$socket" "$1" "$2" "${BENCH_SECONDS:-2}" "${@:3}"; }

read -r rate median _ < <(load /v1/tasks/one 1)
tell 'one connection, answers a second' "$rate" '>=' 5000 "median $median ms"
read -r rate median p95 < <(load /v1/tasks/one 64)
tell '64 connections, a task, answers a second' "$rate" '>=' 20000 "median $median ms, p95 $p95 ms"
read -r rate _ _ < <(load /v1/health 64)
tell '64 connections, health, answers a second' "$rate" '>=' 20000
read -r rate median p95 < <(load /v1/tasks/one 1000)
tell '1,000 connections, p95 of an answer, ms' "$p95" '<' 100 "$rate a second, median $median ms"
# Each is a row of the task and one of its events.
expect_ok codexos run -d --name writes --allow one.example -- sleep 1000
read -r rate median p95 < <(load /v1/tasks/writes/net 64 '{"allow":["two.example"]}')
tell '64 connections, durable writes of a task, a second' "$rate" '>=' 5000 "median $median ms, p95 $p95 ms"
events=$(codexos --json events writes | grep -c net.changed)
[ "$events" -ge 100 ] || fail "$events events were written"
all_told

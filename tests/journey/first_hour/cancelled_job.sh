#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A cancelled CI job leaves nothing: whether the CLI gets TERM, KILL or its whole process group is
# killed, the task's processes end, its outcome is recorded, and no other task is touched.
# shellcheck source=tests/journey/home.sh
. "$(dirname "${BASH_SOURCE[0]}")/../home.sh"

home_gitconfig
home_project
codexos daemon start >/dev/null 2>&1
bystander=$(codexos run -d -- sleep 300)
mark=31.$$

# The program itself: the command line of the CLI that starts it names it too.
runs_inside() { pgrep -fx "sleep $1" >/dev/null; }

step 'TERM to the CLI reaches the program'
codexos run --name job-term -- sh -c "trap 'exit 9' TERM; sleep ${mark}1 & wait" &
pid=$!
wait_until 15 runs_inside "${mark}1"
kill -TERM $pid
code=0; wait $pid || code=$?
expect_eq "$code" 9
wait_until 15 no_processes_with "sleep ${mark}1"

step 'KILL of the CLI ends the task'
codexos run --name job-kill -- sleep "${mark}2" &
pid=$!
wait_until 15 runs_inside "${mark}2"
kill -KILL $pid
wait $pid 2>/dev/null || true
wait_until 15 no_processes_with "sleep ${mark}2"
wait_until 5 ended job-kill
expect_eq "$(field job-kill .cause)" owner_gone

step 'KILL of the job with all its processes, as a runner does'
setsid sh -c "codexos run --name job-group -- sh -c 'sleep ${mark}3 & sleep ${mark}3; true'; true" &
wait_until 15 runs_inside "${mark}3"
group=$(ps -o pgid= -p $! | xargs)
kill -KILL -- "-$group"
wait_until 15 no_processes_with "sleep ${mark}3"
wait_until 5 ended job-group

step 'a program that ignores TERM is killed after ten seconds'
codexos run --name job-deaf -- sh -c "trap '' TERM; while :; do sleep ${mark}4; done" &
pid=$!
wait_until 15 runs_inside "${mark}4"
kill -KILL $pid
wait $pid 2>/dev/null || true
wait_until 40 no_processes_with "sleep ${mark}4"  # ten, and a loaded machine
wait_until 5 ended job-deaf

expect_eq "$(field "$bystander" .state)" running 'a task of someone else'
expect_eq "$(codexos -q ps)" "$bystander" 'what still runs'

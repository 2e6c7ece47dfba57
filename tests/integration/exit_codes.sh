#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run, wait and exec exit as the program does; what CodexOS itself is the cause of is 125, and
# the cause in inspect tells a program's own 125 from it.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
for n in 0 1 2 7 42 100 124 125 126 127 128 137 255; do
  expect_code "$n" codexos run --name "code-$n" -- sh -c "exit $n"
  expect_eq "$(field "code-$n" .cause)" exited "cause of exit $n"
  expect_eq "$(field "code-$n" .exit_code)" "$n"
  expect_code "$n" codexos wait "code-$n"
done
expect_eq "$(field code-0 .state)" succeeded
expect_eq "$(field code-125 .state)" failed

step 'a signal is 128 + N'
for signal in HUP:129 INT:130 QUIT:131 ABRT:134 KILL:137 SEGV:139 TERM:143; do
  expect_code "${signal#*:}" codexos run --name "signal-${signal%:*}" -- sh -c "kill -${signal%:*} \$\$"
  expect_eq "$(field "signal-${signal%:*}" '.cause, .state' | xargs)" 'signaled failed' "$signal"
  expect_code "${signal#*:}" codexos wait "signal-${signal%:*}"
done

step 'not found is 127, not executable 126, by errno'
expect_error 127 'no-such-program' codexos run --name nf -- no-such-program
expect_eq "$(field nf .cause)" not_found
expect_error 127 '/no/such/program' codexos run -- /no/such/program
printf 'data\n' >plain.txt
expect_error 126 'plain.txt' codexos run --name ne -- ./plain.txt
expect_eq "$(field ne .cause)" not_executable
expect_error 126 '' codexos run -- /usr
printf '#!/no/such/interpreter\n' >script && chmod +x script
expect_error 127 '' codexos run -- ./script
printf 'echo without a first line\n' >noexec && chmod +x noexec
expect_ok codexos run -- ./noexec  # as every shell does

step 'stderr of a task that only failed is its own'
expect_code 3 codexos run -- sh -c 'exit 3'
expect_eq "$err" ''

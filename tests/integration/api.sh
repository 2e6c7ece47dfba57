#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The HTTP API by plain curl: tasks, problem documents, Idempotency-Key, cursors, streams with heartbeat fields; malformed requests.
# needs: curl python3
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

needs_curl
work
codexos daemon start >/dev/null 2>&1
pid=$(daemon_pid)
post() { api -o body -w '%{http_code} %{content_type}' -H 'Content-Type: application/json' "$@"; }
task='{"argv":["sh","-c","echo hello; exit 3"],"cwd":"'$PWD'"}'
step 'create, read, list'
expect_eq "$(post -d "$task" http://x/v1/tasks)" '201 application/json'
id=$(jq -r .id body)
expect_code 3 codexos wait "$id"
expect_eq "$(api "http://x/v1/tasks/$id" | jq -r .state)" failed
expect_eq "$(api http://x/v1/tasks?all=1 | jq -r '.tasks[0].id')" "$id"
expect_eq "$(api http://x/v1/status | jq -r .pid)" "$pid"
expect_eq "$(api http://x/v1/health | jq -r .ok)" true
step 'a relative --show starts from cwd'
mkdir -p "$HOME/beside" && echo shown >"$HOME/beside/f"
post -d '{"argv":["cat","'"$HOME"'/beside/f"],"cwd":"'"$PWD"'","show":["../beside"]}' http://x/v1/tasks >/dev/null
expect_ok codexos wait "$(jq -r .id body)"
expect_eq "$(codexos logs "$(jq -r .id body)")" shown
step 'Idempotency-Key'
first=$(api -H 'Idempotency-Key: k1' -d "$task" http://x/v1/tasks | jq -r .id)
second=$(api -H 'Idempotency-Key: k1' -d "$task" http://x/v1/tasks | jq -r .id)
expect_eq "$second" "$first"
expect_eq "$(post -H 'Idempotency-Key: k1' -d '{"argv":["true"],"cwd":"/tmp"}' http://x/v1/tasks | cut -d' ' -f1)" 409 'the same key with another body'
codexos daemon stop >/dev/null; codexos daemon start >/dev/null 2>&1; pid=$(daemon_pid)
expect_eq "$(api -H 'Idempotency-Key: k1' -d "$task" http://x/v1/tasks | jq -r .id)" "$first" 'after a restart'
step 'problem documents'
expect_eq "$(post -X PUT http://x/v1/tasks/nobody)" '405 application/problem+json'
expect_eq "$(api -o body -w '%{http_code} %{content_type}' http://x/v1/tasks/aaaaaaaaaaaa)" '404 application/problem+json'
expect_eq "$(jq -r .code body)" not_found
expect_match "$(jq -r .request_id body)" '.+'
expect_eq "$(post -d '{"argv":["true"],"cwd":"/tmp","mdoe":"direct"}' http://x/v1/tasks)" '400 application/problem+json'
expect_has "$(cat body)" mdoe 'the unknown field'
for bad in '' '{' '[]' '"x"' '{"argv":[]}' '{"argv":"true"}' '{"argv":["true"],"cwd":"relative"}' '{"argv":["true"],"cwd":"/tmp","mode":"x"}' '{"argv":["a\u0000b"],"cwd":"/tmp"}' '{"argv":["true"],"cwd":"/tmp","timeout_ms":-1}' '{"argv":["true"],"argv":["false"],"cwd":"/tmp"}'; do
  expect_match "$(post -d "$bad" http://x/v1/tasks)" '^4[0-9][0-9] application/problem' "body $bad"
done
expect_match "$(api -o body -w '%{http_code}' http://x/v1/nothing)" 404
expect_match "$(api -o body -w '%{http_code}' -X BREW http://x/v1/tasks)" '40[05]|501'
step 'malformed HTTP'
raw() { python3 -c 'import os, socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(os.environ["CODEXOS_HOME"] + "/codexosd.sock")
try:
    s.sendall(sys.stdin.buffer.read()); s.shutdown(socket.SHUT_WR)
    print(s.recv(65536).split(b"\r\n")[0].decode("latin-1"))
except OSError as e: print("closed")'; }
for text in 'nonsense\r\n\r\n' 'GET\r\n\r\n' 'GET /v1/status HTTP/9.9\r\n\r\n' 'GET /v1/status HTTP/1.1\r\nContent-Length: -5\r\n\r\n' 'POST /v1/tasks HTTP/1.1\r\nContent-Length: 999999999999999\r\n\r\n' 'POST /v1/tasks HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n' 'POST /v1/tasks HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n' 'GET /v1/%zz HTTP/1.1\r\n\r\n' '\000\001\002\003' '\r\n\r\n\r\n'; do
  answer=$(printf %b "$text" | raw)
  expect_match "$answer" '^(HTTP/1\.[01] [45][0-9][0-9].*|closed|)$' "answer to $text"
done
head -c 300000 /dev/zero | tr '\0' a | raw >/dev/null
{ printf 'GET /v1/status HTTP/1.1\r\n'; for i in $(seq 5000); do printf 'H%d: x\r\n' "$i"; done; printf '\r\n'; } | raw >/dev/null
step 'a connection that sends nothing, and one that stops midway, hold nobody up'
python3 -c 'import os, socket, time
c = []
for i in range(50):
    s = socket.socket(socket.AF_UNIX); s.connect(os.environ["CODEXOS_HOME"] + "/codexosd.sock")
    if i % 2: s.send(b"POST /v1/tasks HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
    c.append(s)
time.sleep(6)' &
started+=($!)
expect_ok timeout 5 codexos ps
step 'keep-alive and pipelining'
expect_eq "$(printf 'GET /v1/version HTTP/1.1\r\nHost: x\r\n\r\nGET /v1/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' | python3 -c 'import os, socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(os.environ["CODEXOS_HOME"] + "/codexosd.sock")
s.sendall(sys.stdin.buffer.read()); data = b""
while True:
    d = s.recv(65536)
    if not d: break
    data += d
print(data.count(b"HTTP/1.1 200"))')" 2
step 'streams'
codexos run -d --name st -- sh -c 'sleep 1; exit 2' >/dev/null
expect_eq "$(api -N "http://x/v1/tasks/st/events?since=0&follow=1" | jq -s -r 'map(select(.seq))|.[-1].type')" task.ended
step 'the daemon is the same'
expect_eq "$(daemon_pid)" "$pid"

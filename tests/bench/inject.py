#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# inject.py serve DIR: a small fast HTTPS server with DIR/both.pem; its port goes to DIR/bench.port.
# inject.py HOST PORT CAFILE N: medians in microseconds of a new connection with one request, and of a request on
# a connection that is there. KEY in the environment goes into the Authorization header.
import os
import socket
import ssl
import statistics
import sys
import threading
import time


def serve(directory):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory + '/both.pem', directory + '/both.key')
    listener = socket.create_server(('127.0.0.1', 0), backlog=256)
    with open(directory + '/bench.port', 'w', encoding='ascii') as f:
        f.write(str(listener.getsockname()[1]))

    def answer(s):
        try:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            s = context.wrap_socket(s, server_side=True)
            while s.recv(65536):
                s.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n')
        except OSError:
            pass
        s.close()
    while True:
        threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()


if sys.argv[1] == 'serve':
    serve(sys.argv[2])

host, port, n = sys.argv[1], int(sys.argv[2]), int(sys.argv[4])
context = ssl.create_default_context(cafile=sys.argv[3] or None)
request = f'GET /x HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {os.environ.get("KEY", "none-of-your-business")}\r\n\r\n'.encode()


def connect():
    s = socket.create_connection((host, port))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(s, server_hostname=host)


def ask(s):
    s.sendall(request)
    got = b''
    while b'\r\n\r\n' not in got or not got.endswith(b'\n'):
        got += s.recv(65536)


def timed(f):
    began = time.perf_counter()
    f()
    return (time.perf_counter() - began) * 1e6


def fresh():
    with connect() as s:
        ask(s)


fresh()
new = [timed(fresh) for _ in range(n)]
with connect() as s:
    reused = [timed(lambda: ask(s)) for _ in range(int(os.environ.get('REUSE') or 5 * n))]
print(f'{statistics.median(new):.0f} {statistics.median(reused):.0f}')

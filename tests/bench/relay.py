#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Both ends of what the relay carries; the same client runs outside, directly, and inside a task.

    relay.py serve FILE             writes its port to FILE; a client's first byte says what it wants
    relay.py get HOST PORT MIB      MiB a second of one stream
    relay.py first HOST PORT N      median milliseconds: to look up the name; from connect to the first byte
    relay.py hold HOST PORT N       opens N connections, proves that each works, prints `held`, waits for stdin
"""
import socket, socketserver, statistics, sys, time

PIECE = memoryview(bytes(1 << 20))


class Server(socketserver.BaseRequestHandler):
    def handle(self):
        s = self.request
        s.sendall(b"!")
        while True:
            want = s.recv(1)
            if want == b"g":
                count = int.from_bytes(s.recv(4, socket.MSG_WAITALL), "big")
                for _ in range(count):
                    s.sendall(PIECE)
            elif want:
                s.sendall(want)
            else:
                return


class Threads(socketserver.ThreadingTCPServer):
    daemon_threads, allow_reuse_address, request_queue_size = True, True, 2048


def connect(host, port):
    s = socket.create_connection((host, int(port)), 30)
    if s.recv(1) != b"!":
        sys.exit("no greeting")
    return s


def get(host, port, mib):
    s, mib = connect(host, port), int(mib)
    room = bytearray(1 << 20)
    for count in (16, mib):  # the first warms up
        left, begin = count << 20, time.perf_counter()
        s.sendall(b"g" + count.to_bytes(4, "big"))
        while left:
            n = s.recv_into(room)
            if n == 0:
                sys.exit("cut")
            left -= n
    print(f"{mib / (time.perf_counter() - begin):.0f}")


def first(host, port, count):
    looked_up, took = [], []
    for _ in range(int(count)):
        begin = time.perf_counter()
        family, kind, _, _, address = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
        found = time.perf_counter()
        with socket.socket(family, kind) as s:
            s.connect(address)
            if s.recv(1) != b"!":
                sys.exit("no greeting")
            took.append(time.perf_counter() - found)
        looked_up.append(found - begin)
    print(*(f"{statistics.median(t) * 1000:.3f}" for t in (looked_up, took)))


def hold(host, port, count):
    held = [connect(host, port) for _ in range(int(count))]
    for s in held:
        s.sendall(b"e")
    for s in held:
        if s.recv(1) != b"e":
            sys.exit("no echo")
    print("held", flush=True)
    sys.stdin.read()


if sys.argv[1] == "serve":
    with Threads(("127.0.0.1", 0), Server) as server:
        with open(sys.argv[2], "w", encoding="ascii") as f:
            f.write(str(server.server_address[1]))
        server.serve_forever()
{"get": get, "first": first, "hold": hold}[sys.argv[1]](*sys.argv[2:])

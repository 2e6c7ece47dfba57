#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long a start takes, as a ratio to bubblewrap measured in the same run, turn by turn.

    start.py pairs N          medians of N pairs: codexos run -- /bin/true against bwrap ... /bin/true
    start.py clients N SECS   tasks a second with N clients at once, against bwrap
Every exit code is checked, also that of a program that fails: a start that failed early would be fast.
"""
import os, statistics, subprocess, sys, threading, time
from programs import BWRAP, CODEXOS

devnull = os.open("/dev/null", os.O_RDWR)


def resolve(argv):
    for folder in os.environ["PATH"].split(":"):
        if os.access(os.path.join(folder, argv[0]), os.X_OK):
            return [os.path.join(folder, argv[0])] + argv[1:]
    sys.exit(f"{argv[0]} is not on PATH")


def once(argv, wanted=0):
    """Seconds from spawn to exit."""
    actions = [(os.POSIX_SPAWN_DUP2, devnull, fd) for fd in (0, 1, 2)]
    begin = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=actions)
    _, status = os.waitpid(pid, 0)
    took = time.perf_counter() - begin
    code = os.waitstatus_to_exitcode(status)
    if code != wanted:
        sys.exit(f"exit {code} instead of {wanted}: {' '.join(argv)}")
    return took


def pairs(count):
    ours, theirs = resolve(CODEXOS), resolve(BWRAP)
    for _ in range(5):
        once(ours + ["/bin/true"])
        once(theirs + ["/bin/true"])
    a, b = [], []
    for i in range(count):
        # Which goes first alternates, so that neither always finds the caches warm.
        for which in ("ab", "ba")[i % 2]:
            (a if which == "a" else b).append(once((ours if which == "a" else theirs) + ["/bin/true"]))
        if i % 20 == 0:
            once(ours + ["/bin/sh", "-c", "exit 7"], 7)
            time.sleep(0.01)
    ratios = [x / y for x, y in zip(a, b)]
    print(f"{statistics.median(ratios):.3f} {statistics.median(a) * 1000:.2f} {statistics.median(b) * 1000:.2f} "
          f"{sorted(ratios)[int(len(ratios) * 0.9)]:.3f}")


def rate(argv, clients, seconds):
    done, end = [0] * clients, time.perf_counter() + seconds

    def client(n):
        while time.perf_counter() < end:
            once(argv)
            done[n] += 1

    threads = [threading.Thread(target=client, args=(n,)) for n in range(clients)]
    begin = time.perf_counter()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return sum(done) / (time.perf_counter() - begin)


def clients(count, seconds):
    ours, theirs = resolve(CODEXOS) + ["/bin/true"], resolve(BWRAP) + ["/bin/true"]
    turns = [(rate(ours, count, seconds / 4), rate(theirs, count, seconds / 4)) for _ in range(4)]
    a, b = (statistics.median(t[i] for t in turns) for i in (0, 1))
    print(f"{a / b:.3f} {a:.0f} {b:.0f}")


if sys.argv[1] == "pairs":
    pairs(int(sys.argv[2]))
else:
    clients(int(sys.argv[2]), float(sys.argv[3]))

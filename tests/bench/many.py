#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Parts of many.sh.

    many.py burst N           N at once, until the last has ended: bwrap's time / ours, and both in ms (medians of 5)
    many.py output FILE       cat FILE through a pipe: our MiB/s / bwrap's, and both (medians of 3)
    many.py median N COMMAND  milliseconds of COMMAND
    many.py fill DATABASE N   copies of the last ended task, until there are N more
"""
import os, sqlite3, statistics, subprocess, sys, time
from programs import BWRAP, CODEXOS



def seconds_of(command):
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def burst(count):
    def once(argv):
        begin = time.perf_counter()
        running = [subprocess.Popen(argv + ["/bin/true"], stdin=subprocess.DEVNULL) for _ in range(count)]
        if any(p.wait() != 0 for p in running):
            sys.exit(f"{argv[0]}: not all of them ended well")
        return time.perf_counter() - begin

    turns = [(once(CODEXOS), once(BWRAP)) for _ in range(5)]
    ours, theirs = (statistics.median(t[i] for t in turns) for i in (0, 1))
    print(f"{theirs / ours:.2f} {ours * 1000:.0f} {theirs * 1000:.0f}")


def output(path):
    size = os.path.getsize(path)

    def rate(argv):
        begin = time.perf_counter()
        program = subprocess.Popen(argv + ["cat", os.path.abspath(path)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        room, seen = bytearray(1 << 20), 0
        while n := program.stdout.readinto(room):
            seen += n
        if program.wait() != 0 or seen != size:
            sys.exit(f"{argv[0]}: {seen} bytes of {size}")
        return size / (1 << 20) / (time.perf_counter() - begin)

    turns = [(rate(CODEXOS), rate(BWRAP)) for _ in range(3)]
    ours, theirs = (statistics.median(t[i] for t in turns) for i in (0, 1))
    print(f"{ours / theirs:.2f} {ours:.0f} {theirs:.0f}")


def fill(path, count):
    db = sqlite3.connect(path)
    columns = [row[1] for row in db.execute("pragma table_info(task)") if row[1] != "n"]
    fresh = {"id": "printf('zz%010d', k.n)", "name": "''", "secret": "printf('%032d', k.n)"}
    values = ", ".join(fresh.get(c, f"task.{c}") for c in columns)
    with db:
        last = db.execute("select max(n) from task where ended_at_us <> 0").fetchone()[0]
        db.execute(
            f"with recursive k(n) as (select 1 union all select n + 1 from k where n < ?) "
            f"insert into task ({', '.join(columns)}) select {values} from k, task where task.n = ?",
            (count, last),
        )
        if db.execute("select count(*) from task").fetchone()[0] < count:
            sys.exit("no rows")


verb, *rest = sys.argv[1:]
if verb == "burst":
    burst(int(rest[0]))
elif verb == "output":
    output(rest[0])
elif verb == "fill":
    fill(rest[0], int(rest[1]))
else:
    print(f"{statistics.median(seconds_of(rest[1:]) for _ in range(int(rest[0]))) * 1000:.2f}")

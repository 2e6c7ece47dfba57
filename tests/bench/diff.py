#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Large work trees, and how long commands take in them, turn by turn.

    diff.py tree N                       N small files in folders of 100, in the current folder
    diff.py against N CMD... -- CMD...   medians in ms: the second's over the first's, first, second
    diff.py starts N DIR DIR             `codexos run -- /bin/true` in each folder: medians in ms: more, first, second
"""
import os, statistics, subprocess, sys, time


def tree(count):
    for i in range(count):
        folder = "d%d" % (i // 100)
        if i % 100 == 0:
            os.mkdir(folder)
        # f0 to f99 in each, so that dN/fN exists for N below 100.
        with open("%s/f%d" % (folder, i % 100), "w") as f:
            f.write("".join("line %d of file %d\n" % (k, i) for k in range(20)))


def once(argv, folder="."):
    begin = time.perf_counter()
    done = subprocess.run(argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    took = time.perf_counter() - begin
    if done.returncode != 0:
        sys.exit(f"exit {done.returncode}: {' '.join(argv)}: {done.stderr.decode()}")
    return took * 1000


def turns(count, first, second):
    for _ in range(3):
        first()
        second()
    a, b = [], []
    for i in range(count):
        # Which goes first alternates, so that neither always finds the caches warm.
        for which in ("ab", "ba")[i % 2]:
            (a if which == "a" else b).append((first if which == "a" else second)())
        time.sleep(0.005)
    return statistics.median(a), statistics.median(b)


if sys.argv[1] == "tree":
    tree(int(sys.argv[2]))
elif sys.argv[1] == "against":
    words = sys.argv[3:]
    cut = words.index("--")
    a, b = turns(int(sys.argv[2]), lambda: once(words[:cut]), lambda: once(words[cut + 1:]))
    print(f"{b / a:.1f} {a:.2f} {b:.2f}")
else:
    run = ["codexos", "run", "--", "/bin/true"]
    a, b = turns(int(sys.argv[2]), lambda: once(run, sys.argv[3]), lambda: once(run, sys.argv[4]))
    print(f"{a - b:.2f} {a:.2f} {b:.2f}")

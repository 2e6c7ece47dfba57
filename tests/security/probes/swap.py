# SPDX-License-Identifier: Apache-2.0
# An attacker on paths: exchanges entries of the current folder as fast as it can (renameat2(2) with
# RENAME_EXCHANGE, so that at every moment something is there), until STOP exists.
#   swap.py STOP BESIDE KIND...     BESIDE: a folder that nobody must get into, with a file `secret`
import ctypes
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
EXCHANGE = 2
stop, beside, kinds = os.fsencode(sys.argv[1]), os.fsencode(sys.argv[2]), sys.argv[3:]


def exchange(a, b):
    return libc.renameat2(-100, a, -100, b, EXCHANGE) == 0


def made(name, make):
    try:
        make(name)
    except OSError:
        pass
    return name


def hard_link(name):
    os.link(os.path.join(beside, b'secret'), name)


# What is exchanged for what. The first is the workspace's own.
PAIRS = {
    # a folder for a link out of the workspace, absolute and by ".."
    'folder-link': [(b'd', made(b'.x1', lambda n: os.symlink(beside, n)))],
    'folder-dots': [(b'd', made(b'.x2', lambda n: os.symlink(b'../' + os.path.basename(beside), n)))],
    # a file for a link to a file outside, and for a name of that very file
    'file-link': [(b'd/f%d' % n, made(b'.y%d' % n, lambda n: os.symlink(beside + b'/secret', n))) for n in range(1, 6)],
    'file-hard': [(b'd/f%d' % n, made(b'.z%d' % n, hard_link)) for n in range(6, 11)],
    # a file for a folder, and a folder deep in the tree for a link to the top
    'kinds': [(b'd/f11', made(b'.k', os.mkdir)), (b'd/deep', made(b'.l', lambda n: os.symlink(b'..', n)))],
}
while not os.path.exists(stop):
    for kind in kinds:
        if kind == 'away':  # the folder moves out of its place and back
            try:
                os.rename(b'd', b'.away')
                os.rename(b'.away', b'd')
            except OSError:
                pass
            continue
        if kind == 'staging':  # what an apply has laid ready, by who may write there
            for name in [e for e in os.listdir(b'.') if e.startswith(b'.codexos-')]:
                for entry in (b'0', b'3', b'7'):
                    link = made(b'.s', lambda n: os.symlink(beside + b'/secret', n))
                    exchange(name + b'/' + entry, link)
            continue
        for a, b in PAIRS[kind]:
            exchange(a, b)
            if os.path.lexists(b):
                exchange(a, b)

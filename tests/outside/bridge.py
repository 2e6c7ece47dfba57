#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Leads a TCP port of the loopback to a Unix socket, for clients that cannot speak to one.

    bridge.py SOCKET PORT-FILE

The daemon sees the bridge as its caller, so it has to run as the daemon's user, outside of every task, and the kernel
has to name the namespaces of each sender (6.11 on). The port is written to PORT-FILE once it is open.
"""
import asyncio, os, sys


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        pass


async def bridge(reader, writer):
    far_reader, far_writer = await asyncio.open_unix_connection(sys.argv[1])
    await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
    for end in (writer, far_writer):
        end.close()


async def main():
    server = await asyncio.start_server(bridge, "127.0.0.1", 0)
    with open(sys.argv[2] + ".new", "w") as f:
        f.write(str(server.sockets[0].getsockname()[1]))
    os.rename(sys.argv[2] + ".new", sys.argv[2])
    await server.serve_forever()


asyncio.run(main())

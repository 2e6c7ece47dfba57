#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# node and python run inside with what they like: workers, subprocesses, timers, inotify, locks.
# needs: node python3
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
cat >n.js <<'J'
const { Worker, isMainThread } = require('worker_threads'), fs = require('fs'), cp = require('child_process'), http = require('http');
const watcher = fs.watch('.', () => { watcher.close(); console.log('watched'); });
setTimeout(() => fs.writeFileSync('touched', '1'), 50);
console.log(cp.execFileSync('echo', ['child']).toString().trim());
new Worker("require('worker_threads').parentPort.postMessage('worker')", { eval: true }).on('message', m => console.log(m));
const s = http.createServer((q, r) => r.end('served')).listen(0, '::1', () => http.get({ host: '::1', port: s.address().port, agent: false }, r => r.on('data', d => { console.log(d.toString()); s.close(); })));
J
expect_ok timeout 60 codexos run -- node n.js
for word in child worker served watched; do expect_has "$out" $word; done
expect_ok codexos run -- python3 -c '
import asyncio, multiprocessing, multiprocessing.shared_memory as sm, sqlite3, subprocess, concurrent.futures as f
print(subprocess.check_output(["echo", "child"]).decode().strip())
with f.ProcessPoolExecutor(2) as p: print(list(p.map(abs, [-1, -2])))
s = sm.SharedMemory(create=True, size=10); s.close(); s.unlink()
c = sqlite3.connect("db"); c.execute("pragma journal_mode=wal"); c.execute("create table t(x)"); c.commit()
asyncio.run(asyncio.sleep(0.01)); print("asyncio")'
expect_has "$out" '[1, 2]'
expect_has "$out" asyncio

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What package managers do with folders that were there before (rename them aside, link files out of a store,
# swap a finished tree in) works inside, comes through apply as it was inside, and goes back with undo.
# timeout: 300
# needs: python3
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../lib.sh"

cp "$TESTS/integration/fixtures/tree.py" "$TMPDIR/tree.py"
state() { (cd "$1" && python3 -c "
import json, sys
sys.path.insert(0, '$TMPDIR')
import tree
print(json.dumps({k: v[:3] for k, v in tree.state().items()}, sort_keys=True))"); }
# through NAME COMMAND...: apply is what the task saw, undo what was.
through() {
  local name=$1 before inside
  shift
  sleep 0.1
  before=$(state .)
  run_captured codexos run --show "$TMPDIR" --name "$name" -- sh -c "$* && echo == && python3 -c \"
import json, sys
sys.path.insert(0, '$TMPDIR')
import tree
print(json.dumps({k: v[:3] for k, v in tree.state().items()}, sort_keys=True))\""
  [ "$code" = 0 ] || fail "$name: $out $err"
  inside=${out#*==$'\n'}
  expect_eq "$(state .)" "$before" "$name: the real folder meanwhile"
  expect_ne "$inside" "$before" "$name: nothing was done"
  expect_ok codexos apply "$name"
  expect_eq "$(state .)" "$inside" "$name: after apply"
  expect_ok codexos undo "$name"
  expect_eq "$(state .)" "$before" "$name: after undo"
  expect_ok codexos undo "$name"
}
step 'npm: a package is renamed aside, the new one is renamed in'
work npm; mkdir -p node_modules/dep/lib node_modules/.bin; echo 1 >node_modules/dep/lib/a.js; echo '{}' >node_modules/dep/package.json; ln -s ../dep/lib/a.js node_modules/.bin/a
cat >"$TMPDIR/npm.py" <<'EOF'
import os, shutil
os.rename('node_modules/dep', 'node_modules/.dep-x7Gq')
os.makedirs('node_modules/dep/lib')
open('node_modules/dep/lib/a.js', 'w').write('2\n')
open('node_modules/dep/package.json', 'w').write('{"v": 2}\n')
os.rename('node_modules/dep', 'node_modules/dep.new'); os.rename('node_modules/dep.new', 'node_modules/dep')
shutil.rmtree('node_modules/.dep-x7Gq')
os.makedirs('node_modules/@scope'); os.rename('node_modules/.bin', 'node_modules/@scope/bin'); os.rename('node_modules/@scope/bin', 'node_modules/.bin')
EOF
through npm "python3 '$TMPDIR/npm.py'"
step 'pnpm: files are links into a store, packages are links to folders'
work pnpm; mkdir -p store/aa; for n in 1 2 3; do echo "content $n" >store/aa/$n; done
cat >"$TMPDIR/pnpm.py" <<'EOF'
import os, errno, shutil
at = 'node_modules/.pnpm/dep@1/node_modules/dep'
os.makedirs(at)
for n in os.listdir('store/aa'):
    try:
        os.link('store/aa/' + n, at + '/' + n)
    except OSError as e:  # as pnpm does
        assert e.errno == errno.EXDEV, e
        shutil.copyfile('store/aa/' + n, at + '/' + n)
os.symlink('.pnpm/dep@1/node_modules/dep', 'node_modules/dep')
os.rename('node_modules/.pnpm/dep@1', 'node_modules/.pnpm/dep@1.0.0'); os.remove('node_modules/dep')
os.symlink('.pnpm/dep@1.0.0/node_modules/dep', 'node_modules/dep')
EOF
through pnpm "python3 '$TMPDIR/pnpm.py'"
expect_eq "$(cat node_modules/dep/2)" 'content 2'
step 'cargo: a finished file is linked beside its name with a hash, old folders are renamed away'
work cargo; mkdir -p target/debug/deps target/debug/incremental/x-1; echo old >target/debug/deps/app-1; ln target/debug/deps/app-1 target/debug/app; echo s >target/debug/incremental/x-1/s
cat >"$TMPDIR/cargo.py" <<'EOF'
import os
os.rename('target/debug/incremental/x-1', 'target/debug/incremental/x-2-working')
open('target/debug/incremental/x-2-working/new', 'w').write('n')
os.rename('target/debug/incremental/x-2-working', 'target/debug/incremental/x-2')
open('target/debug/deps/.app-2', 'w').write('new\n'); os.chmod('target/debug/deps/.app-2', 0o755)
os.rename('target/debug/deps/.app-2', 'target/debug/deps/app-2')
os.remove('target/debug/app'); os.link('target/debug/deps/app-2', 'target/debug/app')
os.remove('target/debug/deps/app-1')
EOF
through cargo "python3 '$TMPDIR/cargo.py'"
expect_eq "$(stat -c %i target/debug/app)" "$(stat -c %i target/debug/deps/app-2)" 'two names of one file'
step 'a whole tree is swapped'
work swap; mkdir -p dist/a dist/b; for n in $(seq 50); do echo "$n" >"dist/a/f$n"; done
through swap "cp -a dist dist.new; rm -r dist.new/b; echo x >dist.new/a/f1; mv dist dist.old; mv dist.new dist; rm -r dist.old"
step 'a virtual environment: its python3 is a program of the system'
if /usr/bin/python3 -c 'import ensurepip' 2>/dev/null; then
  work venv
  through venv '/usr/bin/python3 -m venv --without-pip .venv'
  expect_ok .venv/bin/python3 -c 'import sys; assert sys.prefix != sys.base_prefix'
fi
step 'the real npm'
if command -v npm >/dev/null; then
  work real; mkdir -p left; printf '{"name":"left","version":"1.0.0","main":"i.js","bin":{"left":"i.js"}}\n' >left/package.json; printf '#!/usr/bin/env node\nconsole.log(1)\n' >left/i.js
  (cd left && npm pack --silent --offline >/dev/null); printf '{"name":"real","version":"1.0.0","dependencies":{"left":"file:left/left-1.0.0.tgz"}}\n' >package.json
  through install 'npm install --silent --offline --no-audit --no-fund'
  expect_eq "$(node_modules/.bin/left)" 1
  through again 'npm install --silent --offline --no-audit --no-fund --install-strategy=nested && rm -rf node_modules && npm install --silent --offline --no-audit --no-fund && echo x >node_modules/left/x'
fi

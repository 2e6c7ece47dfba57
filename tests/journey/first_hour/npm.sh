#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A JavaScript project's day: npm ci from a local registry folder, then npm test on top of it, with
# node and npm of nvm; the real folder stays as it was, tokens stay outside.
# needs: node npm
# timeout: 240
# shellcheck source=tests/journey/home.sh
. "$(dirname "${BASH_SOURCE[0]}")/../home.sh"

home_canaries
home_gitconfig
home_node
home_project

step 'a package in a local registry folder, and a lock file'
mkdir -p ../left-pad registry
printf '{"name":"left-pad","version":"1.0.0","main":"index.js","bin":{"left":"cli.js"}}\n' >../left-pad/package.json
printf 'module.exports = (s, n) => String(s).padStart(n);\n' >../left-pad/index.js
printf '#!/usr/bin/env node\nconsole.log(require("./index.js")("x", 3));\n' >../left-pad/cli.js
(cd ../left-pad && npm pack --silent --offline --pack-destination ../app/registry >/dev/null)
cat >package.json <<'EOF'
{"name": "app", "version": "1.0.0", "private": true,
 "scripts": {"test": "node test.js && left"},
 "dependencies": {"left-pad": "file:registry/left-pad-1.0.0.tgz"}}
EOF
cat >test.js <<'EOF'
const assert = require('assert');
assert.strictEqual(require('left-pad')('7', 3), '  7');
require('fs').writeFileSync('report.txt', 'all good\n');
console.log('test passed');
EOF
npm install --silent --offline --no-audit --no-fund >/dev/null
rm -rf node_modules
git add -A && git commit -q -m 'a dependency'

step 'npm ci'
expect_ok codexos run -- npm ci
expect_no_file node_modules
expect_has "$(codexos diff --name-status)" node_modules 'what npm ci made is held back'

step 'npm test starts from what npm ci left'
expect_ok codexos run -c -- npm test
expect_has "$out" 'test passed'
expect_has "$out" '  x' 'a program of a dependency'
expect_no_file report.txt
expect_has "$(codexos diff --name-status)" report.txt

step 'without -c it is not there, and stderr says what waits'
expect_code 1 codexos run -- npm test
expect_match "$err" '(-c|apply)' 'the note about waiting changes'

step 'the token of ~/.npmrc is not there, the registry is'
expect_ok codexos run -- sh -c 'npm config get registry; cat ~/.npmrc 2>/dev/null; env'
expect_hasnt "$out$err" "$canary"
expect_has "$out" 'https://registry.example.org/'
expect_ok codexos run -- sh -c 'ls ~/.npm/_cacache'
expect_hasnt "$out" other 'the npm cache of other projects'
expect_eq "$(git status --porcelain)" '' 'the real repository'

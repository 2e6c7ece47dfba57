# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Packages from npm for tests, in pinned versions. What is installed is kept for the next test, in AGENTS_CACHE or below
# the user's own ~/.cache (a test's HOME is a new one). To be sourced after lib.sh.

npm_cache=${AGENTS_CACHE:-$(getent passwd "$(id -u)" | cut -d: -f6)/.cache/codexos-tests}

# needs_npm MAJOR WHAT: skips where npm is missing or node is older than WHAT wants.
needs_npm() {
  local major
  command -v npm >/dev/null || skip 'npm is not installed'
  major=$(node -p 'process.versions.node.split(".")[0]')
  [ "$major" -ge "$1" ] || skip "node $major is too old for $2: it wants $1"
}

# npm_modules PACKAGE@VERSION...: sets `modules` to a folder whose node_modules holds them. No script of a package runs.
modules=''
npm_modules() {
  local name made
  name=$(printf '%s+' "$@" | tr / _)
  modules=$npm_cache/modules/${name%+}
  [ ! -d "$modules/node_modules" ] || return 0
  mkdir -p "$npm_cache/modules"
  made=$(mktemp -d "$npm_cache/modules/.making.XXXXXX")
  if ! timeout 300 npm install --prefix "$made" --ignore-scripts --no-audit --no-fund --loglevel=error "$@" >"$TMPDIR/npm.log" 2>&1; then
    rm -rf "$made"
    skip "npm cannot install $* here: $(grep -m 1 -E 'ERR|error' "$TMPDIR/npm.log" || echo 'no reason given')"
  fi
  # Another test may have been faster.
  mv -T "$made" "$modules" 2>/dev/null || rm -rf "$made"
}

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Programs below the home run with the install root that each belongs to: rustup's proxies, links of
# ~/.local/bin, a venv, a plain script; they cannot be changed, and what lies beside them is not shown.
# shellcheck source=tests/journey/home.sh
. "$(dirname "${BASH_SOURCE[0]}")/../home.sh"

home_canaries
home_gitconfig
home_rustup
home_local_bin
home_project
expect_ok codexos run -- rustc --version
expect_eq "$out" 'rustc 1.99.0, with the standard library'
expect_ok codexos run -- tool
expect_eq "$out" 'data of tool'
expect_ok codexos run -- fmt-it
expect_eq "$out" 'from a venv'
expect_ok codexos run -- plain
expect_eq "$out" 'a plain script'

step 'they are read-only'
expect_code 2 codexos run -- sh -c 'echo evil >~/.local/bin/plain'
expect_code 2 codexos run -- sh -c 'echo evil >~/.cargo/bin/rustup'
expect_code 1 codexos run -- sh -c 'rm -f ~/.local/share/tool/lib/data'
expect_eq "$(plain)" 'a plain script'

step 'what lies beside them is not there'
for path in ~/.cargo/credentials.toml ~/.local/share/keyrings ~/.ssh ~/.aws ~/.netrc ~/.config/gh ~/.docker ~/.kube ~/.bash_history ~/.mozilla ~/.gitconfig-work; do
  expect_code 2 codexos run -- ls "$path"
done
expect_ok codexos run -- sh -c 'grep -rs CANARY ~ / --exclude-dir=proc --exclude-dir=sys --exclude-dir=usr --exclude-dir=opt --exclude-dir=nix || true'
expect_eq "$out" '' 'canaries found inside'

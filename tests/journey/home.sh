# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The home of an engineer on an ordinary day, for the tests of the first hour: real programs installed
# below the home by the ways that people use, git set up, caches filled, and canaries where secrets lie.
# Each function adds one thing to $HOME, which tests/run made for this test alone.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

readonly canary=CANARY-9f3c1e

# Secrets and habits that no task has any business with.
home_canaries() {
  mkdir -p ~/.ssh ~/.aws ~/.config/gh ~/.docker ~/.kube ~/.mozilla/firefox ~/.local/share/keyrings
  chmod 700 ~/.ssh
  local file
  for file in .ssh/id_ed25519 .aws/credentials .config/gh/hosts.yml .docker/config.json .kube/config \
    .netrc .bash_history .mozilla/firefox/logins.json .local/share/keyrings/login.keyring; do
    printf '%s %s\n' "$canary" "$file" >~/"$file"
  done
  printf 'registry=https://registry.example.org/\n//registry.example.org/:_authToken=%s\n' "$canary" >~/.npmrc
}

# ~/.gitconfig with what must be taken (the identity) and what must not (helpers, aliases, includes).
home_gitconfig() {
  cat >~/.gitconfig <<EOF
[user]
	name = Ada Engineer
	email = ada@example.org
[init]
	defaultBranch = trunk
[alias]
	st = "!echo $canary"
[credential]
	helper = "!echo password=$canary"
[core]
	pager = cat
[include]
	path = ~/.gitconfig-work
EOF
  printf '[http]\n\textraHeader = "X-Token: %s"\n' "$canary" >~/.gitconfig-work
}

# node under nvm: the real program, with its npm, as nvm lays them out.
home_node() {
  local node npm dir=$HOME/.nvm/versions/node/v20.1.0
  node=$(command -v node) || skip 'node is not installed'
  npm=$(readlink -f "$(command -v npm)") || skip 'npm is not installed'
  mkdir -p "$dir/bin" "$dir/lib/node_modules"
  cp --reflink=auto "$(readlink -f "$node")" "$dir/bin/node"
  cp -r "$(dirname "$(dirname "$npm")")" "$dir/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$dir/bin/npm"
  mkdir -p ~/.npm/_cacache
  printf 'of another project\n' >~/.npm/_cacache/other
  export PATH="$dir/bin:$PATH" NVM_DIR="$HOME/.nvm"
}

# rustup's shape: ~/.cargo/bin/NAME are links to one proxy, which starts the toolchain's program.
home_rustup() {
  local toolchain=$HOME/.rustup/toolchains/stable-x86_64-unknown-linux-gnu
  mkdir -p "$toolchain/bin" "$toolchain/lib" ~/.cargo/bin ~/.cargo/registry
  printf 'default_toolchain = "stable-x86_64-unknown-linux-gnu"\n' >~/.rustup/settings.toml
  printf 'the standard library\n' >"$toolchain/lib/libstd.txt"
  # shellcheck disable=SC2016  # for the scripts to expand
  printf '#!/bin/sh\necho "rustc 1.99.0, with $(cat "${0%%/bin/*}/lib/libstd.txt")"\n' >"$toolchain/bin/rustc"
  cat >~/.cargo/bin/rustup <<'EOF'
#!/bin/sh
toolchain=$(sed -n 's/default_toolchain = "\(.*\)"/\1/p' "$HOME/.rustup/settings.toml") || exit 1
exec "$HOME/.rustup/toolchains/$toolchain/bin/$(basename "$0")" "$@"
EOF
  chmod +x "$toolchain/bin/rustc" ~/.cargo/bin/rustup
  ln -s rustup ~/.cargo/bin/rustc
  printf '[registry]\ntoken = "%s"\n' "$canary" >~/.cargo/credentials.toml
  export PATH="$HOME/.cargo/bin:$PATH"
}

# ~/.local/bin with links into install roots, as pipx and installers leave them, and a plain script.
home_local_bin() {
  mkdir -p ~/.local/bin ~/.local/share/tool/bin ~/.local/share/tool/lib ~/.local/share/pipx/venvs/fmt/bin ~/.local/share/pipx/venvs/fmt/lib
  printf 'data of tool\n' >~/.local/share/tool/lib/data
  # shellcheck disable=SC2016
  printf '#!/bin/sh\ncat "$(dirname "$(readlink -f "$0")")/../lib/data"\n' >~/.local/share/tool/bin/tool
  chmod +x ~/.local/share/tool/bin/tool
  ln -s ~/.local/share/tool/bin/tool ~/.local/bin/tool
  printf 'WORD = "from a venv"\n' >~/.local/share/pipx/venvs/fmt/lib/fmtlib.py
  # shellcheck disable=SC2016
  printf '#!/bin/sh\nPYTHONPATH="$(dirname "$(readlink -f "$0")")/../lib" exec python3 -c "import fmtlib; print(fmtlib.WORD)"\n' >~/.local/share/pipx/venvs/fmt/bin/fmt-it
  chmod +x ~/.local/share/pipx/venvs/fmt/bin/fmt-it
  ln -s ../share/pipx/venvs/fmt/bin/fmt-it ~/.local/bin/fmt-it
  printf '#!/bin/sh\necho a plain script\n' >~/.local/bin/plain
  chmod +x ~/.local/bin/plain
  export PATH="$HOME/.local/bin:$PATH"
}

# A repository with a subfolder and a worktree beside it; goes into the repository.
home_project() {
  mkdir -p ~/src/app/packages/web
  cd ~/src/app
  git init -q .
  printf '# app\n' >README.md
  printf 'console.log(1)\n' >packages/web/index.js
  printf 'node_modules/\nbuild/\n' >.gitignore
  git add -A
  git commit -q -m 'first commit'
  git worktree add -q ../app-fix -b fix
}

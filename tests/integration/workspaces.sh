#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Which folder is the workspace: the git work tree with the current folder kept, else the current folder; -w; refusals.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

repo
expect_ok codexos run -- sh -c 'pwd; ls'
expect_eq "$(xargs <<<"$out")" "$HOME/repo file.txt sub"
cd sub
expect_ok codexos run -- sh -c 'pwd; cat ../file.txt'
expect_eq "$(xargs <<<"$out")" "$HOME/repo/sub one"
step '-w . narrows it'
expect_code 1 codexos run -w . -- cat ../file.txt
expect_ok codexos run -w . -- ls
expect_eq "$out" deep.txt
step '-w of another folder: the task starts there'
work elsewhere && printf 'e\n' >e.txt && cd "$HOME"
expect_ok codexos run -w elsewhere -- cat e.txt
expect_eq "$out" e
step 'no git: the current folder'
work plain && mkdir -p in
cd in
expect_code 1 codexos run -- sh -c 'ls .. | grep -x plain-file'
step 'a symbolic link to a workspace'
ln -s "$HOME/repo" "$HOME/link" && cd "$HOME/link"
expect_ok codexos run -- cat file.txt

step 'refused: / and $HOME, what is above, what holds or lies in the state, what is never shown'
mkdir -p ~/.ssh ~/.aws/deep ~/.config/gh ~/.docker ~/.kube
for dir in / "$HOME" "$(dirname "$HOME")" /var /proc /dev /sys "$CODEXOS_HOME" "$CODEXOS_HOME/tenants" ~/.ssh ~/.aws ~/.aws/deep ~/.config ~/.config/gh ~/.docker ~/.kube; do
  [ -d "$dir" ] || continue
  expect_error 125 '' codexos run -w "$dir" -- true
  (cd "$dir" && expect_error 125 '' codexos run -- true)
done
ln -s ~/.ssh ~/innocent
expect_error 125 '' codexos run -w ~/innocent -- true
ln -s / ~/root
expect_error 125 '' codexos run -w ~/root -- true
step 'the same by another mount path or through ..'
expect_error 125 '' codexos run -w "$HOME/plain/../.ssh" -- true
expect_error 125 '' codexos run -w "$HOME/plain/.." -- true

step 'a refused git top level falls back to the current folder'
cd "$HOME" && git init -q . && mkdir -p dots/inner && cd dots/inner && printf 'i\n' >i.txt
expect_ok codexos run -- sh -c 'pwd; cat i.txt; ls -a ~ | xargs'
expect_has "$out" "$HOME/dots/inner"
expect_hasnt "$out" .ssh
expect_eq "$(field "$(codexos ps -aq | head -1)" .workspace)" "$HOME/dots/inner"
rm -rf "$HOME/.git"

step 'the daemon lives'
expect_ok codexos health

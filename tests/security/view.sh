#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a task must not find: secrets of the home, the host's environment, descriptors, other users'
# files, and anything that a link in the workspace points to.
# timeout: 400
# shellcheck source=../lib.sh
. "${TESTS:-$(dirname "$0")/..}/lib.sh"

canary=CANARY-$RANDOM$RANDOM
for f in .ssh/id_rsa .aws/credentials .config/gh/hosts.yml .npmrc .netrc .docker/config.json .kube/config .bash_history .mozilla/firefox/key4.db .local/share/keyrings/login.keyring .gnupg/secring.gpg; do
  mkdir -p "$(dirname "$HOME/$f")"
  printf 'token=%s\n' "$canary" >"$HOME/$f"
done
repo view
ln -s "$HOME/.ssh/id_rsa" leak
ln -s "$HOME" home-link
export SECRET_TOKEN=$canary SSH_AUTH_SOCK=/tmp/agent DOCKER_HOST=unix:///x LD_PRELOAD='' GITHUB_TOKEN=$canary

step "no secret of the home is found by looking everywhere"
expect_ok codexos run -- sh -c "grep -rs $canary / --exclude-dir=proc --exclude-dir=sys --exclude-dir=usr --exclude-dir=opt --exclude-dir=nix --exclude-dir=dev --exclude-dir=dpkg; cat leak home-link/.netrc 2>/dev/null; true"
expect_hasnt "$out" "token=$canary"
step "nor in the environment or in any process"
expect_ok codexos run -- sh -c 'env; cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr "\0" "\n"'
expect_hasnt "$out" "$canary"
expect_hasnt "$out" SSH_AUTH_SOCK
expect_hasnt "$out" DOCKER_HOST
step "who it is: the caller's name and uid; root's task is uid 1000"
expect_ok codexos run -- sh -c 'id -u; id -un; grep -c : /etc/passwd; whoami; echo ~'
if is_root; then uid=1000; else uid=$(id -u); fi
expect_eq "$(sed -n '1p;2p;4p' <<<"$out" | xargs)" "$uid $(id -un) $(id -un)"
[ "$(sed -n 3p <<<"$out")" -le 3 ] || fail 'it sees more users than root, nobody and itself'
step "no descriptor of the caller comes along"
exec 7<"$HOME/.ssh/id_rsa"
expect_ok codexos run -- sh -c 'cat <&7 2>/dev/null; ls -l /proc/self/fd'
expect_hasnt "$out" "$canary"
exec 7<&-
step "the host's mounts are not seen"
expect_ok codexos run -- cat /proc/self/mountinfo
expect_hasnt "$out" ' /mnt'
marker=7$RANDOM.$RANDOM
step "a mount made by the task is not seen outside, nor a process left behind"
expect_ok codexos run -- sh -c "sleep 98$RANDOM.5 & setsid sleep $marker & exit 0"
wait_until 30 no_processes_with "sleep $marker"

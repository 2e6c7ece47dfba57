#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A task signs in by ssh with a key of the user's agent that it does not have: at the host that was named, known by
# the user's known_hosts, and with that key alone.
# needs: git jq
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/ssh.bash
. "$TESTS/ssh.bash"
repo
git clone -q --bare . "$NET/r.git"
ssh_server main
: "${PORT_main:?}"
host=good.test:$PORT_main,private
url=ssh://git@good.test:$PORT_main$NET/r.git
fingerprint=$(ssh-keygen -lf "$HOME/.ssh/id_ed25519.pub" | cut -d' ' -f2)

step 'clone, commit, push, without a word of configuration'
run_net push --ssh-key "$HOME/.ssh/id_ed25519=$host" -- sh -c "git clone -q $url c && cd c && cat file.txt && git commit -q --allow-empty -m 'from a task' && git push -q"
expect_eq "$code" 0 "$out $err $(refused push) $(denied push) $(cat "$NET/ssh.log")"
expect_eq "$(git -C "$NET/r.git" log -1 --format='%s by %an')" 'from a task by Ada Tester'
expect_eq "$(signed push | sort -u)" "signed $fingerprint good.test as user git"
expect_eq "$(refused push)" ''
expect_has "$(field push '.ssh_keys[0].key')" ada@laptop
expect_eq "$(field push '.ssh_keys[0].host')" "$host"

step 'what it finds: one key of the agent, and the host'
run_net finds --ssh-key "ada@laptop=$host" -- sh -c 'ssh-add -l; ls -A ~/.ssh; cat ~/.ssh/known_hosts; echo $SSH_AUTH_SOCK'
expect_eq "$code" 0 "$err"
expect_has "$out" "$fingerprint ada@laptop"
expect_hasnt "$out" other
expect_has "$out" "[good.test]:$PORT_main ssh-ed25519 $(cut -d' ' -f2 "$NET/ssh.main.key")"
expect_has "$out" /run/codexos/ssh/agent.sock

step 'names of the user that are hashed, and host keys of other kinds'
ssh-keygen -q -H -f "$HOME/.ssh/known_hosts" >/dev/null 2>&1
run_net hashed --ssh-key "$HOME/.ssh/id_ed25519.pub=$host" -- git ls-remote -q "$url" main
expect_eq "$code" 0 "$out $err $(refused hashed)"
for kind in ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 ssh-rsa; do
  name=${kind//-/_}
  ssh_server "$name" "$kind"
  port=PORT_$name
  run_net "$name" --ssh-key "ada@laptop=good.test:${!port},private" -- git ls-remote -q "ssh://git@good.test:${!port}$NET/r.git" main
  expect_eq "$code" 0 "$kind: $out $err $(refused "$name")"
done

step 'a further program, and a daemon that takes the task over'
id=$(codexos run -d --ssh-key "ada@laptop=$host" -- sh -c 'until [ -e go ]; do sleep 0.05; done')
expect_ok codexos exec "$id" -- git ls-remote -q "$url" main
expect_has "$out" refs/heads/main
codexos daemon stop --keep-tasks >/dev/null 2>&1 || codexos daemon stop >/dev/null
codexos daemon start >/dev/null
expect_ok codexos exec "$id" -- git ls-remote -q "$url" main
expect_has "$out" refs/heads/main
codexos exec "$id" -- touch go || true  # the task may end first
expect_ok codexos wait "$id"

step 'the known_hosts of a folder that is shown stays what it is'
before=$(cksum "$HOME/.ssh/known_hosts")
run_net shown --show "$HOME/.ssh:rw" --ssh-key "ada@laptop=$host" -- git ls-remote -q "$url" main
expect_eq "$code" 0 "$out $err"
expect_has "$(field shown '.notes | join(" ")')" 'ssh knows hosts by what is shown'
expect_eq "$(cksum "$HOME/.ssh/known_hosts")" "$before"

step 'what cannot be is said before anything runs'
expect_error 125 'KEY=HOST is expected' codexos run --ssh-key good.test -- true
expect_error 125 'no key of your SSH agent has this comment' codexos run --ssh-key "nobody=$host" -- true
expect_has "$err" ada@laptop
expect_error 125 'no line of your known_hosts is for unknown.test' codexos run --ssh-key ada@laptop=unknown.test -- true
expect_error 125 'one host by its name is expected' codexos run --ssh-key 'ada@laptop=*.good.test' -- true
expect_error 125 '--ssh-key' codexos run --isolation landlock --ssh-key "ada@laptop=$host" -- true
expect_error 125 'no network' codexos run --net none --ssh-key "ada@laptop=$host" -- true
expect_error 125 '--net host' codexos run --net host --ssh-key "ada@laptop=$host" -- true
ssh-keygen -q -t ed25519 -N '' -f "$SCRATCH/third"
expect_error 125 'does not have the key of' codexos run --ssh-key "$SCRATCH/third=$host" -- true
expect_error 125 SSH_AUTH_SOCK env -u SSH_AUTH_SOCK codexos run --ssh-key "ada@laptop=$host" -- true
expect_error 125 'the SSH agent of SSH_AUTH_SOCK' env SSH_AUTH_SOCK=/nowhere codexos run --ssh-key "ada@laptop=$host" -- true

step 'the user takes the key out of the agent while the task runs'
id=$(codexos run -d --ssh-key "ada@laptop=$host" -- sh -c 'until [ -e go ]; do sleep 0.05; done')
ssh-add -q -d "$HOME/.ssh/id_ed25519.pub" 2>/dev/null
run_captured codexos exec "$id" -- git ls-remote -q "$url" main
expect_ne "$code" 0
codexos exec "$id" -- touch go || true  # the task may end first
expect_ok codexos wait "$id"
expect_has "$(refused "$id")" 'your SSH agent did not sign'

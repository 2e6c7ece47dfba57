#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An overlay has seams: folders that were there before cannot be renamed, and files change their inode number
# when they are linked. Inside a task they are closed, for bare calls as for programs.
# needs: python3 git
# timeout: 240
# shellcheck source=../lib.sh
. "${TESTS:-$(dirname "$0")/..}/lib.sh"

probe=$CODEXOS_BIN/probe-seams
repo seams
cp "$probe" ./probe
printf 'probe\n' >.git/info/exclude
mkdir -p a/in/deep b c d e f.py g/empty h many
printf 'text\n' | tee a/one a/in/two a/in/deep/three b/x c/x d/x e/x f.py/x h/x >/dev/null
ln a/one a/one.hard
ln -s one a/link
mkfifo a/fifo
chmod 0640 a/in/two
chmod 0555 a/in/deep
touch -d '2020-01-02 03:04:05' a/in/two a/in/deep
inside() { expect_ok codexos run -q -- "$@"; }
in_shell() { inside sh -ec "$1"; }

step "rename(2), renameat(2) and renameat2(2) rename folders that were there before"
in_shell './probe rename rename b b2 && test -f b2/x && ! test -e b
  ./probe rename renameat c c2 && test -f c2/x && ! test -e c
  ./probe rename renameat2 d d2 1 && test -f d2/x && ! test -e d
  ./probe rename rename ./e/ sub/../e2/ && test -f e2/x'

step "what is in them stays as it was"
before=$(cd a && find . -printf '%P %y %m %s %l %T@\n' | grep -v '^link' | sort)
in_shell './probe rename rename a z; ! test -e a; cd z; find . -printf "%P %y %m %s %l %T@\n" | grep -v ^link | sort;
  test one -ef one.hard; test "$(readlink link)" = one; echo more >>one; grep -q more one.hard'
expect_eq "$out" "$before" 'the tree'
expect_file a/one

step "the diff of it is that of a move, and nothing is left of the way"
task=$(codexos -q ps -a | head -1)
changes=$(codexos diff --name-status "$task")
expect_has "$changes" $'D\ta'
expect_has "$changes" 'z/one'
expect_hasnt "$changes" '.codexos-rename'

step "over an empty folder, into another folder, back, and again"
in_shell './probe rename rename h g/empty && test -f g/empty/x && ./probe rename rename g/empty sub/h
  ./probe rename rename sub/h h && ./probe rename rename h h2 && test -f h2/x'

step "python, node, mv and git mv"
inside python3 -c 'import os, shutil
os.rename("f.py", "f2.py"); assert os.path.exists("f2.py/x") and not os.path.exists("f.py")
os.rename("f2.py", "f.py"); os.replace("f.py", "f3.py"); shutil.move("f3.py", "sub")'
if command -v node >/dev/null; then
  inside node -e 'const fs = require("fs")
fs.renameSync("b", "b2"); fs.readFileSync("b2/x")
fs.promises.rename("c", "c2").then(() => fs.readFileSync("c2/x"))'
fi
in_shell 'mv sub sub2 && test -f sub2/deep.txt && ! test -e sub'
in_shell 'git mv sub sub3 && test -f sub3/deep.txt && git status --porcelain | grep -q "^R"'

step "a clone of a local repository"
in_shell 'git clone -q . "$PWD/copy" && git -C copy fsck --no-progress && test -f copy/sub/deep.txt'
in_shell 'git clone -q "$PWD/.git" copy2 && git -C copy2 log --oneline | grep -q first'

step "link or copy, as npm, pnpm and cargo do it"
inside python3 -c 'import os, shutil, errno
def link_or_copy(a, b):
    try: os.link(a, b)
    except OSError as e:
        assert e.errno in (errno.EXDEV, errno.EPERM), e
        shutil.copy2(a, b)
for n in range(20):
    link_or_copy("a/in/two", "many/%d" % n)
    assert open("many/%d" % n).read() == "text\n"
os.link("a/one", "linked"); assert os.path.samefile("a/one", "linked")'
in_shell 'ln b/x hard && test hard -ef b/x && echo two >>hard && grep -q two b/x; cp -al c c3 && test -f c3/x'

step "two names of one file: rename(2) leaves both"
in_shell './probe rename rename a/one a/one.hard && test -f a/one && test -f a/one.hard'

step "200 at once, and many that want the same one"
for i in $(seq 200); do mkdir "many/d$i" && echo "$i" >"many/d$i/n"; done
in_shell './probe parallel many/d 200; for i in $(seq 200); do test "$(cat many/d$i.new/n)" = $i; ! test -e many/d$i; done'
inside ./probe contend a 20

step "signals all the time, and a caller that is killed in the middle"
mkdir big
for i in $(seq 30); do mkdir "big/$i" && (cd "big/$i" && seq 60 | xargs touch); done
in_shell './probe signals big; test "$(find big.new -type f | wc -l)" = 1800'
for us in 500 5000 20000 60000; do
  in_shell "./probe killed big $us; test \"\$(find big big.new -type f 2>/dev/null | wc -l)\" = 1800"
done

step "a task that ends in the middle of a rename leaves nothing of the way"
for us in 0.02 0.1; do
  expect_ok codexos run -q -- sh -c "./probe rename rename big big.new & sleep $us"
  expect_hasnt "$(codexos diff --name-status)" codexos-rename
done

step "a task that only renames files costs little, and one without an overlay nothing"
inside ./probe cost
printf '%s\n' "$out" >&2
expect_ok codexos run -q --mode direct -- ./probe listener 0

step "other programs of the task, and those that exec puts into it"
id=$(codexos run -d -- sleep 60)
wait_until 10 state_is "$id" running
expect_ok codexos exec "$id" -- ./probe rename rename b b2
expect_ok codexos exec "$id" -- sh -c 'test -f b2/x && ! test -e b && ./probe rename rename b2 b'
codexos kill "$id" >/dev/null

step "the changes can be taken on by a next task"
in_shell './probe rename rename a z'
expect_ok codexos run -q -c -- sh -ec 'test -f z/in/two && ! test -e a && ./probe rename rename z y && test -f y/in/two'

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a task finds: identity, home, /etc, /dev, /proc, /sys, scratch folders; and what it does not find.
# needs: python3
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

mkdir -p ~/.ssh && printf 'CANARY\n' >~/.ssh/id
repo
in_task() { expect_ok codexos run -- sh -c "$1"; }
step 'identity'
in_task 'id -u; id -un; echo $HOME; getent passwd "$(id -u)" | cut -d: -f6; whoami'
if is_root; then
  expect_eq "$(sed -n 1p <<<"$out")" 1000 'the uid under a root daemon'
else
  expect_eq "$(sed -n 1p <<<"$out")" "$(id -u)"
fi
is_root || expect_eq "$(sed -n 2p <<<"$out")" "$(id -un)"
expect_eq "$(sed -n 3,4p <<<"$out" | sort -u)" "$HOME"
in_task 'stat -c %u . file.txt | sort -u; id -u'
expect_eq "$(sort -u <<<"$out" | wc -l)" 1 'the workspace belongs to the user of the task'
step 'home is private'
in_task 'ls -A ~ | xargs; echo x >~/mine && cat ~/mine'
expect_hasnt "$out" .ssh
expect_no_file ~/mine
step 'another task does not see it'
expect_code 1 codexos run -- cat "$HOME/mine"
step 'system'
in_task 'ls /; cat /etc/hostname /etc/hosts /etc/resolv.conf /etc/passwd /etc/group; hostname; getent hosts "$(hostname)"; getent hosts localhost; date +%Z; ls /etc/ssl/certs | head -1'
expect_has "$out" localhost
expect_code 1 codexos run -- test -e /etc/shadow
expect_code 1 codexos run -- test -e /root/.bashrc
for path in /usr/x /etc/x /x /opt/x; do expect_code 1 codexos run -- touch $path; done
in_task 'ls /boot /var/log /var/lib /srv /mnt /media 2>/dev/null | head -3'
expect_eq "$out" ''
step '/dev'
in_task 'ls /dev | xargs'
for d in $out; do case $d in null|zero|full|random|urandom|tty|ptmx|pts|shm|fd|stdin|stdout|stderr|mqueue|console) ;; *) fail "/dev/$d" ;; esac; done
in_task 'head -c 8 /dev/urandom | wc -c; echo x >/dev/null; head -c 4 /dev/zero | od -An -tx1; ls -l /dev/fd >/dev/null; ! echo x >/dev/full'
step 'proc and sys'
in_task 'cat /proc/1/comm; ls -d /proc/[0-9]* | wc -l; cat /proc/self/cgroup; nproc; cat /sys/devices/system/cpu/online'
expect_code 1 codexos run -- sh -c 'ls /sys/class 2>/dev/null || ls /sys/kernel 2>/dev/null | grep .'
expect_code 1 codexos run -- sh -c 'cat /proc/kallsyms 2>/dev/null | grep .'
step 'scratch'
in_task 'for d in /tmp /var/tmp /run /dev/shm; do echo x >$d/f && rm $d/f || exit 1; done; df -k /tmp | tail -1; mktemp >/dev/null; ls -A /tmp | wc -l; stat -c %a /tmp'
expect_has "$out" 1777
printf x >/tmp/cx-outside.$$
expect_code 1 codexos run -- test -e /tmp/cx-outside.$$
rm -f /tmp/cx-outside.$$
step 'names and users'
expect_ok codexos run -- python3 -c 'import pwd, os, socket, tempfile, locale, multiprocessing; print(pwd.getpwuid(os.getuid()).pw_dir); socket.getaddrinfo(socket.gethostname(), 80); multiprocessing.Lock(); print(locale.setlocale(locale.LC_ALL, ""))'
expect_has "$out" "$HOME"
step 'no network but its own loopback'
in_task 'cat /proc/net/dev | tail -n +3 | cut -d: -f1 | xargs'
expect_eq "$out" lo
step 'no new privileges, no capabilities, a filter'
in_task 'grep -E "^(NoNewPrivs|Seccomp|Cap...):" /proc/self/status | tr -d "\t" | xargs'
expect_eq "$out" 'CapInh:0000000000000000 CapPrm:0000000000000000 CapEff:0000000000000000 CapBnd:0000000000000000 CapAmb:0000000000000000 NoNewPrivs:1 Seccomp:2'
step '--show'
mkdir -p "$HOME/data/deep" && printf 'shown\n' >"$HOME/data/deep/f"
expect_ok codexos run --show "$HOME/data" -- cat "$HOME/data/deep/f"
expect_eq "$out" shown
expect_code 1 codexos run --show "$HOME/data" -- rm "$HOME/data/deep/f"
expect_ok codexos run --show "$HOME/data:/srv/data:rw" -- sh -c 'echo written >/srv/data/deep/g'
expect_eq "$(cat "$HOME/data/deep/g")" written
expect_eq "$(stat -c %u "$HOME/data/deep/g")" "$(id -u)"
expect_ok codexos run --show "$HOME/data/deep/f:/tmp/one:ro" -- cat /tmp/one

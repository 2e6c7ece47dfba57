#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# With --ssh-key a task has an agent that signs in with one key at one host. It tries to have another key sign, for
# another host, something else, without or with a forged bind, to change the user's agent, and to choke the daemon.
# needs: git jq
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/ssh.bash
. "$TESTS/ssh.bash"
repo
git clone -q --bare . "$NET/r.git"
ssh_server main
ssh_server evil ssh-ed25519 evil.test
: "${PORT_main:?}" "${PORT_evil:?}"
host=good.test:$PORT_main,private
url=ssh://git@good.test:$PORT_main$NET/r.git
cut -d' ' -f2 "$HOME/.ssh/id_ed25519.pub" >given
cut -d' ' -f2 "$SCRATCH/other.pub" >other
cut -d' ' -f2 "$NET/ssh.main.key" >host
cat >agent.py <<'P'
import base64, os, socket, struct, sys

FAILURE, SUCCESS = 5, 6
def text(*parts): return b''.join(struct.pack('>I', len(p)) + p for p in parts)
def key(name): return base64.b64decode(open(name).read())
def connect():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect('/run/codexos/ssh/agent.sock')
    return s
def read(s, n):
    out = b''
    while len(out) < n:
        more = s.recv(n - len(out))
        if not more: return None
        out += more
    return out
def frame(s):
    head = read(s, 4)
    return head and read(s, struct.unpack('>I', head)[0])
def ask(message, s=None):
    s = s or connect()
    s.sendall(text(message))
    return frame(s)
def userauth(session, blob): return text(session) + b'\x32' + text(b'git', b'ssh-connection', b'publickey') + b'\1' + text(b'ssh-ed25519', blob)
def sign(blob, data, flags=0): return b'\x0d' + text(blob, data) + struct.pack('>I', flags)
def refused(what, answer):
    print('refused' if answer is None or answer[0] == FAILURE else 'GOT %r' % answer[:40], what)
P
cat >try.py <<'P'
from agent import *
given, other, host = key('given'), key('other'), key('host')
listed = ask(b'\x0b')
print('listed', listed == b'\x0c' + struct.pack('>I', 1) + text(given, b'ada@laptop'))
refused('another key', ask(sign(other, userauth(b'x' * 32, other))))
refused('the key, not bound', ask(sign(given, userauth(b'x' * 32, given))))
refused('any data', ask(sign(given, b'SSHSIG' + text(b'git', b'', b'sha512', b'h' * 64))))
for name, signature in (('a made-up signature', text(b'ssh-ed25519', b's' * 64)), ('no signature', b''), ('SHA-1', text(b'ssh-rsa', b's' * 64))):
    s = connect()
    refused('a bind with ' + name, ask(b'\x1b' + text(b'session-bind@openssh.com', host, b'x' * 32, signature) + b'\0', s))
    refused('a signature after it', ask(sign(given, userauth(b'x' * 32, given)), s))
refused('a bind to a key of its own', ask(b'\x1b' + text(b'session-bind@openssh.com', given, b'x' * 32, text(b'ssh-ed25519', b's' * 64)) + b'\0'))
for name, message in (('remove all', b'\x13'), ('remove one', b'\x12' + text(given)), ('lock', b'\x16' + text(b'pw')), ('unlock', b'\x17' + text(b'pw')),
                      ('add', b'\x11' + text(b'ssh-ed25519', b'p' * 32, b'k' * 64, b'mine')), ('add from a token', b'\x14' + text(b'/usr/lib/evil.so', b'')),
                      ('version 1', b'\x01'), ('an extension', b'\x1b' + text(b'query')), ('nothing', b'')):
    refused(name, ask(message))
for name, data in (('a frame of 4 GiB', b'\xff\xff\xff\xff'), ('one of 1 MiB', struct.pack('>I', 1 << 20) + b'x' * 70000), ('an empty one', b'\0\0\0\0')):
    s = connect()
    try:
        s.sendall(data)
        refused(name, frame(s))
    except OSError:
        refused(name, None)
import threading
s = connect()
threading.Thread(target=lambda: s.sendall(text(b'\x0b') * 20000), daemon=True).start()
print('answers all', all(frame(s) == listed for n in range(20000)))
s = connect()
for n in range(100):
    try:
        if ask(b'\x13', s) is None: break
    except OSError: break
print('cut off', 1 < n < 99)
held = []
for n in range(500):
    s = connect()
    held.append(s)
    try: s.sendall(b'\0\0\1')
    except OSError: pass
print('held', len(held))
for s in held: s.close()
for n in range(50):
    try:
        if ask(b'\x0b') == listed: break
    except OSError: pass
else: n = -1
print('serves again', n >= 0)
P
# A man in the middle, inside: ssh binds its real session through it, and other things are asked for in its name.
cat >middle.py <<'P'
import subprocess
from agent import *
given, other = key('given'), key('other')
l = socket.socket(socket.AF_UNIX)
l.bind('/tmp/middle'); l.listen()
p = subprocess.Popen(sys.argv[1:], env=dict(os.environ, SSH_AUTH_SOCK='/tmp/middle'), stdout=subprocess.PIPE)
l.settimeout(60)
c = l.accept()[0]
up = connect()
bind = None
while True:
    m = frame(c)
    if m is None: break
    if m[:1] == b'\x1b': bind = m
    if m[:1] == b'\x0d':
        size = struct.unpack('>I', m[1:5])[0]
        data = m[5 + size + 4:-4]
        session = data[4:4 + struct.unpack('>I', data[:4])[0]]
        changed = bytes([session[0] ^ 1]) + session[1:]
        refused('other data in a real session', ask(sign(given, b'SSHSIG' + data), up))
        refused('a session beside it', ask(sign(given, userauth(changed, given)), up))
        refused('another key in a real session', ask(sign(other, userauth(session, other)), up))
        refused('one key by the name of another', ask(sign(given, userauth(session, other)), up))
        refused('the real one where nothing was bound', ask(m))
        refused('the bind as a forwarded one', ask(bind[:-1] + b'\1'))
    c.sendall(text(ask(m, up)))
print('git says', p.communicate()[0].decode().split()[1:])
P
# all_refused: what the script printed, which must hold a refusal for everything that it tried.
all_refused() {
  expect_eq "$code" 0 "$out $err"
  expect_hasnt "$out" GOT
  expect_hasnt "$out" False
}

step 'what an agent can be asked for'
run_net asks --ssh-key "ada@laptop=$host" -- python3 try.py
all_refused
expect_eq "$(grep -c ^refused <<<"$out")" 22
expect_eq "$(grep -c True <<<"$out")" 4
expect_has "$out" 'held 500'
expect_eq "$(signed asks)" ''
why=$(refused asks)
for reason in 'was not given this key' 'which session' 'has not signed' 'none of its keys' 'of type 19' 'of type 17'; do expect_has "$why" "$reason"; done
expect_eq "$(ssh-add -l | wc -l)" 2 "the user's agent is as it was"

step 'in the name of a session that is real'
run_net middle --ssh-key "ada@laptop=$host" -- python3 middle.py git ls-remote -q "$url" main
all_refused
expect_eq "$(grep -c ^refused <<<"$out")" 6
expect_has "$out" "git says ['refs/heads/main']"
expect_eq "$(signed middle | wc -l)" 1
for reason in 'does not sign in' 'another session' 'was not given this key' 'not forwarded'; do expect_has "$(refused middle)" "$reason"; done

step 'a host that the user knows and the task may reach, but not sign in to'
run_net evil --ssh-key "ada@laptop=$host" --allow "$host" --allow "evil.test:$PORT_evil,private" -- \
  sh -c "cp ~/.ssh/known_hosts k; ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=k -o BatchMode=yes -p $PORT_evil git@evil.test git-upload-pack $NET/r.git"
expect_ne "$code" 0
expect_has "$(refused evil)" 'none of its keys is for'
expect_eq "$(signed evil)" ''

step 'an agent that makes one wait holds up nobody else, and one that answers nonsense signs nothing'
cat >"$SCRATCH/slow.py" <<'P'
import os, socket, struct, sys, threading, time
path, real, scratch = sys.argv[1:]
def frame(s):
    head = s.recv(4, socket.MSG_WAITALL)
    return head and head + s.recv(struct.unpack('>I', head)[0], socket.MSG_WAITALL)
def serve(c):
    while m := frame(c):
        if m[4] == 13:
            open(scratch + '/asked', 'w').close()
            while not os.path.exists(scratch + '/answer'): time.sleep(0.05)
            if open(scratch + '/answer').read() == 'nonsense':
                c.sendall(struct.pack('>I', 6) + b'\x0c\0\0\0\0x')
                continue
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(real)
            s.sendall(m)
            c.sendall(frame(s))
    c.close()
l = socket.socket(socket.AF_UNIX)
l.bind(path + '.new'); l.listen(); os.rename(path + '.new', path)
while True: threading.Thread(target=serve, args=(l.accept()[0],), daemon=True).start()
P
python3 "$SCRATCH/slow.py" "$SCRATCH/slow" "$SSH_AUTH_SOCK" "$SCRATCH" &
started+=($!)
wait_until 10 test -S "$SCRATCH/slow"
for answer in signature nonsense; do
  rm -f "$SCRATCH/asked" "$SCRATCH/answer"
  id=$(SSH_AUTH_SOCK=$SCRATCH/slow codexos run -d --ssh-key "ada@laptop=$host" -- git ls-remote -q "$url" main)
  wait_until 20 test -e "$SCRATCH/asked"
  expect_ok timeout 20 codexos exec "$id" -- ssh-add -l
  run_net "beside-$answer" --ssh-key "ada@laptop=$host" -- git ls-remote -q "$url" main
  expect_eq "$code" 0 "$out $err"
  printf %s "$answer" >"$SCRATCH/answer.new" && mv "$SCRATCH/answer.new" "$SCRATCH/answer"
  run_captured codexos wait "$id"
  [ "$answer" = nonsense ] || expect_eq "$code" 0 "$(codexos logs "$id")"
  [ "$answer" = signature ] || expect_has "$(refused "$id")" 'your SSH agent did not sign'
done

step 'a task that was not given a key has no agent'
run_net none --allow "$host" -- sh -c 'test -z "$SSH_AUTH_SOCK" && test ! -e /run/codexos/ssh && test ! -e ~/.ssh'
expect_eq "$code" 0 "$err"

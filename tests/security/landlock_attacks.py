#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a program in a task without namespaces tries (landlock.sh). Prints "GOT what" for what it got,
and at the end how much it tried. Environment: OUTSIDE, a folder of the same user; SHOWN, a folder that
it may read; VICTIM, a process of the same user; SOCKETS, a folder with a stream and a datagram socket."""
import ctypes, fcntl, glob, os, signal, socket, struct, sys

libc = ctypes.CDLL(None, use_errno=True)
OUTSIDE, SHOWN, SOCKETS, VICTIM = (os.environ.get(k, "0") for k in ("OUTSIDE", "SHOWN", "SOCKETS", "VICTIM"))
VICTIM = int(VICTIM)
HERE = os.getcwd()
KEY = OUTSIDE + "/.ssh/id_ed25519"
tried = 0


def attack(what, call, *args, **kw):
    """Got, unless it raises. What it returns may say more: False is nothing."""
    global tried
    tried += 1
    try:
        result = call(*args, **kw)
    except (OSError, AttributeError):
        return None
    if result is not False:
        print("GOT", what, flush=True)
    return result


def raw(number, *args):
    """A system call of x86-64, or OSError."""
    result = libc.syscall(ctypes.c_long(number), *args)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def read(path):
    with open(path, "rb", buffering=0) as f:
        return f.read(64)


def write(path, flags=os.O_WRONLY):
    fd = os.open(path, flags, 0o644)
    try:
        os.write(fd, b"pwned")
    finally:
        os.close(fd)


def in_folder(folder, call, *args):
    os.chdir(folder)
    try:
        return call(*args)
    finally:
        os.chdir(HERE)


def through(link, target, call):
    """Through a symbolic link of its own making."""
    if os.path.lexists(link):
        os.unlink(link)
    os.symlink(target, link)
    return call(link)


def reading():
    attack("a key", read, KEY)
    attack("names in ~/.ssh", os.listdir, OUTSIDE + "/.ssh")
    attack("a key by a link", through, "l1", KEY, read)
    attack("a key by a linked folder", through, "l2", OUTSIDE, lambda p: read(p + "/.ssh/id_ed25519"))
    attack("a key by a hard link", lambda: (os.link(KEY, "h1"), read("h1")))
    attack("a key from its folder", in_folder, OUTSIDE + "/.ssh", read, "id_ed25519")
    attack("a key by ..", read, "/".join([".."] * HERE.count("/")) + KEY)
    attack("a key by /proc/self/root", read, "/proc/self/root" + KEY)
    attack("a key moved here", lambda: (os.rename(KEY, "moved"), os.rename("moved", KEY)))
    attack("a watch on ~/.ssh", lambda: raw(254, raw(253), (OUTSIDE + "/.ssh").encode(), 0xFFF))
    attack("the list of /", os.listdir, "/")
    state = HERE.split("/tenants/")[0]
    if state != HERE:
        attack("the state folder", os.listdir, state)
        attack("the database", read, state + "/tenants/default/tenant.db")
        attack("the task's record", read, HERE.split("/layers/")[0] + "/record")
    attack("the list of made files", read, HERE + "/../made")
    attack("a folder beside the copy", os.mkdir, HERE + "/../beside")


def writing():
    old = OUTSIDE + "/old"
    attack("a file overwritten", write, old)
    attack("a new file", write, OUTSIDE + "/new", os.O_WRONLY | os.O_CREAT)
    attack("a write through a link", through, "l3", old, write)
    attack("a file cut", os.truncate, old, 0)
    attack("a folder", os.mkdir, OUTSIDE + "/dir")
    attack("a link outside", os.symlink, "/etc/passwd", OUTSIDE + "/link")
    attack("a fifo outside", os.mkfifo, OUTSIDE + "/fifo")
    attack("a file removed", os.unlink, OUTSIDE + "/victim")
    write("mine", os.O_WRONLY | os.O_CREAT)
    attack("a file moved out", os.rename, "mine", OUTSIDE + "/mine")
    write("mine", os.O_WRONLY | os.O_CREAT)
    attack("a file linked out", os.link, "mine", OUTSIDE + "/hard")
    attack("a shown file written", write, SHOWN + "/tool")
    attack("a core dump's folder", in_folder, OUTSIDE, write, "core", os.O_WRONLY | os.O_CREAT)
    attack("a process' memory limit file", write, "/proc/%d/oom_score_adj" % VICTIM)


def facts():
    """What Landlock does not look at."""
    old, tool = OUTSIDE + "/old", SHOWN + "/tool"
    fd = os.open(tool, os.O_RDONLY)
    path_fd = os.open(old, os.O_PATH)
    attack("a mode", os.chmod, old, 0o777)
    attack("a mode by a link", through, "l4", old, lambda p: os.chmod(p, 0o777))
    attack("a mode by a linked folder", through, "l5", OUTSIDE, lambda p: os.chmod(p + "/old", 0o777))
    attack("a mode from its folder", in_folder, OUTSIDE, os.chmod, "old", 0o777)
    attack("a mode by ..", os.chmod, "/".join([".."] * HERE.count("/")) + old, 0o777)
    attack("the mode of the folder", os.chmod, OUTSIDE, 0o777)
    attack("a mode by descriptor", os.fchmod, fd, 0o777)
    attack("a mode by /proc/self/fd", os.chmod, "/proc/self/fd/%d" % fd, 0o777)
    attack("a mode by /proc/self/fd of a path", os.chmod, "/proc/self/fd/%d" % path_fd, 0o777)
    attack("a mode by /dev/fd", os.chmod, "/dev/fd/%d" % fd, 0o777)
    attack("a mode by fchmodat2", raw, 452, path_fd, b"", 0o777, 0x1000)
    attack("a mode by a number of the old kind", raw, 90, old.encode(), 0o777)
    attack("a mode of /proc", os.chmod, "/proc/%d/root%s" % (VICTIM, old), 0o777)
    attack("times", os.utime, old, (1, 1))
    attack("times by descriptor", os.utime, fd, (1, 1))
    attack("times by descriptor of a path", os.utime, "/proc/self/fd/%d" % path_fd, (1, 1))
    attack("times by utime", raw, 132, old.encode(), None)
    attack("times by utimes", raw, 235, old.encode(), None)
    attack("times of a link's target", through, "l6", old, lambda p: os.utime(p, (1, 1)))
    attack("an owner", os.chown, old, os.getuid(), os.getgid())
    attack("an owner by descriptor", os.fchown, fd, os.getuid(), os.getgid())
    attack("an attribute", os.setxattr, old, "user.pwned", b"1")
    attack("an attribute by descriptor", os.setxattr, fd, "user.pwned", b"1")
    FS_IOC_SETFLAGS, FS_NODUMP_FL = 0x40086602, 0x40
    attack("file flags", fcntl.ioctl, fd, FS_IOC_SETFLAGS, struct.pack("l", FS_NODUMP_FL))
    # What it may do.
    write("own", os.O_WRONLY | os.O_CREAT)
    os.chmod("own", 0o751)
    os.utime("own", (1000, 1000))
    os.chmod("/proc/self/fd/%d" % os.open("own", os.O_RDONLY), 0o750)
    st = os.stat("own")
    if st.st_mode & 0o777 != 0o750 or st.st_mtime != 1000:
        print("GOT nothing of its own:", oct(st.st_mode), st.st_mtime)


def processes():
    victims = {"another process": VICTIM}
    chain = os.getppid()
    if os.environ.get("CODEXOS_TASK"):
        victims["the shim"] = chain
        with open("/proc/%d/stat" % chain) as f:
            keeper = int(f.read().rsplit(")", 1)[1].split()[1])
        victims["the keeper"] = keeper
    for name, pid in victims.items():
        attack("a signal to " + name, os.kill, pid, 0)
        attack("SIGSTOP of " + name, lambda: (os.kill(pid, signal.SIGSTOP), os.kill(pid, signal.SIGCONT)))
        attack("a queued signal to " + name, raw, 129, pid, 0, ctypes.create_string_buffer(128))
        attack("a thread's signal to " + name, raw, 234, pid, pid, 0)
        attack("a pidfd signal to " + name, lambda: signal.pidfd_send_signal(os.pidfd_open(pid), 0))
        attack("its trace: " + name, raw, 101, 16, pid, None, None)  # PTRACE_ATTACH
        attack("its trace by seize: " + name, raw, 101, 0x4206, pid, None, None)
        attack("its memory: " + name, read, "/proc/%d/mem" % pid)
        attack("its maps: " + name, lambda: bool(read("/proc/%d/maps" % pid)))
        attack("its variables: " + name, lambda: bool(read("/proc/%d/environ" % pid)))
        attack("its root: " + name, os.listdir, "/proc/%d/root/" % pid)
        attack("its folder: " + name, os.listdir, "/proc/%d/cwd/" % pid)
        attack("its descriptor: " + name, os.open, "/proc/%d/fd/0" % pid, os.O_RDONLY)
        attack("a copy of its descriptor: " + name, lambda: raw(438, os.pidfd_open(pid), 0, 0))
        attack("its priority: " + name, os.setpriority, os.PRIO_PROCESS, pid, 5)
        attack("its processors: " + name, os.sched_setaffinity, pid, {0})
        attack("its scheduler: " + name, os.sched_setscheduler, pid, os.SCHED_BATCH, os.sched_param(0))
        attack("its I/O priority: " + name, raw, 251, 1, pid, (2 << 13) | 7)
        attack("its limits: " + name, raw, 302, pid, 4, struct.pack("QQ", 0, 0), None)
    attack("the user's priority", os.setpriority, os.PRIO_USER, 0, 5)
    attack("a user namespace", raw, 272, 0x10000000)


def sockets():
    for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, 17, 40):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
            attack("a socket %d %d" % (family, kind), socket.socket, family, kind)
    # One that a pair gave.
    for kind in range(16):
        s = (ctypes.c_int * 2)()
        if libc.socketpair(1, kind, 0, s) != 0:
            continue
        one = socket.socket(fileno=s[0])
        other = socket.socket(fileno=s[1])
        other.setblocking(False)

        def leaves(send, *args):
            """What comes out at the other end of the pair went nowhere else."""
            send(*args)
            try:
                return other.recv(100) == b""
            except BlockingIOError:
                return True

        attack("the datagram socket by a pair of %d" % kind, leaves, one.sendto, b"pwned", SOCKETS + "/datagram")
        attack("the datagram socket by sendmsg, %d" % kind, leaves, one.sendmsg, [b"pwned"], [], 0, SOCKETS + "/datagram")
        attack("a connection by a pair of %d" % kind, one.connect, SOCKETS + "/stream")
        attack("a datagram connection by a pair of %d" % kind, one.connect, SOCKETS + "/datagram")
        attack("a name for a pair of %d" % kind, one.bind, "\0codexos-landlock-%d" % os.getpid())
        one.close()
        other.close()
    # kinds 1 and 5 must work
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
        a, b = socket.socketpair(socket.AF_UNIX, kind)
        a.send(b"x")
        if b.recv(1) != b"x":
            print("GOT no pair")
    attack("shared memory", raw, 29, int(os.environ.get("SHM_KEY", "4711")), 4096, 0o1600)
    attack("a message queue", raw, 240, b"codexos-landlock", 0o102, 0o600, None)
    attack("an io_uring", raw, 425, 8, ctypes.create_string_buffer(256))


def descriptors():
    mine = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink("/proc/self/fd/" + name)
        except OSError:
            continue  # the listing's own
        if int(name) > 2:
            attack("an inherited descriptor: %s %s" % (name, target), lambda: not target.endswith("/fd"))
        else:
            attack("an inherited stream: " + target, lambda: target.startswith("socket:"))


def terminals():
    for path in sorted(glob.glob("/dev/pts/[0-9]*")) + ["/dev/ptmx", "/dev/console", "/dev/kmsg", "/dev/mem"]:
        attack("the terminal " + path, os.open, path, os.O_RDWR | os.O_NOCTTY)
    for high in (0, 1 << 32):
        attack("TIOCSTI", raw, 16, 0, ctypes.c_long(0x5412 | high), b"x")


def daemons():
    """Left behind in every way: by a storm, by double forks, in sessions of their own, deaf."""
    marker = sys.argv[2]
    for n in range(20):
        if os.fork() == 0:
            os.setsid()
            for s in range(1, 65):
                try:
                    signal.signal(s, signal.SIG_IGN)
                except (OSError, ValueError):
                    pass
            if os.fork() == 0:
                os.closerange(0, 3)
                if n < 2:  # and these do not stop to fork
                    while True:
                        if os.fork() > 0:
                            os._exit(0)
                os.execv("/bin/sleep", ["sleep", "1000%s" % marker])
            os._exit(0)
        os.wait()
    print("left behind", flush=True)


def main():
    os.umask(0o022)
    globals()[sys.argv[1]]()
    print("tried", tried)


main()

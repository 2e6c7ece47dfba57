#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill_at_random.py KILLS SEED: starts tasks and kills what belongs to them, by a seeded generator; then asks for
each acknowledged task whether it ended once, and as it should have. Says what is wrong, exit 1."""
import json, os, random, signal, subprocess, sys, time

KILLS, SEED = int(sys.argv[1]), int(sys.argv[2])
MARKER = "marker-" + os.path.basename(os.environ["SCRATCH"])
ENDED = ("succeeded", "failed", "killed", "timed_out", "denied", "lost")
rng = random.Random(SEED)
wrong = []


def run(*argv, seconds=60):
    try:
        done = subprocess.run(["codexos", *argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds)
        return done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired:
        return 124, "", "more than %d s" % seconds


def kill(pid):
    if not pid:
        return False
    try:
        os.kill(pid, signal.SIGKILL)
        return True
    except (ProcessLookupError, PermissionError):
        return False


def daemon():
    code, out, _ = run("--json", "daemon", "status")
    return json.loads(out).get("pid", 0) if code == 0 and out else 0


def children(pid):
    if not pid:
        return []
    out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(p) for p in out.split()]


class Task:
    def __init__(self, task, code):
        self.id, self.code, self.killed = task, code, set()

    def pid(self):
        code, out, _ = run("--json", "inspect", self.id)
        row = json.loads(out) if code == 0 and out else {}
        return row.get("pid") if row.get("state") == "running" else None


tasks, attached = [], []


def start():
    code = rng.randrange(1, 100)
    script = "echo %d > file%d; sleep 0.%d; exit %d # %s" % (code, code, rng.randrange(1, 9), code, MARKER)
    rc, out, _ = run("run", "-d", "--", "sh", "-c", script)
    if rc == 0:
        tasks.append(Task(out.strip(), code))


def attach():
    argv = ["codexos", "run", "--", "sh", "-c", "sleep 0.%d; exit 7 # %s" % (rng.randrange(1, 9), MARKER)]
    attached.append([subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE), False])


def kill_daemon():
    return kill(daemon())


def kill_helper():
    """A zygote, a parked helper, or one that has become a task's shim; where its zygote is gone, a shim's program."""
    made = [pair for z in children(daemon()) for pair in [(z, 0), *((c, z) for c in children(z))]]
    if not made:
        return False
    pid, parent = rng.choice(made)
    for row in json.loads(run("--json", "ps", "-a")[1] or '{"tasks": []}')["tasks"]:
        for t in tasks:
            # One that is starting, or was taken over meanwhile, may have this helper: its number is not written yet.
            is_it = row.get("pid") in (None, 0, pid, parent) or row["state"] == "starting"
            if t.id == row["id"] and row["state"] not in ENDED and is_it:
                t.killed.add("shim")
    return kill(pid)


def kill_shim():
    task = rng.choice(tasks[-6:])
    pid = task.pid()
    task.killed.add("shim")
    return kill(pid)


def kill_program():
    task = rng.choice(tasks[-6:])
    pid = task.pid()
    task.killed.add("program")
    mine = children(pid) if pid else []
    return bool(mine) and kill(rng.choice(mine))


def kill_client():
    alive = [a for a in attached if a[0].poll() is None]
    if not alive:
        return False
    one = rng.choice(alive)
    one[1] = True
    one[0].kill()
    return True


killers = [kill_daemon, kill_helper, kill_shim, kill_program, kill_client]
done, begin = {k.__name__: 0 for k in killers}, time.monotonic()
while sum(done.values()) < KILLS:
    rng.choice([start, start, attach])()
    if not tasks:
        continue
    time.sleep(rng.random() * 0.05)
    killer = rng.choice(killers)
    done[killer.__name__] += 1 if killer() else 0
    for a in [a for a in attached if a[0].poll() is not None]:
        # A client whose daemon or shim was killed may fail, in its own words; it must not say that all went well.
        if a[0].returncode == 0:
            wrong.append("an attached run exited with 0")
        a[0].stderr.close()
        attached.remove(a)
print("%d tasks, killed: %s, seed %d, %.0f s" % (len(tasks), done, SEED, time.monotonic() - begin))

for a in attached:
    try:
        a[0].wait(60)
    except subprocess.TimeoutExpired:
        wrong.append("an attached run hangs")
        a[0].kill()
    a[0].stderr.close()
for t in tasks:
    code, _, err = run("wait", t.id)
    row = json.loads(run("--json", "inspect", t.id)[1] or "{}")
    # What was acknowledged before it began may end without having run, if the daemon did not live to see it through.
    never_ran = row.get("cause") == "start_failed" and "before the program was started" in row.get("detail", "")
    if code == 124:
        wrong.append("%s: wait hangs: %s" % (t.id, err))
    elif not t.killed and code != t.code and not never_ran:
        wrong.append("%s: exit %d instead of %d: %s: %s" % (t.id, code, t.code, row.get("cause"), row.get("detail")))
    elif t.killed and code == 0:
        wrong.append("%s: exit 0 though its %s was killed" % (t.id, t.killed))
    ends = [e for e in map(json.loads, run("--json", "events", t.id)[1].splitlines()) if e["type"] == "task.ended"]
    if len(ends) != 1:
        wrong.append("%s: %d times task.ended" % (t.id, len(ends)))
for row in json.loads(run("--json", "ps", "-a")[1])["tasks"]:
    if row["state"] not in ENDED:
        pid = row.get("pid")
        time.sleep(2)
        if json.loads(run("--json", "inspect", row["id"])[1])["state"] == row["state"]:
            wrong.append("%s is still %s (pid %s)" % (row["id"], row["state"], pid))
print("\n".join(wrong))
sys.exit(1 if wrong else 0)

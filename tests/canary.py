# SPDX-License-Identifier: Apache-2.0
# Values of secrets in the encodings in which they may turn up where they must not be.
#
#   canary.py search VALUES-FILE file PATH... | memory PID...   prints "WHERE: encoding N of value M"
#   canary.py known VALUES-FILE PATH...    the same, of those alone that CodexOS takes out of what it keeps
#   canary.py print FD...                  prints the value in stdin in all of them, whole and cut at every byte
import array, base64, fcntl, html, json, os, sys, termios, time, urllib.parse

def encodings(v):
    text = v.decode()
    out = [v, v.hex().encode(), v.hex().upper().encode(), v[::-1], text.encode("utf-16-le")]
    for cut in range(3):  # what of base64 does not depend on the neighbours
        for to in (base64.b64encode, base64.urlsafe_b64encode):
            whole = to(b"\0" * cut + v).rstrip(b"=")
            out.append(whole[4 if cut else 0 : len(whole) - 2])
    out.append("".join(c if c.isalnum() else "%%%02X" % ord(c) for c in text).encode())
    out.append("".join("\\u%04x" % ord(c) for c in text).encode())
    return out

NOT_KNOWN = (3, 4, 12)  # reversed, UTF-16, every character escaped

def known(v):
    return [e for n, e in enumerate(encodings(v)) if n not in NOT_KNOWN]

def printed(v):
    text = v.decode()
    out = [base64.b64encode(b"-" * n + v + b"\n") for n in range(3)]
    out += [base64.urlsafe_b64encode(b"-" * n + v + b"+") for n in range(3)]
    out += [base64.encodebytes(v), v.hex().encode(), v.hex(":").upper().replace(":", "").encode()]
    out += [to(text).encode() for to in (urllib.parse.quote, urllib.parse.quote_plus, html.escape)]
    out += [urllib.parse.quote(text, safe="").encode(), json.dumps({"k": text}).encode()]
    out += [json.dumps(text, ensure_ascii=False).encode(), text.replace("/", "\\/").encode(), v]
    return out

def say(fd, data):
    """Returns when the reader has taken it, so that it sees the cut."""
    while data:
        data = data[os.write(fd, data):]
    left = array.array("i", [1])
    while left[0] > 0 and not os.isatty(fd):
        fcntl.ioctl(fd, termios.FIONREAD, left)
        time.sleep(0.0002)
    if os.isatty(fd):
        time.sleep(0.001)

def search(needles, where, data):
    for needle, name in needles.items():
        if needle in data:
            print(f"{where}: {name}")

def memory(needles, pid):
    mem = open(f"/proc/{pid}/mem", "rb")
    for line in open(f"/proc/{pid}/maps"):
        span, rights = line.split()[:2]
        begin, end = (int(x, 16) for x in span.split("-"))
        if "r" not in rights or line.rstrip().endswith(("[vvar]", "[vsyscall]")):
            continue
        try:
            mem.seek(begin)
            search(needles, f"memory of {pid}, {line.split()[-1]}", mem.read(end - begin))
        except (OSError, ValueError):
            pass

def files(needles, paths):
    for path in paths:
        try:
            search(needles, path, open(path, "rb").read())
        except OSError:
            pass

def needles(path, of):
    values = [line.strip().encode() for line in open(path)]
    return {e: f"encoding {n} of value {m}" for m, v in enumerate(values) for n, e in enumerate(of(v))}

if sys.argv[1] == "print":
    value = sys.stdin.buffer.read()
    for fd in map(int, sys.argv[2:]):
        for form in printed(value):
            say(fd, b"[" + form + b"]\n")
        for form in (value, base64.b64encode(value), value.hex().encode()):
            for cut in range(1, len(form)):
                say(fd, b"<" + form[:cut])
                say(fd, form[cut:] + b">\n")
elif sys.argv[1] == "known":
    files(needles(sys.argv[2], known), sys.argv[3:])
elif sys.argv[3] == "file":
    files(needles(sys.argv[2], encodings), sys.argv[4:])
else:
    for pid in sys.argv[4:]:
        memory(needles(sys.argv[2], encodings), pid)

// SPDX-License-Identifier: Apache-2.0
// Runs before the C library: no call into it, no thread-local variable, no relocation, no stack
// protector (man page ld.so(8) and the x86-64 psABI, "Process Initialization", say what is there).
// tests/lint/early.sh holds it to that. CMakeLists.txt says for which builds it is the entry.
#include "cli/early.h"

#include <fcntl.h>
#include <linux/net.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>

#include <cerrno>

#include "cli/environment.h"
#include "cli/relay.h"
#include "core/base/frames.h"
#include "core/base/version.h"
#include "core/os/place.h"
#include "core/policy/settings.h"

namespace codexos::cli {
namespace {

// ---- the kernel, without errno: what a call returns, or -errno

long call(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
  long out = number;
#if defined(__x86_64__)
  register long r10 asm("r10") = d;
  asm volatile("syscall" : "+a"(out) : "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
#else
  (void)a, (void)b, (void)c, (void)d;
  out = -ENOSYS;
#endif
  return out;
}
template <class T>
long at(const T* p) {
  return reinterpret_cast<long>(p);
}

// ---- text

size_t length_of(const char* s) {
  size_t n = 0;
  while (s[n] != '\0') ++n;
  return n;
}
bool starts_with(const char* s, const char* prefix) {
  while (*prefix != '\0')
    if (*s++ != *prefix++) return false;
  return true;
}
bool equal(const char* a, const char* b) { return starts_with(a, b) && a[length_of(b)] == '\0'; }
/// By name: up to the '=', or the end of one that has none.
bool less(const char* a, const char* b) {
  const auto ends = [](char c) { return c == '=' || c == '\0'; };
  while (*a == *b && !ends(*a)) ++a, ++b;
  return !ends(*b) && (ends(*a) || *a < *b);
}

/// Bytes in a fixed room; once it is full, or was given what it cannot say, it stays so.
struct Text {
  char* to;
  size_t room;
  size_t size = 0;
  bool failed = false;

  void byte(char c) {
    if (size == room) {
      failed = true;
      return;
    }
    to[size++] = c;
  }
  void add(const char* s) {
    while (*s != '\0') byte(*s++);
  }
  void add(const char* s, size_t n) {
    for (size_t i = 0; i < n; ++i) byte(s[i]);
  }
  void number(size_t n) {
    char digits[20];
    size_t count = 0;
    do digits[count++] = static_cast<char>('0' + n % 10);
    while ((n /= 10) != 0);
    while (count > 0) byte(digits[--count]);
  }
  /// A JSON string of printable ASCII; other bytes are left to core/json.
  void quoted(const char* s) {
    byte('"');
    for (; *s != '\0'; ++s) {
      if (*s < ' ' || *s > '~') failed = true;
      if (*s == '"' || *s == '\\') byte('\\');
      byte(*s);
    }
    byte('"');
  }
};

constexpr size_t kMaxRequest = 64 << 10;
constexpr size_t kMaxHead = 512;
constexpr size_t kMaxReply = 4096;
constexpr size_t kMaxPasswd = 16 << 10;
constexpr size_t kMaxPath = 4096;

// In front of the body is room for the head, whose length is known last.
char g_request[kMaxHead + kMaxRequest];
size_t g_begin = 0, g_end = 0;  // of what was sent
char g_reply[kMaxReply];
size_t g_replied = 0;
char g_path[kMaxPath];
char g_passwd[kMaxPasswd];

// ---- what the caller is

const char* find(char** env, const char* name) {
  const size_t n = length_of(name);
  for (; *env != nullptr; ++env)
    if (starts_with(*env, name) && (*env)[n] == '=') return *env + n + 1;
  return nullptr;
}

/// Options that come as variables, and where policies are looked for.
bool asks_for_more(char** env) {
  for (const policy::Setting& s : policy::kSettings)
    if (find(env, s.variable.data()) != nullptr) return true;  // a literal
  return find(env, "XDG_CONFIG_HOME") != nullptr;
}

void pass(Text& body, bool& first, const char* name, size_t length, const char* value) {
  body.add(first ? R"(,"caller_env":{")" : R"(,")");
  first = false;
  for (size_t i = 0; i < length; ++i)
    if (name[i] < '-' || name[i] > 'z' || name[i] == '\\') body.failed = true;
  body.add(name, length);
  body.add(R"(":)");
  body.quoted(value);
}

/// Each once, by name.
void pass_locale(Text& body, bool& first, char** env) {
  const char* last = "LC";
  for (;;) {
    const char* next = nullptr;
    for (char** e = env; *e != nullptr; ++e)
      if (starts_with(*e, "LC_") && less(last, *e) && (next == nullptr || less(*e, next)))
        next = *e;
    if (next == nullptr) return;
    size_t n = 0;
    while (next[n] != '=' && next[n] != '\0') ++n;
    if (next[n] == '=') pass(body, first, next, n, next + n + 1);
    last = next;
  }
}

/// In the order of the client's std::map.
void pass_environment(Text& body, char** env) {
  bool first = true, locale = false;
  for (const std::string_view passed : kPassed) {
    const char* name = passed.data();  // a literal
    if (!locale && less("LC_", name)) {
      pass_locale(body, first, env);
      locale = true;
    }
    if (const char* value = find(env, name)) pass(body, first, name, passed.size(), value);
  }
  if (!first) body.byte('}');
}

/// The kinds that need nobody to carry bytes: /dev/null, and a file or pipe that is handed on (as
/// sort_of() in cli/stdio.cc has it). `null` says which.
bool is_plain(int fd, bool& null) {
  struct stat st;
  st.st_mode = 0;
  st.st_rdev = 0;
  if (call(SYS_fstat, fd, at(&st)) != 0) return false;
  const long flags = call(SYS_fcntl, fd, F_GETFL);
  if (flags < 0) return false;
  constexpr dev_t kNull = (1 << 8) | 3;
  null = (st.st_mode & S_IFMT) == S_IFCHR && st.st_rdev == kNull;
  if (null) return true;
  const long access = flags & O_ACCMODE;
  const bool usable = access == O_RDWR || access == (fd == 0 ? O_RDONLY : O_WRONLY);
  return usable && ((st.st_mode & S_IFMT) == S_IFIFO || (st.st_mode & S_IFMT) == S_IFREG);
}

/// passwd(5), as core/os/place.cc reads it: its first sound line with that uid.
const char* home_of(long uid) {
  const long fd = call(SYS_openat, AT_FDCWD, at("/etc/passwd"), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return nullptr;
  const long n = call(SYS_read, fd, at(g_passwd), kMaxPasswd);
  call(SYS_close, fd);
  if (n <= 0 || n == static_cast<long>(kMaxPasswd)) return nullptr;
  g_passwd[n] = '\0';
  for (char* line = g_passwd; *line != '\0';) {
    char* fields[7] = {};
    size_t count = 0;
    char* p = line;
    while (count < 7) {
      fields[count++] = p;
      while (*p != ':' && *p != '\n' && *p != '\0') ++p;
      if (*p != ':') break;
      *p++ = '\0';
    }
    while (*p != '\n' && *p != '\0') ++p;
    const bool last = *p == '\0';
    *p = '\0';
    long number = count >= 6 && *fields[2] != '\0' ? 0 : -1;
    for (const char* d = fields[2]; number >= 0 && *d != '\0'; ++d)
      number = *d >= '0' && *d <= '9' && number < (1L << 32) ? number * 10 + (*d - '0') : -1;
    if (number == uid) return fields[5];
    line = last ? p : p + 1;
  }
  return nullptr;
}

bool find_socket(char** env, Text& path) {
  const char* home = find(env, "CODEXOS_HOME");
  if (home == nullptr || *home == '\0') {
    const long uid = call(SYS_getuid);
    home = uid == 0 ? kStateOfRoot : home_of(uid);
    if (home == nullptr || *home != '/') return false;
    path.add(home);
    if (uid != 0) path.add(kStateBelowHome);
  } else {
    if (*home != '/' || home[length_of(home) - 1] == '/') return false;
    path.add(home);
  }
  path.add(kSocketBelowState);
  path.byte('\0');
  return !path.failed;
}

// ---- the request

bool write_body(Text& body, char** argv, char** env, bool reads_input) {
  body.add(R"({"argv":[)");
  for (char** word = argv; *word != nullptr; ++word) {
    if (word != argv) body.byte(',');
    body.quoted(*word);
  }
  body.add(R"(],"cwd":)");
  const long n = call(SYS_getcwd, at(g_path), sizeof g_path);
  if (n <= 0 || g_path[0] != '/') return false;
  body.quoted(g_path);
  pass_environment(body, env);
  const long mask = call(SYS_umask, 0);
  call(SYS_umask, mask);
  constexpr long kUsual = 022;
  if (mask != kUsual) {
    body.add(R"(,"umask":)");
    body.number(static_cast<size_t>(mask));
  }
  body.add(R"(,"owned":true)");
  if (reads_input) body.add(R"(,"stdin_mode":"pipe")");
  body.add(R"(,"stdout_mode":"passed","stderr_mode":"passed"})");
  return !body.failed;
}

bool write_request(char** argv, char** env, bool reads_input) {
  Text body{g_request + kMaxHead, kMaxRequest};
  if (!write_body(body, argv, env, reads_input)) return false;
  char bytes[kMaxHead];
  Text head{bytes, sizeof bytes};
  head.add(
      "POST /v1/tasks HTTP/1.1\r\nconnection: upgrade\r\ncontent-type: application/json\r\n"
      "host: codexos\r\nupgrade: codexos-frames/");
  head.number(kFramesVersion);
  head.add("\r\nuser-agent: codexos/");
  head.add(kVersion);
  head.add("\r\ncontent-length: ");
  head.number(body.size);
  head.add("\r\n\r\n");
  if (head.failed) return false;
  g_begin = kMaxHead - head.size;
  g_end = kMaxHead + body.size;
  for (size_t i = 0; i < head.size; ++i) g_request[g_begin + i] = bytes[i];
  return true;
}

long connect_to(const char* path) {
  sockaddr_un address;
  address.sun_family = AF_UNIX;
  const size_t n = length_of(path);
  if (n >= sizeof address.sun_path) return -1;
  for (size_t i = 0; i < sizeof address.sun_path; ++i) address.sun_path[i] = i < n ? path[i] : '\0';
  const long fd = call(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC);
  if (fd < 0) return -1;
  if (call(SYS_connect, fd, at(&address), sizeof address) == 0) return fd;
  call(SYS_close, fd);
  return -1;
}

/// With our user namespace, stdout and stderr, in one message. What does not fit follows alone.
bool send_request(int fd) {
  const long space = call(SYS_openat, AT_FDCWD, at("/proc/self/ns/user"), O_RDONLY | O_CLOEXEC);
  if (space < 0) return false;
  constexpr size_t kDescriptors = 3;
  alignas(cmsghdr) char control[CMSG_SPACE(kDescriptors * sizeof(int))];
  auto* c = reinterpret_cast<cmsghdr*>(control);
  c->cmsg_len = CMSG_LEN(kDescriptors * sizeof(int));
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  auto* fds = reinterpret_cast<int*>(CMSG_DATA(c));
  fds[0] = static_cast<int>(space);
  fds[1] = 1;
  fds[2] = 2;
  iovec part{g_request + g_begin, g_end - g_begin};
  msghdr m;
  m.msg_name = nullptr;
  m.msg_namelen = 0;
  m.msg_iov = &part;
  m.msg_iovlen = 1;
  m.msg_control = control;
  m.msg_controllen = sizeof control;
  m.msg_flags = 0;
  long sent = 0;
  do sent = call(SYS_sendmsg, fd, at(&m), MSG_NOSIGNAL);
  while (sent == -EINTR);
  call(SYS_close, space);
  if (sent <= 0) return false;
  for (size_t done = static_cast<size_t>(sent); done < g_end - g_begin;) {
    part.iov_base = g_request + g_begin + done;
    part.iov_len = g_end - g_begin - done;
    m.msg_control = nullptr;
    m.msg_controllen = 0;
    sent = call(SYS_sendmsg, fd, at(&m), MSG_NOSIGNAL);
    if (sent == -EINTR) continue;
    if (sent <= 0) break;  // refused: its answer is worth more
    done += static_cast<size_t>(sent);
  }
  return true;
}

// ---- the end

struct KernelAction {  // of rt_sigaction(2)
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)();
  uint64_t mask;
};

/// The signals that the client forwards, blocked; a mask of the kernel, bit 0 for signal 1.
uint64_t block_signals() {
  uint64_t mask = 0;
  for (const int s : kForwarded) {
    KernelAction now;
    if (call(SYS_rt_sigaction, s, 0, at(&now), sizeof mask) != 0) continue;
    if (now.handler != SIG_IGN) mask |= 1ULL << (s - 1);
  }
  call(SYS_rt_sigprocmask, SIG_BLOCK, at(&mask), 0, sizeof mask);
  return mask;
}

/// As the client does it, which takes no notice of a stderr that cannot be written.
void say(const PlainEnd& end) {
  iovec parts[2] = {{const_cast<char*>(end.note), end.note_size}, {const_cast<char*>("\n"), 1}};
  if (end.note_size == 0) return;
  const KernelAction ignore{SIG_IGN, 0, nullptr, 0};
  call(SYS_rt_sigaction, SIGPIPE, at(&ignore), 0, sizeof ignore.mask);
  call(SYS_writev, 2, at(parts), end.note[end.note_size - 1] == '\n' ? 1 : 2);
}

/// Until the end of the program, if it is the first that comes and plain. Reads no signal: one that
/// is pending is for the client.
void wait_for_end(int connection) {
  const uint64_t mask = block_signals();
  const long signals = call(SYS_signalfd4, -1, at(&mask), sizeof mask, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) return;
  for (;;) {
    pollfd wait[2] = {{connection, POLLIN, 0}, {static_cast<int>(signals), POLLIN, 0}};
    const long n = call(SYS_poll, at(wait), 2, -1);
    if (n == -EINTR) continue;
    if (n <= 0 || wait[1].revents != 0) break;
    const long got = call(SYS_read, connection, at(g_reply + g_replied), kMaxReply - g_replied);
    if (got <= 0) break;  // an end without a word, or a full buffer
    g_replied += static_cast<size_t>(got);
    const PlainEnd end = plain_end(g_reply, g_replied);
    if (end.is == PlainEnd::Is::plain) {
      say(end);
      call(SYS_exit_group, end.code);
    }
    if (end.is == PlainEnd::Is::other) break;
  }
  call(SYS_close, signals);
}

}  // namespace

EarlyRequest early_request;

PlainEnd plain_end(const char* bytes, size_t size) {
  using Is = PlainEnd::Is;
  PlainEnd out;
  const char* status = "HTTP/1.1 101 ";
  for (size_t i = 0; status[i] != '\0'; ++i) {
    if (i == size) return out;
    if (bytes[i] != status[i]) return out.is = Is::other, out;
  }
  size_t begin = 0;
  for (size_t i = 3; i < size && begin == 0; ++i)
    if (bytes[i] == '\n' && bytes[i - 1] == '\r' && bytes[i - 2] == '\n') begin = i + 1;
  // to_binary(ExitFrame), with no text but the note.
  struct [[gnu::packed]] Front {
    uint8_t type, stream;
    uint16_t zero;
    uint32_t size;
    uint32_t outcome_size;
    int64_t cause, code, signal;
    uint32_t detail_size;
    uint8_t recorded;
    uint32_t note_size;
  } front;
  if (begin == 0 || begin == size) return out;
  if (bytes[begin] != static_cast<char>(FrameType::exit)) return out.is = Is::other, out;
  if (size - begin < sizeof front) return out;
  for (size_t i = 0; i < sizeof front; ++i) reinterpret_cast<char*>(&front)[i] = bytes[begin + i];
  constexpr int64_t kMostCode = 255;
  const bool plain = front.cause == static_cast<int64_t>(Cause::exited) && front.signal == 0 &&
                     front.code >= 0 && front.code <= kMostCode && front.detail_size == 0 &&
                     front.recorded == 1;
  const size_t note = begin + sizeof front;
  constexpr size_t kErrorSize = sizeof(uint32_t);
  if (!plain || size - note < kErrorSize || size - note - kErrorSize != front.note_size)
    return out.is = Is::other, out;
  for (size_t i = 0; i < kErrorSize; ++i)
    if (bytes[note + front.note_size + i] != '\0') return out.is = Is::other, out;
  out.is = Is::plain;
  out.code = static_cast<int>(front.code);
  out.note = bytes + note;
  out.note_size = front.note_size;
  return out;
}

/// `stack`: what the kernel puts there, argc, argv, environment.
extern "C" [[gnu::visibility("hidden"), gnu::used]] void codexos_early(char** stack) {
  const auto argc = reinterpret_cast<intptr_t>(stack[0]);
  char** argv = stack + 1;
  char** env = argv + argc + 1;
  constexpr intptr_t kLeast = 4;  // codexos run -- CMD
  if (argc < kLeast || !equal(argv[1], "run") || !equal(argv[2], "--") || argv[3][0] == '\0')
    return;
  bool null[3];
  for (int fd = 0; fd < 3; ++fd)
    if (!is_plain(fd, null[fd])) return;
  if (asks_for_more(env)) return;
  Text path{g_path, sizeof g_path};
  if (!find_socket(env, path)) return;
  const long fd = connect_to(g_path);
  if (fd < 0) return;
  if (!write_request(argv + 3, env, !null[0]) || !send_request(static_cast<int>(fd))) {
    call(SYS_close, fd);
    return;
  }
  if (null[0]) wait_for_end(static_cast<int>(fd));
  early_request = {static_cast<int>(fd), g_request + g_begin, g_end - g_begin, g_reply, g_replied};
}

}  // namespace codexos::cli

#if defined(__x86_64__)
// rdx is for _start (a function to register with atexit(3), or 0); the stack is aligned to 16.
asm(R"(
  .globl codexos_entry
  .hidden codexos_entry
  .type codexos_entry, @function
codexos_entry:
  xor %ebp, %ebp
  mov %rsp, %rdi
  push %rdx
  sub $8, %rsp
  call codexos_early
  add $8, %rsp
  pop %rdx
  jmp _start
  .size codexos_entry, . - codexos_entry
)");
#endif

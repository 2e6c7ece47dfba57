// SPDX-License-Identifier: Apache-2.0
// Loaded into a daemon with LD_PRELOAD: breaks one of its calls that change something on a disk,
// chosen by a control file, so that any user can do to their daemon what else needs a tracer.
//
// CODEXOS_FAULT names the control file: "CALL HOW WHEN WORD". CALL is the name of a function below,
// or `any`; HOW is `kill`, which ends the process before the call, or `full`, which fails it with
// ENOSPC; WHEN counts from 1, from when the file was written (WORD makes it another one). A call
// that was hit leaves CONTROLFILE.hit. Without the file everything passes.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

namespace {

struct Control {
  char text[128] = {};
  char call[32] = {}, how[8] = {};
  int when = 0;
  int seen = 0;
};
std::mutex mutex;
Control control;

/// By raw calls: none of ours is counted.
void read_control(const char* file) {
  char text[sizeof control.text] = {};
  const long fd = syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    syscall(SYS_read, fd, text, sizeof text - 1);
    syscall(SYS_close, fd);
  }
  if (std::strcmp(text, control.text) == 0) return;
  control = Control();
  std::memcpy(control.text, text, sizeof text);
  if (std::sscanf(text, "%31s %7s %d", control.call, control.how, &control.when) != 3)
    control.when = 0;
}

void leave_mark(const char* file) {
  char name[512];
  std::snprintf(name, sizeof name, "%s.hit", file);
  const long fd = syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0) syscall(SYS_close, fd);
}

/// True: the call is to fail.
bool breaks(const char* call) {
  static const char* const file = std::getenv("CODEXOS_FAULT");
  if (file == nullptr) return false;
  const int saved = errno;
  bool hit = false;
  {
    const std::lock_guard lock(mutex);
    read_control(file);
    const bool counts = control.when > 0 && (std::strcmp(control.call, call) == 0 ||
                                             std::strcmp(control.call, "any") == 0);
    hit = counts && ++control.seen == control.when;
    if (hit) leave_mark(file);
    if (hit && std::strcmp(control.how, "kill") == 0) syscall(SYS_kill, getpid(), SIGKILL);
  }
  errno = hit ? ENOSPC : saved;
  return hit;
}

bool is_file(int fd) {
  struct stat st {};
  return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

template <class Fn>
Fn* real(const char* name) {
  return reinterpret_cast<Fn*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

// Under names of their own, since the C library declares some of them as throwing nothing.
#define CODEXOS_BREAKABLE(type, name, parameters, arguments, applies) \
  extern "C" type break_##name parameters __asm__(#name);             \
  type break_##name parameters {                                      \
    static auto* const next = real<type parameters>(#name);           \
    if ((applies) && breaks(#name)) return -1;                        \
    return next arguments;                                            \
  }

CODEXOS_BREAKABLE(int, renameat2, (int f, const char* a, int t, const char* b, unsigned int x),
                  (f, a, t, b, x), true)
CODEXOS_BREAKABLE(int, rename, (const char* a, const char* b), (a, b), true)
CODEXOS_BREAKABLE(int, mkdirat, (int d, const char* p, mode_t m), (d, p, m), true)
CODEXOS_BREAKABLE(int, mkdir, (const char* p, mode_t m), (p, m), true)
CODEXOS_BREAKABLE(int, unlinkat, (int d, const char* p, int f), (d, p, f), true)
CODEXOS_BREAKABLE(int, unlink, (const char* p), (p), true)
CODEXOS_BREAKABLE(int, linkat, (int f, const char* a, int t, const char* b, int x), (f, a, t, b, x),
                  true)
CODEXOS_BREAKABLE(int, symlinkat, (const char* a, int d, const char* b), (a, d, b), true)
CODEXOS_BREAKABLE(int, syncfs, (int fd), (fd), true)
CODEXOS_BREAKABLE(int, fsync, (int fd), (fd), true)
CODEXOS_BREAKABLE(int, fdatasync, (int fd), (fd), true)
CODEXOS_BREAKABLE(int, fchmod, (int fd, mode_t m), (fd, m), true)
CODEXOS_BREAKABLE(int, chmod, (const char* p, mode_t m), (p, m), true)
CODEXOS_BREAKABLE(int, utimensat, (int d, const char* p, const timespec t[2], int f), (d, p, t, f),
                  true)
CODEXOS_BREAKABLE(int, futimens, (int fd, const timespec t[2]), (fd, t), true)
CODEXOS_BREAKABLE(ssize_t, copy_file_range,
                  (int i, off64_t* a, int o, off64_t* b, size_t n, unsigned int f),
                  (i, a, o, b, n, f), true)
CODEXOS_BREAKABLE(ssize_t, write, (int fd, const void* b, size_t n), (fd, b, n), is_file(fd))
CODEXOS_BREAKABLE(ssize_t, pwrite, (int fd, const void* b, size_t n, off_t at), (fd, b, n, at),
                  is_file(fd))
CODEXOS_BREAKABLE(ssize_t, pwrite64, (int fd, const void* b, size_t n, off64_t at), (fd, b, n, at),
                  is_file(fd))
CODEXOS_BREAKABLE(int, ftruncate, (int fd, off_t n), (fd, n), true)
CODEXOS_BREAKABLE(int, ftruncate64, (int fd, off64_t n), (fd, n), true)

extern "C" int break_openat(int dir, const char* path, int flags, ...) __asm__("openat");
int break_openat(int dir, const char* path, int flags, ...) {
  static auto* const next = real<int(int, const char*, int, ...)>("openat");
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  if ((flags & O_CREAT) != 0 && breaks("openat")) return -1;
  return next(dir, path, flags, mode);
}

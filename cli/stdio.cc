// SPDX-License-Identifier: Apache-2.0
#include "cli/stdio.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace codexos::cli {
namespace {

bool is_null_device(const struct stat& st) {
  return S_ISCHR(st.st_mode) && major(st.st_rdev) == 1 && minor(st.st_rdev) == 3;
}

Stdio input_mode(Sort s) {
  if (s == Sort::closed || s == Sort::null) return Stdio::null;
  return s == Sort::terminal ? Stdio::pty : Stdio::pipe;
}

Stdio output_mode(Sort s) {
  switch (s) {
    case Sort::closed:
      return Stdio::null;
    case Sort::terminal:
      return Stdio::pty;
    case Sort::null:
    case Sort::passable:
      return Stdio::passed;
    case Sort::other:
      break;
  }
  return Stdio::pipe;
}

int first_terminal(const std::array<Sort, 3>& sorts) {
  for (const int fd : {1, 2, 0})
    if (sorts[static_cast<size_t>(fd)] == Sort::terminal) return fd;
  return -1;
}

StdioChoice detached(const StdioWish& wish) {
  StdioChoice c;
  if (wish.tty) c.mode = {Stdio::pty, Stdio::pty, Stdio::pty};
  if (wish.interactive && !wish.tty) c.mode[0] = Stdio::pipe;
  return c;
}

/// The output is read from the event stream, so nothing of it comes here; a terminal is not read
/// unless asked for, since the program cannot draw on it.
StdioChoice as_events(const std::array<Sort, 3>& sorts, const StdioWish& wish) {
  StdioChoice c;
  const bool empty = sorts[0] == Sort::closed || sorts[0] == Sort::null;
  c.forward_input = !empty && (sorts[0] != Sort::terminal || wish.interactive);
  c.mode[0] = c.forward_input ? Stdio::pipe : Stdio::null;
  return c;
}

}  // namespace

Sort sort_of(int fd) {
  struct stat st {};
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fstat(fd, &st) != 0) return Sort::closed;
  if (isatty(fd) == 1) return Sort::terminal;
  if (is_null_device(st)) return Sort::null;
  const int access = flags & O_ACCMODE;
  const bool usable = access == O_RDWR || access == (fd == 0 ? O_RDONLY : O_WRONLY);
  if (usable && (S_ISFIFO(st.st_mode) || S_ISREG(st.st_mode))) return Sort::passable;
  return Sort::other;
}

StdioChoice choose_stdio(const std::array<Sort, 3>& sorts, const StdioWish& wish) {
  if (wish.detach) return detached(wish);
  if (wish.json) return as_events(sorts, wish);
  StdioChoice c;
  c.terminal_fd = first_terminal(sorts);
  c.mode = {input_mode(sorts[0]), output_mode(sorts[1]), output_mode(sorts[2])};
  if (wish.tty) {
    c.mode = {Stdio::pty, Stdio::pty, Stdio::pty};
    if (c.terminal_fd < 0) c.terminal_fd = 1;
  }
  c.raw_input = sorts[0] == Sort::terminal && c.mode[0] == Stdio::pty;
  c.forward_input = c.mode[0] != Stdio::null && sorts[0] != Sort::closed;
  return c;
}

std::array<bool, 3> fill_closed_descriptors() {
  std::array<bool, 3> open = {true, true, true};
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    open[static_cast<size_t>(fd)] = false;
    // The lowest free number is fd itself, since those below are open by now. Write-only for stdin
    // and read-only for the others: using them fails as it would on a closed one. Stays open for
    // the life of the process.
    if (::open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd) break;
  }
  return open;
}

}  // namespace codexos::cli

// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>

namespace codexos::cli {
namespace {

// What a fatal signal has to restore. Globals, since a signal handler can reach nothing else.
termios g_saved;
volatile sig_atomic_t g_fd = -1;

constexpr std::array kFatal{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};

extern "C" void restore_and_die(int signal) {
  if (g_fd >= 0) tcsetattr(g_fd, TCSANOW, &g_saved);
  // SA_RESETHAND: the second time it kills.
  raise(signal);
}

void catch_fatal(bool on) {
  for (const int s : kFatal) {
    struct sigaction a {};
    if (on) {
      a.sa_handler = restore_and_die;
    } else {
      a.sa_handler = SIG_DFL;
    }
    a.sa_flags = static_cast<int>(SA_RESETHAND) | SA_NODEFER;
    sigaction(s, &a, nullptr);
  }
}

}  // namespace

TerminalSize terminal_size(int fd) {
  winsize w{};
  TerminalSize out;
  if (fd < 0 || ioctl(fd, TIOCGWINSZ, &w) != 0 || w.ws_row == 0 || w.ws_col == 0) return out;
  out.rows = w.ws_row;
  out.cols = w.ws_col;
  return out;
}

bool in_foreground(int fd) { return tcgetpgrp(fd) == getpgrp(); }

void RawMode::enter(int fd) {
  if (on() || !in_foreground(fd)) return;
  if (tcgetattr(fd, &g_saved) != 0) return;
  termios raw = g_saved;
  cfmakeraw(&raw);
  g_fd = fd;
  catch_fatal(true);
  if (tcsetattr(fd, TCSADRAIN, &raw) != 0) {
    catch_fatal(false);
    g_fd = -1;
    return;
  }
  fd_ = fd;
}

void RawMode::leave() {
  if (!on()) return;
  // From the background this would stop us: whoever put us there has set the terminal as it likes.
  if (in_foreground(fd_)) tcsetattr(fd_, TCSADRAIN, &g_saved);
  g_fd = -1;
  catch_fatal(false);
  fd_ = -1;
}

}  // namespace codexos::cli

// SPDX-License-Identifier: Apache-2.0
// The caller's terminal: its size, and raw mode that is undone on every way out, also when this
// program is killed by a signal that it can see (termios(3)).
#pragma once

#include <cstdint>

namespace codexos::cli {

struct TerminalSize {
  uint16_t rows = 24;
  uint16_t cols = 80;
};
/// TIOCGWINSZ; 24x80 when `fd` is not a terminal or does not know.
TerminalSize terminal_size(int fd);

/// True when our process group may use the terminal `fd` (tcgetpgrp(3)).
bool in_foreground(int fd);

/// Raw mode of one terminal. At most one object at a time: fatal signals restore what it saved.
class RawMode {
 public:
  RawMode() = default;
  ~RawMode() { leave(); }
  RawMode(const RawMode&) = delete;
  RawMode& operator=(const RawMode&) = delete;

  /// Nothing happens when we are in the background (it would stop us by SIGTTOU) or it is on.
  void enter(int fd);
  void leave();
  bool on() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

}  // namespace codexos::cli

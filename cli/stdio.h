// SPDX-License-Identifier: Apache-2.0
// Which way each of the caller's descriptors 0, 1, 2 takes into the task (cli contract "stdio").
#pragma once

#include <array>
#include <vector>

#include "core/base/plan.h"

namespace codexos::cli {

/// What one of our descriptors is.
enum class Sort {
  closed,
  terminal,
  null,      // /dev/null
  passable,  // a pipe or a regular file, open in the right direction: the shim can use it itself
  other,     // sockets, other devices
};

/// fstat(2) and isatty(3) of descriptor `fd`, which must be 0, 1 or 2.
Sort sort_of(int fd);

struct StdioWish {
  bool detach = false;
  bool interactive = false;
  bool tty = false;
  bool json = false;
};

struct StdioChoice {
  std::array<Stdio, 3> mode = {Stdio::null, Stdio::pipe, Stdio::pipe};
  bool forward_input = false;  // our stdin goes into frames
  bool raw_input = false;      // our stdin is the terminal: raw mode and detach keys
  int terminal_fd = -1;        // where the task's terminal is shown, and its size read; -1: nowhere
};

/// Pure.
StdioChoice choose_stdio(const std::array<Sort, 3>& sorts, const StdioWish& wish);

/// At the start of main: descriptors 0, 1, 2 that are closed become read-only /dev/null, so that no
/// later descriptor lands on those numbers and writes to them fail. Returns which were open.
std::array<bool, 3> fill_closed_descriptors();

}  // namespace codexos::cli

// SPDX-License-Identifier: Apache-2.0
// Long output on a terminal goes through a pager: $CODEXOS_PAGER, $PAGER, or less; as git does it,
// run by the shell, with LESS=FRX where LESS is not set. Anywhere else output goes to stdout.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/fd.h"

namespace codexos::cli {

/// The command line; empty: none (no terminal, "cat", an empty variable, or no less on PATH).
std::string choose_pager();

class Pager {
 public:
  /// `command` empty: writes go to stdout.
  explicit Pager(std::string command) : command_(std::move(command)) {}
  ~Pager() { finish(); }
  Pager(const Pager&) = delete;
  Pager& operator=(const Pager&) = delete;

  /// The pager starts with the first byte, so that no output means no pager.
  Status write(std::string_view text);
  /// The reader closed it: nothing more needs to be made.
  bool closed() const { return closed_; }
  /// Waits until it was left.
  void finish();

 private:
  Status start();
  std::string command_;
  Fd pipe_;
  pid_t pid_ = -1;
  bool closed_ = false;
};

}  // namespace codexos::cli

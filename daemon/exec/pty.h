// SPDX-License-Identifier: Apache-2.0
// The task's terminal: pts(4), ptmx(4), ioctl_tty(2). Opened in the task's own devpts, without
// grantpt (no helper program) and without a path for the slave (TIOCGPTPEER), so a mount over
// /dev/pts cannot redirect it.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "core/base/error.h"
#include "core/base/fd.h"

namespace codexos::exec {

struct Pty {
  Fd master;  // O_NONBLOCK; the shim's only
  Fd slave;   // kept open while the program runs, else the master reports a hangup whenever the
              // program has no terminal descriptor open for a moment
};

Result<Pty> open_pty(uint32_t rows, uint32_t cols);
/// Also sends SIGWINCH to the foreground process group (the kernel does, when the size changed).
void resize_pty(int master, uint32_t rows, uint32_t cols);
/// The foreground process group, or 0.
pid_t foreground_group(int master);
/// The character that means end of file to programs that read lines (VEOF, usually ^D).
char end_of_file_char(int master);

}  // namespace codexos::exec

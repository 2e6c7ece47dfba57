// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/pty.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <cerrno>

namespace codexos::exec {

Result<Pty> open_pty(uint32_t rows, uint32_t cols) {
  Pty p;
  p.master.reset(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (!p.master) return errno_error("open /dev/ptmx", errno);
  int locked = 0;
  if (ioctl(p.master.get(), TIOCSPTLCK, &locked) < 0) return errno_error("unlock terminal", errno);
  p.slave.reset(ioctl(p.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!p.slave) return errno_error("open the terminal", errno);
  termios t{};
  if (tcgetattr(p.slave.get(), &t) == 0) {
    t.c_iflag |= IUTF8;  // erasing removes a character, not a byte
    tcsetattr(p.slave.get(), TCSANOW, &t);
  }
  resize_pty(p.master.get(), rows, cols);
  return p;
}

void resize_pty(int master, uint32_t rows, uint32_t cols) {
  winsize size{};
  size.ws_row = static_cast<unsigned short>(rows);
  size.ws_col = static_cast<unsigned short>(cols);
  ioctl(master, TIOCSWINSZ, &size);
}

pid_t foreground_group(int master) {
  pid_t group = 0;
  return ioctl(master, TIOCGPGRP, &group) == 0 && group > 0 ? group : 0;
}

char end_of_file_char(int master) {
  termios t{};
  if (tcgetattr(master, &t) < 0) return 4;
  return static_cast<char>(t.c_cc[VEOF]);
}

}  // namespace codexos::exec

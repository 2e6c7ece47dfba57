// SPDX-License-Identifier: Apache-2.0
#include "core/os/mount_table.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace codexos {

Result<MountTable> MountTable::open() {
  MountTable t;
  t.fd_.reset(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
  if (!t.fd_) return errno_error("open /proc/self/mountinfo", errno);
  return t;
}

void MountTable::refresh() {
  pollfd p{fd_.get(), POLLPRI, 0};
  const bool changed = poll(&p, 1, 0) > 0;
  if (!changed && !text_.empty()) return;
  std::string text;
  char buf[16384];
  lseek(fd_.get(), 0, SEEK_SET);
  for (ssize_t n = 0; (n = read(fd_.get(), buf, sizeof buf)) > 0;)
    text.append(buf, static_cast<size_t>(n));
  if (text == text_) return;
  text_ = std::move(text);
  ++generation_;
}

const std::string& MountTable::text() {
  refresh();
  return text_;
}

uint64_t MountTable::generation() {
  refresh();
  return generation_;
}

}  // namespace codexos

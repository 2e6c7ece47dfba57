// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/log_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "daemon/exec/chunk.h"

namespace codexos::exec {
namespace {

void discard(int pipe, size_t n) {
  while (n > 0) {
    const ssize_t got = ::read(pipe, chunk(), std::min(n, kChunk));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    n -= static_cast<size_t>(got);
  }
}

}  // namespace

size_t LogFile::piece(uint64_t offset, size_t n) const {
  const uint64_t head = layout_.head();
  const uint64_t ring = layout_.cap - head;
  const uint64_t room = offset < head ? head - offset : ring - (offset - head) % ring;
  return static_cast<size_t>(std::min<uint64_t>(n, room));
}

void LogFile::give_up(int error, uint64_t offset) {
  error_ = error;
  end_ = offset;
  fd_.reset();
}

void LogFile::write(std::string_view bytes, uint64_t offset) {
  while (usable() && !bytes.empty()) {
    const size_t n = piece(offset, bytes.size());
    const ssize_t put =
        pwrite(fd_.get(), bytes.data(), n, static_cast<off_t>(layout_.position(offset)));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return give_up(put < 0 ? errno : EIO, offset);
    bytes.remove_prefix(static_cast<size_t>(put));
    offset += static_cast<uint64_t>(put);
  }
}

void LogFile::take_from(int pipe, size_t n, uint64_t offset) {
  while (usable() && n > 0) {
    auto at = static_cast<off_t>(layout_.position(offset));
    const ssize_t put = splice(pipe, nullptr, fd_.get(), &at, piece(offset, n), SPLICE_F_MOVE);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      give_up(put < 0 ? errno : EIO, offset);
      break;
    }
    n -= static_cast<size_t>(put);
    offset += static_cast<uint64_t>(put);
  }
  discard(pipe, n);
}

size_t LogFile::read(uint64_t offset, uint64_t total, char* to, size_t room) const {
  if (!usable() || offset >= total || first_kept(offset, total) != offset) return 0;
  const size_t want = piece(offset, static_cast<size_t>(std::min<uint64_t>(room, total - offset)));
  const ssize_t n = pread(fd_.get(), to, want, static_cast<off_t>(layout_.position(offset)));
  return n > 0 ? static_cast<size_t>(n) : 0;
}

uint64_t LogFile::first_kept(uint64_t offset, uint64_t total) const {
  return offset < layout_.head() ? offset : std::max(offset, layout_.tail_begin(total));
}

}  // namespace codexos::exec

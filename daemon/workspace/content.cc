// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/content.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace codexos::daemon {
namespace {

Result<std::string> read_whole(int fd, uint64_t size, size_t limit, const std::string& path) {
  const Error too_large{Code::exhausted, path + " is too large", {}};
  if (size > limit) return too_large;
  // One byte more than it should have: a file that grows is read again with more room.
  std::string out(static_cast<size_t>(size) + 1, '\0');
  for (size_t got = 0;;) {
    const ssize_t n = read(fd, out.data() + got, out.size() - got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("read " + path, errno);
    const bool cut = static_cast<size_t>(n) < out.size() - got;
    got += static_cast<size_t>(n);
    if (n == 0 || (cut && got == size)) {
      out.resize(got);
      return out;
    }
    if (got > limit) return too_large;
    if (got == out.size()) out.resize(std::min(out.size() * 2, limit + 1));
  }
}

}  // namespace

Result<std::string> load_content(const LayerStack& stack, const Delta& d, When side, size_t limit) {
  const auto& facts = facts_on(d, side);
  if (!facts || facts->is_dir()) return std::string();
  if (facts->is_link()) return side == When::before ? stack.link_before(d) : stack.link_after(d);
  if (!facts->is_file()) return Error{Code::invalid, d.path + " is not a file", {}};
  const Fd fd = side == When::before ? stack.open_before(d) : stack.open_after(d);
  if (!fd) {
    Error e = errno_error("open " + d.path, errno);
    if (errno == EACCES || errno == EPERM) e.code = Code::denied;
    return e;
  }
  struct stat st {};
  // A task that runs may have put something else there meanwhile.
  if (fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode))
    return Error{Code::invalid, d.path + " is not a file any more", {}};
  return read_whole(fd.get(), static_cast<uint64_t>(st.st_size), limit, d.path);
}

bool is_binary(std::string_view content) {
  constexpr size_t kLooked = 8000;
  return content.substr(0, kLooked).find('\0') != std::string_view::npos;
}

}  // namespace codexos::daemon

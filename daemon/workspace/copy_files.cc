// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/copy_files.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "core/os/file.h"

namespace codexos::daemon {
namespace {

constexpr size_t kPiece = 1 << 30;

bool is_overlay_name(std::string_view name) { return name.rfind("user.overlay.", 0) == 0; }
bool is_copied_name(std::string_view name) {
  return (name.rfind("user.", 0) == 0 && !is_overlay_name(name)) ||
         name.rfind("system.posix_acl_", 0) == 0;
}

/// Both stand at `at`; `n` bytes.
Status copy_through_memory(int from, int to, off_t at, size_t n) {
  static thread_local char piece[1 << 18];
  while (n > 0) {
    const ssize_t got = pread(from, piece, std::min(n, sizeof piece), at);
    if (got < 0) return errno_error("read", errno);
    if (got == 0) return {};  // it shrank meanwhile
    for (ssize_t put = 0; put < got;) {
      const ssize_t w = pwrite(to, piece + put, static_cast<size_t>(got - put), at + put);
      if (w < 0) return errno_error("write", errno);
      put += w;
    }
    at += got;
    n -= static_cast<size_t>(got);
  }
  return {};
}

Status copy_extent(int from, int to, off_t at, size_t n) {
  while (n > 0) {
    off_t in = at, out = at;
    const ssize_t done = copy_file_range(from, &in, to, &out, std::min(n, kPiece), 0);
    if (done < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP ||
                     errno == EBADF))
      return copy_through_memory(from, to, at, n);
    if (done < 0) return errno_error("copy", errno);
    if (done == 0) return copy_through_memory(from, to, at, n);  // procfs and its like say so
    at += done;
    n -= static_cast<size_t>(done);
  }
  return {};
}

}  // namespace

Result<bool> copy_bytes(int from, int to, const struct stat& st) {
  if (st.st_size == 0) return true;
  if (ioctl(to, FICLONE, from) == 0) return true;
  for (off_t at = 0; at < st.st_size;) {
    const off_t data = lseek(from, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;  // a hole up to the end
    const off_t begin = data < 0 ? at : data;
    const off_t hole = data < 0 ? -1 : lseek(from, begin, SEEK_HOLE);
    const off_t end = hole < 0 ? st.st_size : std::min<off_t>(hole, st.st_size);
    if (end <= begin) break;
    CODEXOS_TRY(copy_extent(from, to, begin, static_cast<size_t>(end - begin)));
    at = end;
  }
  if (ftruncate(to, st.st_size) < 0) return errno_error("truncate", errno);
  return false;
}

Status copy_facts(int from, int to, const struct stat& st) {
  if (geteuid() == 0 && fchown(to, st.st_uid, st.st_gid) < 0) return errno_error("chown", errno);
  const ssize_t size = flistxattr(from, nullptr, 0);
  std::string names(size > 0 ? static_cast<size_t>(size) : 0, '\0');
  const ssize_t n = flistxattr(from, names.data(), names.size());
  names.resize(n > 0 ? static_cast<size_t>(n) : 0);
  for (size_t at = 0; at < names.size(); at += std::strlen(names.c_str() + at) + 1) {
    const char* const name = names.c_str() + at;
    if (!is_copied_name(name)) continue;
    const ssize_t length = fgetxattr(from, name, nullptr, 0);
    std::string value(length > 0 ? static_cast<size_t>(length) : 0, '\0');
    const ssize_t got = fgetxattr(from, name, value.data(), value.size());
    if (got < 0) continue;
    if (fsetxattr(to, name, value.data(), static_cast<size_t>(got), 0) < 0 && errno != EOPNOTSUPP)
      return errno_error(std::string("attribute ") + name, errno);
  }
  if (fchmod(to, st.st_mode & 07777) < 0) return errno_error("chmod", errno);
  const timespec times[2] = {st.st_atim, st.st_mtim};
  if (futimens(to, times) < 0) return errno_error("set times", errno);
  return {};
}

Status copy_link_facts(int dir, const char* name, const struct stat& st) {
  if (geteuid() == 0 && fchownat(dir, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
    return errno_error("chown", errno);
  const timespec times[2] = {st.st_atim, st.st_mtim};
  if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0) return errno_error("set times", errno);
  return {};
}

}  // namespace codexos::daemon

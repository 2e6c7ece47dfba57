// SPDX-License-Identifier: Apache-2.0
#include "core/os/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "core/base/clock.h"

namespace codexos {

Result<Fd> open_file(const std::string& path, int flags, mode_t mode) {
  int fd = -1;
  do fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  while (fd < 0 && errno == EINTR);
  if (fd < 0) return errno_error("open " + path, errno);
  return Fd(fd);
}

Result<std::string> read_file(const std::string& path, size_t limit) {
  CODEXOS_ASSIGN(const Fd fd, open_file(path, O_RDONLY));
  std::string out;
  char piece[16 * 1024];
  for (;;) {
    const ssize_t n = ::read(fd.get(), piece, sizeof piece);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("read " + path, errno);
    if (n == 0) return out;
    if (out.size() + static_cast<size_t>(n) > limit)
      return Error{Code::exhausted,
                   "read " + path + ": larger than " + std::to_string(limit) + " bytes",
                   {}};
    out.append(piece, static_cast<size_t>(n));
  }
}

Result<std::string> read_until_end(int fd, int64_t patience_ms, size_t limit) {
  const int64_t until_us = monotonic_us() + patience_ms * 1000;
  std::string out;
  char buffer[16 << 10];
  while (out.size() < limit) {
    pollfd p{fd, POLLIN, 0};
    const int64_t left_ms = (until_us - monotonic_us()) / 1000;
    if (left_ms <= 0 || poll(&p, 1, static_cast<int>(left_ms)) == 0)
      return Error{Code::timeout, "the other end was not closed in time", {}};
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("read", errno);
    if (n == 0) break;
    out.append(buffer, static_cast<size_t>(n));
  }
  return out;
}

Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("write", errno);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

Status make_dir(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) == 0) return {};
  const int err = errno;
  struct stat st {};
  if (err == EEXIST && stat(path.c_str(), &st) == 0) {
    if (S_ISDIR(st.st_mode)) return {};
    return errno_error("make folder " + path, ENOTDIR);
  }
  return errno_error("make folder " + path, err);
}

Status make_dirs(const std::string& path, mode_t mode) {
  for (size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
    const std::string parent = path.substr(0, at);
    struct stat st {};
    if (stat(parent.c_str(), &st) == 0 && S_ISDIR(st.st_mode)) continue;
    CODEXOS_TRY(make_dir(parent, mode));
  }
  return make_dir(path, mode);
}

Status lock_file(int fd) {
  int r = 0;
  do r = flock(fd, LOCK_EX | LOCK_NB);
  while (r != 0 && errno == EINTR);
  if (r == 0) return {};
  if (errno == EWOULDBLOCK) return Error{Code::conflict, "lock is held by another process", {}};
  return errno_error("flock", errno);
}

Result<std::string> real_path(const std::string& path) {
  char* resolved = ::realpath(path.c_str(), nullptr);
  if (resolved == nullptr) return errno_error("resolve " + path, errno);
  std::string out(resolved);
  std::free(resolved);
  return out;
}

namespace {

/// Removes what is below one open folder. The tree was written by others: it may be deeper than any
/// limit of ours, so a folder that lies deeper than kMaxDepth is first moved up to the root of the
/// removal, which bounds both stack and open descriptors.
class TreeRemoval {
 public:
  explicit TreeRemoval(int root) : root_(root) {}

  Status empty(int dir, int depth) {
    DIR* stream = fdopendir(dup_cloexec(dir));
    if (stream == nullptr) return errno_error("list folder", errno);
    Status status = empty_stream(stream, dir, depth);
    closedir(stream);
    return status;
  }
  /// Opens a folder for listing, whatever its mode is. The link of the last name is not followed.
  static Result<Fd> open_any(int parent, const char* name) {
    Fd path(openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!path) return errno_error(std::string("open ") + name, errno);
    struct stat st {};
    if (fstat(path.get(), &st) != 0) return errno_error(std::string("stat ") + name, errno);
    if ((st.st_mode & S_IRWXU) != S_IRWXU) {
      const std::string self = "/proc/self/fd/" + std::to_string(path.get());
      // Best effort: root needs no mode bits, and the open below says what is wrong.
      if (chmod(self.c_str(), 0700) != 0 && errno != EPERM)
        return errno_error(std::string("chmod ") + name, errno);
    }
    Fd out(openat(path.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!out) return errno_error(std::string("open ") + name, errno);
    return out;
  }
  uint64_t freed_bytes() const { return blocks_ * 512; }
  void count(const struct stat& st) { blocks_ += static_cast<uint64_t>(st.st_blocks); }
  bool moved_up() const { return moved_since_pass_; }
  void begin_pass() { moved_since_pass_ = false; }

 private:
  static constexpr int kMaxDepth = 64;

  static int dup_cloexec(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 3); }

  Status empty_stream(DIR* stream, int dir, int depth) {
    rewinddir(stream);  // the duplicate shares its position with `dir`
    for (;;) {
      errno = 0;
      const dirent* entry = readdir(stream);
      if (entry == nullptr) {
        if (errno != 0) return errno_error("list folder", errno);
        return {};
      }
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      auto removed = remove_entry(dir, name.c_str(), depth);
      if (!removed.ok()) return std::move(removed).error().during(name);
    }
  }

  Status remove_entry(int dir, const char* name, int depth) {
    struct stat st {};
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return {};
      return errno_error("stat", errno);
    }
    if (S_ISDIR(st.st_mode)) return remove_folder(dir, name, st, depth);
    if (unlinkat(dir, name, 0) != 0 && errno != ENOENT) return errno_error("remove", errno);
    if (st.st_nlink == 1) count(st);
    return {};
  }

  Status remove_folder(int dir, const char* name, const struct stat& st, int depth) {
    if (unlinkat(dir, name, AT_REMOVEDIR) == 0) {  // most of overlay's are empty
      count(st);
      return {};
    }
    CODEXOS_ASSIGN(const Fd inner, open_any(dir, name));
    if (depth >= kMaxDepth) return move_up(dir, name);
    CODEXOS_TRY(empty(inner.get(), depth + 1));
    if (unlinkat(dir, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
      return errno_error("remove folder", errno);
    count(st);
    return {};
  }

  Status move_up(int dir, const char* name) {
    for (;;) {
      const std::string to = ".removing-" + std::to_string(moved_++);
      if (renameat2(dir, name, root_, to.c_str(), RENAME_NOREPLACE) == 0) {
        moved_since_pass_ = true;
        return {};
      }
      if (errno != EEXIST) return errno_error("move folder up", errno);
    }
  }

  int root_;
  uint64_t blocks_ = 0;
  uint64_t moved_ = 0;
  bool moved_since_pass_ = false;
};

}  // namespace

Result<uint64_t> remove_tree(const std::string& path) {
  const std::string intent = "remove " + path;
  struct stat st {};
  if (lstat(path.c_str(), &st) != 0) {
    if (errno == ENOENT) return uint64_t{0};
    return errno_error(intent, errno);
  }
  if (!S_ISDIR(st.st_mode)) {
    if (unlink(path.c_str()) != 0 && errno != ENOENT) return errno_error(intent, errno);
    return st.st_nlink == 1 ? static_cast<uint64_t>(st.st_blocks) * 512 : 0;
  }
  auto root = TreeRemoval::open_any(AT_FDCWD, path.c_str());
  if (!root.ok()) return std::move(root).error().during(intent);
  TreeRemoval removal(root->get());
  do {
    removal.begin_pass();
    auto emptied = removal.empty(root->get(), 0);
    if (!emptied.ok()) return std::move(emptied).error().during(intent);
  } while (removal.moved_up());
  if (rmdir(path.c_str()) != 0 && errno != ENOENT) return errno_error(intent, errno);
  removal.count(st);
  return removal.freed_bytes();
}

}  // namespace codexos

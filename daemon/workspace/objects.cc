// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/objects.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <vector>

#include "core/base/clock.h"
#include "core/os/file.h"
#include "daemon/trust/digest.h"

namespace codexos::daemon {
namespace {

constexpr size_t kBlock = 256 << 10;
constexpr off_t kSmall = 1 << 20;
constexpr const char* kTempPrefix = "new-";

bool is_id(std::string_view s) {
  return s.size() == kSha256Hex && std::all_of(s.begin(), s.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string place_of(const std::string& id) { return id.substr(0, 2) + "/" + id.substr(2); }

bool is_zero(const char* bytes, size_t n) {
  return n > 0 && bytes[0] == 0 && std::memcmp(bytes, bytes + 1, n - 1) == 0;
}

Status write_at(int fd, const char* bytes, size_t n, off_t at) {
  while (n > 0) {
    const ssize_t w = pwrite(fd, bytes, n, at);
    if (w < 0 && errno == EINTR) continue;
    if (w < 0) return errno_error("write object", errno);
    bytes += w;
    at += w;
    n -= static_cast<size_t>(w);
  }
  return {};
}

/// The whole file, or its first kSmall bytes.
Result<std::string> read_small(int fd) {
  std::string out(static_cast<size_t>(kSmall), '\0');
  size_t at = 0;
  while (at < out.size()) {
    const ssize_t n = pread(fd, out.data() + at, out.size() - at, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("read for an object", errno);
    if (n == 0) break;
    at += static_cast<size_t>(n);
  }
  out.resize(at);
  return out;
}

struct Stored {
  std::string id;
  uint64_t size = 0;
};

/// Hashes while it copies: one pass over the bytes, where copy_file_range(2) and reading again
/// would be two. What is zero stays a hole.
Result<Stored> copy(int from, int to) {
  Sha256 h;
  std::vector<char> block(kBlock);
  off_t at = 0;
  for (;;) {
    const ssize_t n = pread(from, block.data(), block.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("read for an object", errno);
    if (n == 0) break;
    const auto size = static_cast<size_t>(n);
    h.add(std::string_view(block.data(), size));
    if (!is_zero(block.data(), size)) CODEXOS_TRY(write_at(to, block.data(), size, at));
    at += n;
  }
  if (ftruncate(to, at) < 0) return errno_error("write object", errno);
  return Stored{h.hex(), static_cast<uint64_t>(at)};
}

Result<Stored> clone_or_copy(int from, int to) {
  if (ioctl(to, FICLONE, from) != 0) return copy(from, to);
  struct stat st {};
  if (fstat(to, &st) < 0) return errno_error("stat object", errno);
  CODEXOS_ASSIGN(std::string id, sha256_of_file(to));
  return Stored{std::move(id), static_cast<uint64_t>(st.st_size)};
}

/// Calls `fn(name)` for each entry of the open folder.
template <class F>
Status each_name(int dir, F fn) {
  const int copy_fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const stream = copy_fd < 0 ? nullptr : fdopendir(copy_fd);
  if (stream == nullptr) {
    const int why = errno;
    Fd(copy_fd).reset();
    return errno_error("list objects", why);
  }
  while (const dirent* e = readdir(stream))
    if (std::strcmp(e->d_name, ".") != 0 && std::strcmp(e->d_name, "..") != 0)
      fn(std::string(e->d_name));
  closedir(stream);
  return {};
}

}  // namespace

/// A file that is gone unless it gets its name.
struct ObjectStore::Temp {
  Fd fd;
  int dir = -1;
  std::string name;

  Temp() = default;
  Temp(Temp&& o) noexcept : fd(std::move(o.fd)), dir(o.dir), name(std::exchange(o.name, {})) {}
  Temp& operator=(Temp&&) = delete;
  ~Temp() {
    if (!name.empty()) unlinkat(dir, name.c_str(), 0);
  }
};

Result<ObjectStore> ObjectStore::open(const std::string& dir) {
  CODEXOS_TRY(make_dir(dir, 0700));
  ObjectStore out;
  out.dir_ = dir;
  CODEXOS_ASSIGN(out.fd_, open_file(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  return out;
}

Result<ObjectStore::Temp> ObjectStore::make_temp() {
  static std::atomic<uint64_t> counter{0};
  Temp temp;
  temp.dir = fd_.get();
  const std::string name = kTempPrefix + std::to_string(getpid()) + "-" + std::to_string(now_us()) +
                           "-" + std::to_string(++counter);
  temp.fd.reset(openat(fd_.get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!temp.fd) return errno_error("make " + dir_ + "/" + name, errno);
  temp.name = name;
  return temp;
}

/// Whether it is there; then it is young again, so that a sweep leaves it to its new reference.
Result<bool> ObjectStore::touch(const std::string& id, uint64_t size) const {
  const std::string place = place_of(id);
  struct stat st {};
  if (fstatat(fd_.get(), place.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0 ||
      static_cast<uint64_t>(st.st_size) != size)
    return false;
  if (utimensat(fd_.get(), place.c_str(), nullptr, AT_SYMLINK_NOFOLLOW) < 0) {
    if (errno == ENOENT) return false;
    return errno_error("touch object " + id, errno);
  }
  return true;
}

Result<std::string> ObjectStore::keep_as(Temp temp, std::string id, uint64_t size) {
  const std::string place = place_of(id);
  CODEXOS_ASSIGN(const bool there, touch(id, size));
  if (there) return id;
  if (mkdirat(fd_.get(), place.substr(0, 2).c_str(), 0700) < 0 && errno != EEXIST)
    return errno_error("make " + dir_ + "/" + place.substr(0, 2), errno);
  if (fchmod(temp.fd.get(), 0400) < 0) return errno_error("chmod object", errno);
  if (renameat(fd_.get(), temp.name.c_str(), fd_.get(), place.c_str()) < 0)
    return errno_error("name object " + id, errno);
  temp.name.clear();
  return id;
}

/// What fits into memory is written only if it is not there yet.
Result<std::string> ObjectStore::put(int fd) {
  struct stat st {};
  if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size < kSmall) {
    CODEXOS_ASSIGN(const std::string bytes, read_small(fd));
    if (bytes.size() < static_cast<size_t>(kSmall)) return put_bytes(bytes);
  }
  CODEXOS_ASSIGN(Temp temp, make_temp());
  CODEXOS_ASSIGN(Stored stored, clone_or_copy(fd, temp.fd.get()));
  return keep_as(std::move(temp), std::move(stored.id), stored.size);
}

Result<std::string> ObjectStore::put_bytes(std::string_view bytes) {
  const std::string id = sha256_hex(bytes);
  CODEXOS_ASSIGN(const bool there, touch(id, bytes.size()));
  if (there) return id;
  CODEXOS_ASSIGN(Temp temp, make_temp());
  CODEXOS_TRY(write_at(temp.fd.get(), bytes.data(), bytes.size(), 0));
  return keep_as(std::move(temp), id, bytes.size());
}

bool ObjectStore::has(const std::string& id) const {
  struct stat st {};
  return is_id(id) && fstatat(fd_.get(), place_of(id).c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0;
}

Result<Fd> ObjectStore::open_object(const std::string& id) const {
  if (!is_id(id)) return Error{Code::not_found, "no object " + id, {}};
  Fd fd(openat(fd_.get(), place_of(id).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd && errno == ENOENT) return Error{Code::not_found, "no object " + id, {}};
  if (!fd) return errno_error("open object " + id, errno);
  return fd;
}

Result<std::string> ObjectStore::read(const std::string& id, size_t limit) const {
  CODEXOS_ASSIGN(const Fd fd, open_object(id));
  struct stat st {};
  if (fstat(fd.get(), &st) < 0) return errno_error("stat object " + id, errno);
  if (static_cast<uint64_t>(st.st_size) > limit)
    return Error{Code::exhausted, "object " + id + " is larger than expected", {}};
  std::string bytes(static_cast<size_t>(st.st_size), '\0');
  for (size_t n = 0; n < bytes.size();) {
    const ssize_t got = pread(fd.get(), bytes.data() + n, bytes.size() - n, static_cast<off_t>(n));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("read object " + id, errno);
    if (got == 0) return Error{Code::internal, "object " + id + " is cut off", {}};
    n += static_cast<size_t>(got);
  }
  if (sha256_hex(bytes) != id)
    return Error{Code::internal, "object " + id + " does not hold what it was made of", {}};
  return bytes;
}

Status ObjectStore::sync() const {
  if (syncfs(fd_.get()) < 0) return errno_error("syncfs " + dir_, errno);
  return {};
}

Result<ObjectStore::Swept> ObjectStore::sweep(const std::unordered_set<std::string>& keep,
                                              int64_t grace_s) {
  Swept swept;
  const int64_t young = time(nullptr) - grace_s;
  const auto remove = [&](int dir, const std::string& name) {
    struct stat st {};
    if (fstatat(dir, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_mtim.tv_sec > young)
      return;
    if (unlinkat(dir, name.c_str(), 0) < 0) return;
    ++swept.objects;
    swept.bytes += static_cast<uint64_t>(st.st_blocks) * 512;
  };
  std::vector<std::string> folders;
  CODEXOS_TRY(each_name(fd_.get(), [&](const std::string& name) {
    if (name.compare(0, std::strlen(kTempPrefix), kTempPrefix) == 0)
      remove(fd_.get(), name);
    else if (name.size() == 2)
      folders.push_back(name);
  }));
  for (const auto& folder : folders) {
    const Fd dir(
        openat(fd_.get(), folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!dir) continue;
    CODEXOS_TRY(each_name(dir.get(), [&](const std::string& name) {
      if (keep.count(folder + name) == 0) remove(dir.get(), name);
    }));
  }
  return swept;
}

}  // namespace codexos::daemon

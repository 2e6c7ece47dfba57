// SPDX-License-Identifier: Apache-2.0
// The walk goes over the task's own layer as it lies on the disk, not over what differs: a file
// that the task only touched is in the layer too, and when the user edits it later, the old content
// in the layer must not pass for the task's work.
#include "daemon/workspace/base.h"
#include "daemon/workspace/copy.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/binary.h"
#include "core/base/clock.h"
#include "core/base/path.h"
#include "core/os/file.h"
#include "core/os/replace_file.h"
#include "daemon/trust/digest.h"

namespace codexos::daemon {
namespace {

constexpr size_t kTextProbe = 8000;
constexpr uint64_t kIndexLimit = 16 << 20;
constexpr std::string_view kIndexMagic = "DIRC";  // gitformat-index(5)
constexpr size_t kMaxFile = 512 << 20;

std::string below(const std::string& dir, const std::string& name) {
  return dir.empty() ? name : dir + "/" + name;
}

bool same_version(const struct stat& a, const struct stat& b) {
  return a.st_size == b.st_size && a.st_ino == b.st_ino && a.st_mode == b.st_mode &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec &&
         a.st_ctim.tv_sec == b.st_ctim.tv_sec && a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

Result<std::string> read_bytes(int fd, size_t size) {
  std::string out(size, '\0');
  size_t n = 0;
  while (n < size) {
    const ssize_t got = pread(fd, out.data() + n, size - n, static_cast<off_t>(n));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("read", errno);
    if (got == 0) break;
    n += static_cast<size_t>(got);
  }
  out.resize(n);
  return out;
}

class Recorder {
 public:
  Recorder(ObjectStore& objects, const BaseLimits& limits) : objects_(objects), left_(limits) {}

  Status root(const Root& r, BaseRoot& out) {
    if (r.layer.empty()) return {};
    out_ = &out;
    upper_.reset(
        open((r.layer + "/upper").c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!upper_ && errno == ENOENT) return {};  // never started
    if (!upper_) return errno_error("open " + r.layer + "/upper", errno);
    real_.reset(open(r.path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!real_) return errno_error("open " + r.path, errno);
    struct stat st {};
    if (fstat(real_.get(), &st) < 0) return errno_error("stat " + r.path, errno);
    if (r.ino != 0 && (st.st_dev != r.dev || st.st_ino != r.ino))
      return Error{Code::conflict, r.path + " is another folder now", {}};
    folder("");
    std::sort(out.entries.begin(), out.entries.end(),
              [](const BaseEntry& a, const BaseEntry& b) { return a.path < b.path; });
    return {};
  }
  bool complete() const { return complete_; }

 private:
  /// A folder of the layer that the real folder has as well. No descriptor is held on the way down.
  void folder(const std::string& path) {
    std::vector<std::string> folders;
    {
      const Fd dir = open_below(upper_.get(), path, O_RDONLY | O_DIRECTORY);
      if (!dir) {
        complete_ = false;
        return;
      }
      const auto names = names_in(dir.get());
      for (const auto& name : names)
        if (layer_entry(dir.get(), name, below(path, name))) folders.push_back(below(path, name));
      if (is_opaque(dir.get())) hidden(path, names);
    }
    for (const auto& f : folders) folder(f);
  }

  /// One name of the layer. True: a folder on both sides, to be entered.
  bool layer_entry(int dir, const std::string& name, const std::string& path) {
    struct stat in_layer {};
    if (fstatat(dir, name.c_str(), &in_layer, AT_SYMLINK_NOFOLLOW) < 0) return false;
    struct stat real {};
    if (!look(path, real)) {
      if (errno == ENOENT || errno == ENOTDIR)
        add(path, nullptr);  // also where a whiteout hides an earlier task's file
      else
        complete_ = false;
      return false;
    }
    if (S_ISDIR(in_layer.st_mode) && S_ISDIR(real.st_mode)) {
      add(path, &real);
      return true;
    }
    tree(path, real);
    return false;
  }

  bool look(const std::string& path, struct stat& st) const {
    const Fd fd = open_below(real_.get(), path, O_PATH);
    return fd && fstat(fd.get(), &st) == 0;
  }

  /// Real entries that an opaque folder hides without naming them.
  void hidden(const std::string& path, const std::set<std::string>& named) {
    std::set<std::string> names;
    {
      const Fd dir = open_below(real_.get(), path, O_RDONLY | O_DIRECTORY);
      names = names_in(dir.get());
    }
    for (const auto& name : names) {
      struct stat st {};
      if (named.count(name) == 0 && look(below(path, name), st)) tree(below(path, name), st);
    }
  }

  /// A real entry that is gone or replaced, with everything in it.
  void tree(const std::string& path, const struct stat& st) {
    if (!add(path, &st) || !S_ISDIR(st.st_mode)) return;
    std::set<std::string> names;
    {
      const Fd dir = open_below(real_.get(), path, O_RDONLY | O_DIRECTORY);
      if (!dir) complete_ = false;
      names = names_in(dir.get());
    }
    for (const auto& name : names) {
      struct stat inner {};
      if (look(below(path, name), inner)) tree(below(path, name), inner);
    }
  }

  /// False: the budget is used up.
  bool add(const std::string& path, const struct stat* st) {
    if (left_.entries == 0) {
      complete_ = false;
      return false;
    }
    --left_.entries;
    BaseEntry e;
    e.path = path;
    if (st != nullptr) {
      set(e, *st);
      if (S_ISREG(st->st_mode)) hash_file(e);
      if (S_ISLNK(st->st_mode)) {
        if (const auto target = read_link_below(real_.get(), path); target.ok())
          e.digest = sha256_hex(*target);
      }
    }
    out_->entries.push_back(std::move(e));
    return true;
  }

  static void set(BaseEntry& e, const struct stat& st) {
    const Facts f = facts_of(st);
    e.there = true;
    e.mode = f.mode;
    e.size = f.size;
    e.dev = f.dev;
    e.ino = f.ino;
    e.nlink = f.nlink;
    e.rdev = f.rdev;
    e.uid = f.uid;
    e.gid = f.gid;
    e.mtime_ns = f.mtime_ns;
    e.ctime_ns = f.ctime_ns;
  }

  /// Facts and content of one moment: what changes while it is read is read once more, then left
  /// without a digest.
  void hash_file(BaseEntry& e) {
    if (left_.hashed_files == 0 || e.size > left_.hashed_bytes) return;
    --left_.hashed_files;
    for (int attempt = 0; attempt < 2; ++attempt) {
      const Fd fd = open_below(real_.get(), e.path, O_RDONLY);
      struct stat before {
      }, after{};
      if (!fd || fstat(fd.get(), &before) < 0 || !S_ISREG(before.st_mode)) return;
      if (static_cast<uint64_t>(before.st_size) > left_.hashed_bytes) return;
      BaseEntry taken = e;
      set(taken, before);
      if (!take_content(fd.get(), taken)) return;
      if (fstat(fd.get(), &after) < 0 || !same_version(before, after)) continue;
      left_.hashed_bytes -= taken.size;
      e = std::move(taken);
      return;
    }
  }

  bool take_content(int fd, BaseEntry& e) {
    // git refreshes its index without saying anything by it: that takes the whole one to tell.
    const bool is_index = e.path == "index" || e.path.ends_with("/index");
    if (e.size <= (is_index ? kIndexLimit : left_.kept_bytes)) {
      const auto bytes = read_bytes(fd, e.size);
      if (!bytes.ok() || bytes->size() != e.size) return false;
      e.digest = sha256_hex(*bytes);
      // Without the object there is no merge, but the digest still tells equal content.
      const bool kept = is_text(*bytes) || (is_index && bytes->starts_with(kIndexMagic));
      e.kept = kept && objects_.put_bytes(*bytes).ok();
      return true;
    }
    auto digest = sha256_of_file(fd);
    if (!digest.ok()) return false;
    e.digest = *std::move(digest);
    return true;
  }

  ObjectStore& objects_;
  BaseLimits left_;
  BaseRoot* out_ = nullptr;
  Fd upper_, real_;
  bool complete_ = true;
};

}  // namespace

bool is_text(std::string_view bytes) {
  return bytes.substr(0, kTextProbe).find('\0') == std::string_view::npos;
}

std::optional<Facts> BaseEntry::facts() const {
  if (!there) return std::nullopt;
  Facts f;
  f.mode = mode;
  f.size = size;
  f.dev = dev;
  f.ino = ino;
  f.nlink = nlink;
  f.rdev = rdev;
  f.uid = uid;
  f.gid = gid;
  f.mtime_ns = mtime_ns;
  f.ctime_ns = ctime_ns;
  return f;
}

std::optional<BaseEntry> Base::find(size_t root, const std::string& path) const {
  if (root >= roots.size()) return std::nullopt;
  const auto& entries = roots[root].entries;
  const auto at = [&entries](const std::string& p) -> const BaseEntry* {
    const auto it =
        std::lower_bound(entries.begin(), entries.end(), p,
                         [](const BaseEntry& e, const std::string& q) { return e.path < q; });
    return it != entries.end() && it->path == p ? &*it : nullptr;
  };
  if (const BaseEntry* e = at(path)) return *e;
  for (size_t slash = path.rfind('/'); slash != std::string::npos && slash > 0;
       slash = path.rfind('/', slash - 1)) {
    const BaseEntry* e = at(path.substr(0, slash));
    if (e == nullptr) continue;
    if (e->there && S_ISDIR(e->mode)) return std::nullopt;
    BaseEntry nothing;
    nothing.path = path;
    return nothing;
  }
  return std::nullopt;
}

Result<Base> record_base(const std::vector<Root>& roots, ObjectStore& objects,
                         const BaseLimits& limits) {
  Base base;
  base.recorded_us = now_us();
  base.clock_us = clock_offset_us();
  Recorder recorder(objects, limits);
  for (const Root& r : roots) CODEXOS_TRY(recorder.root(r, base.roots.emplace_back()));
  base.complete = recorder.complete();
  return base;
}

Status write_base(const std::string& file, const Base& base) {
  return replace_file(file, to_binary(base), 0600);
}

Result<Base> read_base(const std::string& file) {
  CODEXOS_ASSIGN(const std::string bytes, read_file(file, kMaxFile));
  auto base = from_binary<Base>(bytes);
  if (!base.ok()) return std::move(base).error().during("read " + file);
  return base;
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/copy.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <map>

#include "core/base/binary.h"
#include "core/base/clock.h"
#include "core/os/file.h"
#include "daemon/workspace/copy_files.h"
#include "daemon/workspace/layers.h"

namespace codexos::daemon {
namespace {

constexpr size_t kMaxList = 1U << 30;
constexpr char kMarkers[] = "user.overlay.";
constexpr char kMarkedGone[] = "user.overlay.whiteout";

/// File systems that are windows into the kernel: mounted below a workspace, they are left empty.
bool is_kernel_window(int dir) {
  constexpr unsigned long kWindows[] = {PROC_SUPER_MAGIC,    SYSFS_MAGIC,   CGROUP_SUPER_MAGIC,
                                        CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC, TRACEFS_MAGIC,
                                        SECURITYFS_MAGIC,    BPF_FS_MAGIC,  DEVPTS_SUPER_MAGIC,
                                        PSTOREFS_MAGIC,      EFIVARFS_MAGIC};
  struct statfs fs {};
  if (fstatfs(dir, &fs) < 0) return true;
  return std::any_of(std::begin(kWindows), std::end(kWindows),
                     [&](unsigned long m) { return static_cast<unsigned long>(fs.f_type) == m; });
}

std::string megabytes(uint64_t bytes) { return std::to_string((bytes >> 20) + 1) + " MiB"; }

/// Fills one copy. Folders are held open along one path only.
class Copier {
 public:
  Copier(const Root& root, const CopyOptions& o) : root_(root), o_(o), base_(copy_of(root)) {}
  Status run();

 private:
  Status measure(int dir, const std::string& path);
  Status copy_dir(int from, int to, const std::string& path);
  Status copy_entry(int from, int to, const std::string& name, const std::string& path);
  Status copy_file(int from, int to, const std::string& name, const struct stat& st);
  Status copy_link(int from, int to, const std::string& name, const struct stat& st);
  Status put_over(int layer, int to, const std::string& path);
  Status put_entry(int layer, int to, const std::string& name, const std::string& path);
  Status check_stop() const {
    if (o_.stop != nullptr && o_.stop->load(std::memory_order_relaxed))
      return Error{Code::unavailable, "it was stopped", {}};
    return {};
  }

  const Root& root_;
  const CopyOptions& o_;
  const std::string base_;                                 // of the copy
  Fd top_;                                                 // of the copy
  std::map<std::pair<dev_t, ino_t>, std::string> groups_;  // first name of files with several
  uint64_t bytes_ = 0;
};

/// Before anything is written: a copy that does not fit is no half of one.
Status Copier::measure(int dir, const std::string& path) {
  CODEXOS_TRY(check_stop());
  for (const auto& name : names_in(dir)) {
    struct stat st {};
    if (fstatat(dir, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0) continue;
    if (S_ISREG(st.st_mode)) bytes_ += static_cast<uint64_t>(st.st_blocks) * 512;
    if (bytes_ > o_.limit_bytes)
      return Error{Code::exhausted,
                   root_.path + " is larger than " + megabytes(o_.limit_bytes - 1) +
                       ", the most that is copied",
                   "use -w on a narrower folder, or --mode direct"};
    if (!S_ISDIR(st.st_mode)) continue;
    const Fd below = open_below(dir, name, O_RDONLY | O_DIRECTORY);
    if (below && !is_kernel_window(below.get()))
      CODEXOS_TRY(measure(below.get(), path + "/" + name));
  }
  return {};
}

Status Copier::copy_file(int from, int to, const std::string& name, const struct stat& st) {
  const Fd in = open_below(from, name, O_RDONLY);
  Fd out(openat(to, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!out) return errno_error("make it in the copy", errno);
  // What the caller may not read, the task does not either.
  if (!in) return fchmod(out.get(), 0) < 0 ? errno_error("chmod", errno) : Status();
  CODEXOS_TRY(copy_bytes(in.get(), out.get(), st));
  return copy_facts(in.get(), out.get(), st);
}

Status Copier::copy_link(int from, int to, const std::string& name, const struct stat& st) {
  char target[PATH_MAX];
  const ssize_t n = readlinkat(from, name.c_str(), target, sizeof target - 1);
  if (n < 0) return errno_error("read link", errno);
  target[n] = '\0';
  if (symlinkat(target, to, name.c_str()) < 0) return errno_error("symlink", errno);
  return copy_link_facts(to, name.c_str(), st);
}

Status Copier::copy_entry(int from, int to, const std::string& name, const std::string& path) {
  CODEXOS_TRY(check_stop());
  struct stat st {};
  if (fstatat(from, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT ? Status() : errno_error("stat " + path, errno);
  if (S_ISDIR(st.st_mode)) {
    const Fd in = open_below(from, name, O_RDONLY | O_DIRECTORY);
    if (mkdirat(to, name.c_str(), 0700) < 0) return errno_error("mkdir", errno);
    const Fd out = open_below(to, name, O_RDONLY | O_DIRECTORY);
    if (!out) return errno_error("open the copy", errno);
    if (!in) return fchmod(out.get(), 0) < 0 ? errno_error("chmod", errno) : Status();
    if (is_kernel_window(in.get())) return {};
    CODEXOS_TRY(copy_dir(in.get(), out.get(), path));
    return copy_facts(in.get(), out.get(), st);
  }
  if (S_ISREG(st.st_mode) && st.st_nlink > 1) {
    const auto [known, first] = groups_.emplace(std::make_pair(st.st_dev, st.st_ino), path);
    if (!first && linkat(top_.get(), known->second.c_str(), to, name.c_str(), 0) == 0) return {};
  }
  if (S_ISREG(st.st_mode)) return copy_file(from, to, name, st);
  if (S_ISLNK(st.st_mode)) return copy_link(from, to, name, st);
  if (S_ISFIFO(st.st_mode)) {
    if (mkfifoat(to, name.c_str(), st.st_mode & 0777) < 0) return errno_error("mkfifo", errno);
    return copy_link_facts(to, name.c_str(), st);
  }
  return {};  // sockets and devices
}

Status Copier::copy_dir(int from, int to, const std::string& path) {
  for (const auto& name : names_in(from)) {
    const std::string below = path.empty() ? name : path + "/" + name;
    Status done = copy_entry(from, to, name, below);
    if (!done.ok()) {
      // Told once, with the whole path.
      if (done.error().message.find(root_.path) != std::string::npos) return done;
      return std::move(done).error().during("copy " + root_.path + "/" + below);
    }
  }
  return {};
}

/// An earlier task's layer over what is there already (overlayfs.rst).
Status Copier::put_entry(int layer, int to, const std::string& name, const std::string& path) {
  struct stat st {};
  if (fstatat(layer, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0) return errno_error("stat", errno);
  struct stat there {};
  const bool exists = fstatat(to, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0;
  const Fd file = S_ISREG(st.st_mode) && st.st_size == 0 ? open_below(layer, name, O_RDONLY) : Fd();
  const bool gone =
      (S_ISCHR(st.st_mode) && st.st_rdev == 0) || (file && is_marked_gone(file.get()));
  const Fd in = S_ISDIR(st.st_mode) ? open_below(layer, name, O_RDONLY | O_DIRECTORY) : Fd();
  const bool merges = in && exists && S_ISDIR(there.st_mode) && !is_opaque(in.get());
  if (exists && !merges) CODEXOS_TRY(remove_tree(base_ + "/" + path));
  if (gone) return {};
  if (!in) return copy_entry(layer, to, name, path);
  if (!merges && mkdirat(to, name.c_str(), 0700) < 0) return errno_error("mkdir", errno);
  const Fd out = open_below(to, name, O_RDONLY | O_DIRECTORY);
  if (!out || fchmod(out.get(), 0700) < 0) return errno_error("open the copy", errno);
  CODEXOS_TRY(put_over(in.get(), out.get(), path));
  return copy_facts(in.get(), out.get(), st);
}

Status Copier::put_over(int layer, int to, const std::string& path) {
  for (const auto& name : names_in(layer)) {
    const std::string below = path.empty() ? name : path + "/" + name;
    Status done = put_entry(layer, to, name, below);
    if (!done.ok()) return std::move(done).error().during("take over " + below);
  }
  return {};
}

Status Copier::run() {
  CODEXOS_ASSIGN(const Fd real, open_file(root_.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  CODEXOS_ASSIGN(top_, open_file(base_, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  struct stat st {};
  if (fstat(real.get(), &st) < 0) return errno_error("stat " + root_.path, errno);
  if (root_.ino != 0 && (st.st_dev != root_.dev || st.st_ino != root_.ino))
    return Error{Code::conflict, root_.path + " was replaced by another folder", {}};
  CODEXOS_TRY(measure(real.get(), ""));
  CODEXOS_TRY(copy_dir(real.get(), top_.get(), ""));
  CODEXOS_TRY(copy_facts(real.get(), top_.get(), st));
  for (auto lower = root_.lowers.rbegin(); lower != root_.lowers.rend(); ++lower) {
    groups_.clear();
    CODEXOS_ASSIGN(const Fd layer, open_file(*lower, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (fstat(layer.get(), &st) < 0) return errno_error("stat " + *lower, errno);
    if (fchmod(top_.get(), 0700) < 0) return errno_error("open the copy", errno);
    CODEXOS_TRY(put_over(layer.get(), top_.get(), ""));
    CODEXOS_TRY(copy_facts(layer.get(), top_.get(), st));
  }
  return {};
}

// ---- the list ---------------------------------------------------------------------------------

/// Every entry below `dir`, folders before what is in them; "" is the folder itself.
void list_entries(int dir, const std::string& path, MadeList& out) {
  for (const auto& name : names_in(dir)) {
    struct stat st {};
    if (fstatat(dir, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0) continue;
    const std::string below = path.empty() ? name : path + "/" + name;
    out.entries.push_back({below, st.st_mode, st.st_ino, ns_of(st.st_ctim)});
    if (!S_ISDIR(st.st_mode)) continue;
    const Fd fd = open_below(dir, name, O_RDONLY | O_DIRECTORY);
    if (fd) list_entries(fd.get(), below, out);
  }
}

/// To the task's own user. Folders before what is in them: nobody works there yet.
Status give_all(int dir, const Root& root) {
  for (const auto& name : names_in(dir)) {
    if (fchownat(dir, name.c_str(), root.task_uid, root.task_gid, AT_SYMLINK_NOFOLLOW) < 0)
      return errno_error("give " + name + " to the task", errno);
    const Fd below = open_below(dir, name, O_RDONLY | O_DIRECTORY);
    if (below) CODEXOS_TRY(give_all(below.get(), root));
  }
  return {};
}

Status give_copy(const Root& root) {
  if (root.task_uid == 0) return {};
  CODEXOS_ASSIGN(const Fd top, open_file(copy_of(root), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (fchown(top.get(), root.task_uid, root.task_gid) < 0)
    return errno_error("give the copy to the task", errno);
  return give_all(top.get(), root);
}

std::string list_path(const Root& root) { return root.layer + "/made"; }

Result<MadeList> read_list(const Root& root) {
  const auto bytes = read_file(list_path(root), kMaxList);
  if (!bytes.ok()) return bytes.error();
  return from_binary<MadeList>(*bytes);
}

Status write_list(const Root& root) {
  CODEXOS_ASSIGN(const Fd top, open_file(copy_of(root), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  MadeList list;
  struct stat st {};
  if (fstat(top.get(), &st) < 0) return errno_error("stat the copy", errno);
  list.entries.push_back({"", st.st_mode, st.st_ino, ns_of(st.st_ctim)});
  list_entries(top.get(), "", list);
  CODEXOS_ASSIGN(const Fd fd,
                 open_file(list_path(root), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  return write_all(fd.get(), to_binary(list));
}

/// Until the clock that inodes get their times from has passed all times in the copy: what is
/// changed from then on has another one.
void pass_a_tick() {
  timespec begin{}, now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &begin);
  do {
    const timespec some{0, 1'000'000};
    nanosleep(&some, nullptr);
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
  } while (ns_of(now) <= ns_of(begin));
}

// ---- settling ---------------------------------------------------------------------------------

/// Turns one copy into an upper folder: what differs from the list is linked into it, what is gone
/// gets a whiteout. The copy itself stays as it is, so all of it can be done again.
class Settler {
 public:
  explicit Settler(const Root& root) : root_(root) {}
  Status run();

 private:
  void look(int dir, const std::string& path);
  void need_parents(const std::string& path);
  Status make_dirs();
  Status link_files();
  Status put_whiteouts();
  Status put_whiteout(const std::string& path);
  Status finish_dirs();
  Status strip(const std::string& path, const struct stat& st);
  /// What is the task's own belongs to the folder's owner when it has ended.
  void take_back(struct stat& st) const;

  const Root& root_;
  Fd copy_, upper_;
  std::map<std::string, MadeEntry> made_;
  std::map<std::string, struct stat> now_;
  std::map<std::string, bool> dirs_;  // folders that the upper one needs
  std::vector<std::string> files_;
};

void Settler::look(int dir, const std::string& path) {
  for (const auto& name : names_in(dir)) {
    struct stat st {};
    if (fstatat(dir, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0) continue;
    const std::string below = path.empty() ? name : path + "/" + name;
    take_back(st);
    now_[below] = st;
    if (!S_ISDIR(st.st_mode)) continue;
    Fd fd = open_below(dir, name, O_RDONLY | O_DIRECTORY);
    // The task closed it; its content is its own all the same.
    if (!fd && fchmodat(dir, name.c_str(), 0700, 0) == 0)
      fd = open_below(dir, name, O_RDONLY | O_DIRECTORY);
    if (fd) look(fd.get(), below);
  }
}

void Settler::take_back(struct stat& st) const {
  if (root_.task_uid == 0) return;
  if (st.st_uid == root_.task_uid) st.st_uid = root_.owner_uid;
  if (st.st_gid == root_.task_gid) st.st_gid = root_.owner_gid;
}

void Settler::need_parents(const std::string& path) {
  for (size_t slash = path.rfind('/'); slash != std::string::npos && slash > 0;
       slash = path.rfind('/', slash - 1))
    if (!dirs_.emplace(path.substr(0, slash), true).second) return;
}

/// What a task wrote as an attribute must not be believed as a marker.
Status Settler::strip(const std::string& path, const struct stat& st) {
  if (!S_ISREG(st.st_mode)) return {};
  const mode_t mode = st.st_mode & 07777;
  Fd fd = open_below(copy_.get(), path, O_RDONLY);
  if (!fd && fchmodat(copy_.get(), path.c_str(), mode | 0600, 0) == 0)
    fd = open_below(copy_.get(), path, O_RDONLY);
  if (!fd) return errno_error("open " + path, errno);
  const ssize_t size = flistxattr(fd.get(), nullptr, 0);
  std::string names(size > 0 ? static_cast<size_t>(size) : 0, '\0');
  const ssize_t n = flistxattr(fd.get(), names.data(), names.size());
  names.resize(n > 0 ? static_cast<size_t>(n) : 0);
  for (size_t at = 0; at < names.size(); at += std::strlen(names.c_str() + at) + 1) {
    const char* const name = names.c_str() + at;
    if (std::strncmp(name, kMarkers, sizeof kMarkers - 1) != 0) continue;
    if (fchmod(fd.get(), mode | 0600) < 0 || fremovexattr(fd.get(), name) < 0)
      return errno_error("attribute of " + path, errno);
  }
  struct stat after {};
  if (fstat(fd.get(), &after) == 0 && after.st_mode != st.st_mode && fchmod(fd.get(), mode) < 0)
    return errno_error("chmod " + path, errno);
  return {};
}

Status Settler::make_dirs() {
  for (const auto& [path, needed] : dirs_) {
    if (mkdirat(upper_.get(), path.c_str(), 0700) < 0 && errno != EEXIST)
      return errno_error("mkdir " + path, errno);
  }
  return {};
}

Status Settler::link_files() {
  for (const auto& path : files_) {
    const struct stat& st = now_[path];
    // Devices cannot come out of a task; a whiteout of its own making is one.
    if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) continue;
    CODEXOS_TRY(strip(path, st));
    if (linkat(copy_.get(), path.c_str(), upper_.get(), path.c_str(), 0) < 0 && errno != EEXIST)
      return errno_error("keep " + path, errno);
    if (root_.task_uid != 0 &&
        fchownat(upper_.get(), path.c_str(), st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
      return errno_error("take back " + path, errno);
  }
  return {};
}

Status Settler::put_whiteout(const std::string& path) {
  if (mknodat(upper_.get(), path.c_str(), S_IFCHR, 0) == 0 || errno == EEXIST) return {};
  const Fd fd(openat(upper_.get(), path.c_str(),
                     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd && errno == EEXIST) return {};
  if (!fd || fsetxattr(fd.get(), kMarkedGone, "y", 1, 0) < 0)
    return errno_error("mark " + path + " as gone", errno);
  return {};
}

/// Where the folder around it is there still; else that one's whiteout says it.
Status Settler::put_whiteouts() {
  for (const auto& [path, entry] : made_) {
    if (path.empty() || now_.count(path) != 0) continue;
    const size_t slash = path.rfind('/');
    if (slash != std::string::npos) {
      const auto parent = now_.find(path.substr(0, slash));
      if (parent == now_.end() || !S_ISDIR(parent->second.st_mode)) continue;
    }
    CODEXOS_TRY(put_whiteout(path));
  }
  return {};
}

/// Last, and the deepest first, so that times stay.
Status Settler::finish_dirs() {
  for (auto d = dirs_.rbegin(); d != dirs_.rend(); ++d) {
    const Fd from = open_below(copy_.get(), d->first, O_RDONLY | O_DIRECTORY);
    const Fd to = open_below(upper_.get(), d->first, O_RDONLY | O_DIRECTORY);
    if (!from || !to) return errno_error("open " + d->first, errno);
    CODEXOS_TRY(copy_facts(from.get(), to.get(), now_[d->first]));
  }
  struct stat st {};
  if (fstat(copy_.get(), &st) < 0) return errno_error("stat the copy", errno);
  take_back(st);
  return copy_facts(copy_.get(), upper_.get(), st);
}

Status Settler::run() {
  CODEXOS_ASSIGN(MadeList list, read_list(root_));
  for (auto& e : list.entries) made_.emplace(e.path, std::move(e));
  CODEXOS_ASSIGN(copy_, open_file(copy_of(root_), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  CODEXOS_ASSIGN(upper_, open_file(root_.layer + "/upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  look(copy_.get(), "");
  for (const auto& [path, st] : now_) {
    const auto before = made_.find(path);
    const bool same = before != made_.end() && before->second.ino == st.st_ino &&
                      before->second.ctime_ns == ns_of(st.st_ctim);
    if (same) continue;
    need_parents(path);
    if (S_ISDIR(st.st_mode))
      dirs_.emplace(path, true);
    else
      files_.push_back(path);
  }
  for (const auto& [path, entry] : made_)
    if (!path.empty() && now_.count(path) == 0) {
      const size_t slash = path.rfind('/');
      const auto parent =
          slash == std::string::npos ? now_.end() : now_.find(path.substr(0, slash));
      if (parent != now_.end() && S_ISDIR(parent->second.st_mode)) {
        dirs_.emplace(parent->first, true);
        need_parents(parent->first);
      }
    }
  CODEXOS_TRY(make_dirs());
  CODEXOS_TRY(link_files());
  CODEXOS_TRY(put_whiteouts());
  return finish_dirs();
}

}  // namespace

bool is_opaque(int dir) {
  char value = 0;
  return fgetxattr(dir, "user.overlay.opaque", &value, 1) == 1 && value == 'y';
}

bool is_marked_gone(int fd) {
  char value[8];
  return fgetxattr(fd, kMarkedGone, value, sizeof value) >= 0;
}

bool has_copy(const Root& root) {
  return !root.layer.empty() && root.copied && access(copy_of(root).c_str(), F_OK) == 0;
}

Status make_copy(const Root& root, const CopyOptions& o) {
  CODEXOS_TRY(Copier(root, o).run());
  CODEXOS_TRY(give_copy(root));
  CODEXOS_TRY(write_list(root));
  pass_a_tick();
  return {};
}

Status settle_copy(const Root& root) {
  Status done = Settler(root).run();
  if (!done.ok()) return std::move(done).error().during("take the changes out of the copy");
  // From here on it is not looked at again, however much of it is removed.
  const std::string spent = root.layer + "/spent";
  if (rename(copy_of(root).c_str(), spent.c_str()) < 0) return errno_error("rename", errno);
  (void)remove_tree(spent);
  unlink(list_path(root).c_str());
  return {};
}

}  // namespace codexos::daemon

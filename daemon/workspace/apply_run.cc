// SPDX-License-Identifier: Apache-2.0
// The second half of an apply: entries are exchanged, or exchanged back.
#include "daemon/workspace/apply_run.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "core/base/path.h"
#include "core/os/file.h"

namespace codexos::daemon {
namespace {

constexpr mode_t kOwnBits = 07000;  // set-id and sticky: the user's own
/// A file that was written within one tick of the clock looks the same after a second write.
constexpr int64_t kRacyNs = 20'000'000;

/// As open_below(), and not into another mount: an exchange would fail there.
Fd open_here(int root, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC | O_NOFOLLOW);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  return Fd(static_cast<int>(
      syscall(SYS_openat2, root, path.empty() ? "." : path.c_str(), &how, sizeof how)));
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}
std::string name_of_entry(const std::string& path) { return path.substr(path.rfind('/') + 1); }

/// For calls that take no O_PATH descriptor.
std::string proc_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

/// After a rename the ctime is another, everything else must be what it was.
bool same_inode(const Side& a, const Side& b) {
  return a.kind == b.kind && a.dev == b.dev && a.ino == b.ino;
}
bool untouched(const Side& a, const Side& b) {
  return same_inode(a, b) && a.size == b.size && a.mtime_ns == b.mtime_ns &&
         (a.mode & kPermissions) == (b.mode & kPermissions);
}

/// Before anything was moved. Moving one name of a file changes the ctime that its other names
/// show.
bool as_planned(const Side& now, const Side& pre) {
  return untouched(now, pre) && (now.ctime_ns == pre.ctime_ns || pre.nlink > 1);
}

int move_to_empty(int from, const std::string& a, int to, const std::string& b) {
  return renameat2(from, a.c_str(), to, b.c_str(), RENAME_NOREPLACE);
}
int exchange(int from, const std::string& a, int to, const std::string& b) {
  return renameat2(from, a.c_str(), to, b.c_str(), RENAME_EXCHANGE);
}

Fd open_staged(int staging, const std::string& name) {
  return Fd(openat(staging, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
}

Error meanwhile(const Op& op, const char* what) {
  return Error{Code::conflict, op.path + ": " + what, {}};
}

void set_folder(int dir, const Side& wanted, const Side& other, mode_t mode) {
  const std::string path = proc_path(dir);
  for (const auto& [name, value] : other.xattrs)
    if (wanted.xattrs.count(name) == 0) (void)removexattr(path.c_str(), name.c_str());
  for (const auto& [name, value] : wanted.xattrs)
    (void)setxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0);
  struct stat st {};
  if (fstat(dir, &st) == 0 && (st.st_mode & 07777) != mode) (void)chmod(path.c_str(), mode);
}

}  // namespace

bool is_open_for_writing(int fd) {
  // Who opens it in between sends the lease's owner a signal, which by default ends a process.
  if (fcntl(fd, F_SETSIG, SIGURG) != 0) return false;
  if (fcntl(fd, F_SETLEASE, F_RDLCK) != 0) return errno == EAGAIN;
  (void)fcntl(fd, F_SETLEASE, F_UNLCK);
  return false;
}

Result<ApplyRun> ApplyRun::open(const std::string& id, const std::vector<Root>& roots,
                                Images& images) {
  ApplyRun run(id, images);
  for (const Root& r : roots) {
    Place p;
    p.path = r.path;
    p.role = r.role;
    p.owner_uid = r.owner_uid;
    p.owner_gid = r.owner_gid;
    p.dir.reset(::open(r.path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat st {};
    if (!p.dir || fstat(p.dir.get(), &st) != 0) return errno_error("open " + r.path, errno);
    if (r.ino != 0 && (st.st_dev != r.dev || st.st_ino != r.ino))
      return Error{
          Code::conflict, r.path + " is not the folder any more that the task worked on", {}};
    p.staging = open_below(p.dir.get(), run.name_, O_RDONLY | O_DIRECTORY);
    run.places_.push_back(std::move(p));
  }
  return run;
}

Result<int> ApplyRun::parent(const Op& op) {
  const std::string folder = folder_of(op.path);
  if (!last_.fd || last_.root != op.root || last_.folder != folder) {
    last_.fd = open_here(place(op).dir.get(), folder, O_PATH | O_DIRECTORY);
    if (!last_.fd && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
      return meanwhile(op, "the folder that holds it is gone");
    if (!last_.fd && errno == EXDEV) return meanwhile(op, "it lies on another file system");
    if (!last_.fd) return errno_error("open " + folder, errno);
    last_.root = op.root;
    last_.folder = folder;
  }
  return last_.fd.get();
}

/// What is to go has gone with the folder that held it: in an earlier try, or by the user.
bool ApplyRun::is_gone_with_folder(const Op& op) {
  if (parent(op).ok()) return false;
  const Fd fd = open_here(place(op).dir.get(), folder_of(op.path), O_PATH | O_DIRECTORY);
  if (fd) return false;
  // A link that is not ours may lead to where it still is.
  return errno == ENOENT || errno == ENOTDIR || (errno == ELOOP && is_below(replaced_, op));
}

ApplyRun::Found ApplyRun::look(int dir, const std::string& name) {
  struct stat st {};
  Found f;
  if (dir < 0 || fstatat(dir, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) return f;
  f.there = true;
  f.side = side_of(facts_of(st));
  if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode))
    f.side.kind = EntryKind::absent;  // a device and the like: equal to nothing of ours
  return f;
}

Status ApplyRun::sync() const {
  for (const Place& p : places_)
    if (syncfs(p.dir.get()) != 0) return errno_error("sync " + p.path, errno);
  return {};
}

// --- forward ------------------------------------------------------------------------------------

Status ApplyRun::swap(const std::vector<Op>& ops) {
  left_.clear();
  replaced_ = replaced_folders(ops);
  std::vector<MountRole> roles;
  for (const Place& p : places_) roles.push_back(p.role);
  const std::vector<Step> steps = order_steps(ops, roles);
  Status status = make_writable(ops);
  for (size_t n = 0; status.ok() && n < steps.size(); ++n) {
    status = step(ops[steps[n].op], steps[n].op, steps[n].act);
    if (!status.ok()) failed_ = steps[n].op;
  }
  if (status.ok()) status = check_old(ops);
  if (status.ok()) return {};
  // All of them are looked at: after a crash later ones may have been done before.
  take_back(ops, steps);
  restore_modes(ops);
  return status;
}

Status ApplyRun::make_writable(const std::vector<Op>& ops) {
  if (geteuid() == 0) return {};
  std::vector<const Op*> closed;
  for (const Op& op : ops)
    if (op.pre.kind == EntryKind::folder && (op.pre.mode & kEnter) != kEnter) closed.push_back(&op);
  std::sort(closed.begin(), closed.end(),
            [](const Op* a, const Op* b) { return a->path < b->path; });
  for (const Op* op : closed) {
    const Fd dir = open_here(place(*op).dir.get(), op->path, O_PATH | O_DIRECTORY);
    if (dir && chmod(proc_path(dir.get()).c_str(), (op->pre.mode & kPermissions) | 0700) != 0)
      return errno_error("make " + op->path + " writable", errno);
  }
  return {};
}

Status ApplyRun::step(const Op& op, size_t i, Act act) {
  struct Row {
    Act act;
    Status (ApplyRun::*run)(const Op&, size_t);
  };
  static constexpr Row kRows[] = {{Act::put, &ApplyRun::put},
                                  {Act::take_out, &ApplyRun::take_out},
                                  {Act::remove_folder, &ApplyRun::remove_folder},
                                  {Act::make_folder, &ApplyRun::make_folder},
                                  {Act::set_mode, &ApplyRun::set_mode}};
  for (const Row& row : kRows)
    if (row.act == act) return (this->*row.run)(op, i);
  return {};
}

Status ApplyRun::put(const Op& op, size_t i) {
  CODEXOS_ASSIGN(const int dir, parent(op));
  const std::string name = name_of_entry(op.path), own = std::to_string(i);
  const int staging = place(op).staging.get();
  const Found now = look(dir, name);
  if (now.there && same_inode(now.side, op.post)) return {};  // done before a crash
  if (!op.pre.is_content()) {
    if (now.there) return meanwhile(op, "it was made here meanwhile");
    if (move_to_empty(staging, own, dir, name) == 0) return {};
    if (errno == EEXIST) return meanwhile(op, "it was made here meanwhile");
    return errno_error("put " + op.path, errno);
  }
  if (!now.there || !as_planned(now.side, op.pre))
    return meanwhile(op, "it was changed here meanwhile");
  if (exchange(staging, own, dir, name) != 0) {
    if (errno == ENOENT) return meanwhile(op, "it was removed here meanwhile");
    return errno_error("put " + op.path, errno);
  }
  const Found old = look(staging, own);
  if (old.there && untouched(old.side, op.pre)) return {};
  give_back(op, i, dir);
  return meanwhile(op, "it was changed here meanwhile");
}

/// What came out is not what the plan was made for, so it goes back. Has the user written a third
/// version into its place by now, that one stays, and the other lies in the staging folder.
void ApplyRun::give_back(const Op& op, size_t i, int dir) {
  const std::string name = name_of_entry(op.path), own_name = std::to_string(i);
  const int staging = place(op).staging.get();
  if (exchange(staging, own_name, dir, name) != 0) {
    if (move_to_empty(staging, own_name, dir, name) != 0)
      leave(op, "what was there lies in " + name_ + "/" + own_name);
    return;
  }
  if (is_as_staged(op, i)) return;
  (void)exchange(staging, own_name, dir, name);
  leave(op, "it was written here twice meanwhile; the version before the last lies in " + name_ +
                "/" + own_name);
}

/// What we laid into the staging folder is there again, and nobody wrote to it, or is about to.
bool ApplyRun::is_as_staged(const Op& op, size_t i) const {
  const int staging = place(op).staging.get();
  const Found ours = look(staging, std::to_string(i));
  if (!ours.there || !untouched(ours.side, op.post)) return false;
  if (op.post.kind != EntryKind::file) return true;
  return !is_open_for_writing(open_staged(staging, std::to_string(i)).get());
}

Status ApplyRun::take_out(const Op& op, size_t i) {
  if (is_gone_with_folder(op)) return {};
  CODEXOS_ASSIGN(const int dir, parent(op));
  const std::string name = name_of_entry(op.path), own = std::to_string(i);
  const int staging = place(op).staging.get();
  const Found now = look(dir, name);
  if (!now.there || (now.side.kind == EntryKind::folder && op.post.kind == EntryKind::folder))
    return {};  // done before a crash, or the user did it
  if (!as_planned(now.side, op.pre)) return meanwhile(op, "it was changed here meanwhile");
  if (move_to_empty(dir, name, staging, own) != 0) {
    if (errno == ENOENT) return {};
    return errno_error("remove " + op.path, errno);
  }
  const Found old = look(staging, own);
  if (old.there && untouched(old.side, op.pre)) return {};
  if (move_to_empty(staging, own, dir, name) != 0) leave(op, "what was there lies in " + name_);
  return meanwhile(op, "it was changed here meanwhile");
}

Status ApplyRun::remove_folder(const Op& op, size_t) {
  if (is_gone_with_folder(op)) return {};
  CODEXOS_ASSIGN(const int dir, parent(op));
  const std::string name = name_of_entry(op.path);
  const Found now = look(dir, name);
  if (!now.there || now.side.kind != EntryKind::folder) return {};
  if (unlinkat(dir, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
  if (errno == ENOTEMPTY || errno == EEXIST)
    return meanwhile(op, "something was made in this folder meanwhile");
  if (errno == ENOTDIR) return meanwhile(op, "it was replaced here meanwhile");
  return errno_error("remove " + op.path, errno);
}

Status ApplyRun::make_folder(const Op& op, size_t) {
  CODEXOS_ASSIGN(const int dir, parent(op));
  const std::string name = name_of_entry(op.path);
  const Found now = look(dir, name);
  if (now.there && now.side.kind == EntryKind::folder) return {};
  if (now.there) return meanwhile(op, "it was made here meanwhile");
  if (mkdirat(dir, name.c_str(), 0700) != 0) return errno_error("make " + op.path, errno);
  return own(dir, name, op);
}

Status ApplyRun::set_mode(const Op& op, size_t) {
  const Fd dir = open_here(place(op).dir.get(), op.path, O_PATH | O_DIRECTORY);
  struct stat st {};
  if (!dir || fstat(dir.get(), &st) != 0) return meanwhile(op, "the folder is gone");
  set_folder(dir.get(), op.post, op.pre, (op.post.mode & kPermissions) | (st.st_mode & kOwnBits));
  return {};
}

/// What was exchanged out is about to be given up. A program that had it open for writing would
/// write into nothing: F_SETLEASE (fcntl(2)) tells whether there is one, and nobody can open it
/// anew. What looks unchanged but was written in the last tick before it was kept is read again.
Status ApplyRun::check_old_one(const Op& op, size_t i) const {
  const int staging = place(op).staging.get();
  const Found old = look(staging, std::to_string(i));
  if (!old.there || same_inode(old.side, op.post)) return {};
  if (!untouched(old.side, op.pre)) return meanwhile(op, "it was changed here meanwhile");
  if (op.pre.kind != EntryKind::file) return {};
  const Fd fd = open_staged(staging, std::to_string(i));
  if (!fd) return {};
  if (is_open_for_writing(fd.get())) return meanwhile(op, "a program has it open for writing");
  if (staged_at_ns_ != 0 && op.pre.mtime_ns < staged_at_ns_ - kRacyNs) return {};
  auto digest = images_->digest(fd.get());
  if (!digest.ok()) return std::move(digest).error();
  if (*digest != op.pre.digest) return meanwhile(op, "it was changed here meanwhile");
  return {};
}

Status ApplyRun::check_old(const std::vector<Op>& ops) {
  for (size_t i = 0; i < ops.size(); ++i) {
    if (!ops[i].pre.is_content()) continue;
    auto unchanged = check_old_one(ops[i], i);
    if (unchanged.ok()) continue;
    failed_ = i;
    return unchanged;
  }
  return {};
}

// --- back ---------------------------------------------------------------------------------------

void ApplyRun::leave(const Op& op, const std::string& what) {
  left_.push_back(op.path + ": " + what);
}

void ApplyRun::take_back(const std::vector<Op>& ops, const std::vector<Step>& steps) {
  for (size_t n = steps.size(); n-- > 0;) undo_step(ops[steps[n].op], steps[n].op, steps[n].act);
}

void ApplyRun::undo_step(const Op& op, size_t i, Act act) {
  if (act == Act::set_mode) return;  // restore_modes() does
  const auto dir = parent(op);
  if (!dir.ok()) {
    const Found old = look(place(op).staging.get(), std::to_string(i));
    if (old.there && op.pre.is_content() && same_inode(old.side, op.pre))
      leave(op, "the folder that held it is gone; what it was lies in " + name_);
    return;
  }
  const std::string name = name_of_entry(op.path);
  if (act == Act::put) return undo_put(op, i, *dir);
  if (act == Act::take_out) return undo_take_out(op, i, *dir);
  if (act == Act::make_folder) {
    if (op.pre.kind == EntryKind::folder) return;
    if (unlinkat(*dir, name.c_str(), AT_REMOVEDIR) != 0 && (errno == ENOTEMPTY || errno == EEXIST))
      leave(op, "something was made in this folder meanwhile");
    return;
  }
  if (mkdirat(*dir, name.c_str(), 0700) == 0 && !own(*dir, name, op).ok())
    leave(op, "it belongs to root now");
}

void ApplyRun::undo_put(const Op& op, size_t i, int dir) {
  const std::string name = name_of_entry(op.path), own_name = std::to_string(i);
  const int staging = place(op).staging.get();
  const Found now = look(dir, name);
  const Found kept = look(staging, own_name);
  if (kept.there && same_inode(kept.side, op.post)) return;  // it never was put
  if (!now.there || !same_inode(now.side, op.post))
    return leave(op, "it was replaced here meanwhile and is kept");
  if (!untouched(now.side, op.post)) return leave(op, "it was written here meanwhile and is kept");
  const bool back = op.pre.is_content() ? exchange(staging, own_name, dir, name) == 0
                                        : move_to_empty(dir, name, staging, own_name) == 0;
  if (!back) return leave(op, "it cannot be put back");
  if (is_as_staged(op, i)) return;
  // Written in the last moment: what the user has is worth more than what was.
  const bool again = op.pre.is_content() ? exchange(staging, own_name, dir, name) == 0
                                         : move_to_empty(staging, own_name, dir, name) == 0;
  leave(op,
        again ? "it was written here meanwhile and is kept" : "what was there lies in " + name_);
}

void ApplyRun::undo_take_out(const Op& op, size_t i, int dir) {
  const std::string name = name_of_entry(op.path), own_name = std::to_string(i);
  const int staging = place(op).staging.get();
  if (!look(staging, own_name).there) return;  // it never was taken out
  if (move_to_empty(staging, own_name, dir, name) == 0) return;
  const std::string beside = name + name_;
  if (move_to_empty(staging, own_name, dir, beside) == 0)
    return leave(op, "it was made anew here; what it was is in " + beside);
  leave(op, "what it was lies in " + name_);
}

void ApplyRun::restore_modes(const std::vector<Op>& ops) {
  std::vector<const Op*> folders;
  for (const Op& op : ops)
    if (op.pre.kind == EntryKind::folder) folders.push_back(&op);
  std::sort(folders.begin(), folders.end(),
            [](const Op* a, const Op* b) { return a->path > b->path; });
  for (const Op* op : folders) {
    const Fd dir = open_here(place(*op).dir.get(), op->path, O_PATH | O_DIRECTORY);
    if (dir) set_folder(dir.get(), op->pre, op->post, op->pre.mode);
  }
}

void ApplyRun::keep_inodes(const std::vector<Op>& ops, const std::string& folder) const {
  bool made = false;
  for (size_t i = 0; i < ops.size(); ++i) {
    if (ops[i].pre.kind != EntryKind::file || ops[i].pre.nlink < 2) continue;
    if (!std::exchange(made, true) && !make_dir(folder, 0700).ok()) return;
    const std::string name = std::to_string(i);
    if (linkat(place(ops[i]).staging.get(), name.c_str(), AT_FDCWD, (folder + "/" + name).c_str(),
               0) != 0 &&
        errno == EXDEV)
      return;
  }
}

// --- after --------------------------------------------------------------------------------------

bool ApplyRun::holds_old(const std::vector<Op>& ops) const {
  for (size_t i = 0; i < ops.size(); ++i) {
    const Found f = look(place(ops[i]).staging.get(), std::to_string(i));
    if (f.there && !(ops[i].post.is_content() && same_inode(f.side, ops[i].post))) return true;
  }
  return false;
}

void ApplyRun::clean() {
  for (Place& p : places_) {
    if (!p.staging) continue;
    p.staging.reset();
    (void)remove_tree(p.path + "/" + name_);
  }
}

void remove_staging(const std::string& id, const std::vector<Root>& roots) {
  for (const Root& r : roots) (void)remove_tree(r.path + "/.codexos-" + id);
}

}  // namespace codexos::daemon

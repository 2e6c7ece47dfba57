// SPDX-License-Identifier: Apache-2.0
// The first half of an apply: what is new is written beside what is there, and what will be
// replaced is kept. Nothing that the user sees changes here.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <set>
#include <tuple>

#include "core/base/clock.h"
#include "core/base/path.h"
#include "core/os/file.h"
#include "daemon/workspace/apply_run.h"
#include "daemon/workspace/merge.h"

namespace codexos::daemon {
namespace {

constexpr size_t kCopyChunk = 1 << 20;

timespec time_of(int64_t ns) {
  timespec t{};
  t.tv_sec = ns / kNsPerS;
  t.tv_nsec = ns % kNsPerS;
  if (t.tv_nsec < 0) {
    t.tv_nsec += kNsPerS;
    --t.tv_sec;
  }
  return t;
}

Status copy_by_hand(int from, int to) {
  std::string buffer(kCopyChunk, '\0');
  for (off_t at = 0;;) {
    const ssize_t n = pread(from, buffer.data(), buffer.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("read", errno);
    if (n == 0) return {};
    CODEXOS_TRY(write_all(to, std::string_view(buffer.data(), static_cast<size_t>(n))));
    at += n;
  }
}

/// Shares the blocks where the file system can, else the kernel copies.
Status copy_content(int from, int to) {
  if (ioctl(to, FICLONE, from) == 0) return {};
  for (off_t at = 0;;) {
    const ssize_t n = copy_file_range(from, &at, to, nullptr, kCopyChunk, 0);
    if (n == 0) return {};
    if (n > 0 || errno == EINTR) continue;
    if (at == 0 && errno != ENOSPC && errno != EDQUOT && errno != EIO)
      return copy_by_hand(from, to);
    return errno_error("copy", errno);
  }
}

void write_xattrs(int fd, const std::map<std::string, std::string>& xattrs) {
  for (const auto& [name, value] : xattrs)
    (void)fsetxattr(fd, name.c_str(), value.data(), value.size(), 0);
}

/// The entry that a plan was made for: everything but a folder's content.
bool is_still(const Side& planned, const Side& now) {
  return planned.kind == now.kind && planned.dev == now.dev && planned.ino == now.ino &&
         planned.size == now.size && planned.mtime_ns == now.mtime_ns &&
         planned.ctime_ns == now.ctime_ns;
}

Error changed(const Op& op) {
  return Error{Code::conflict, op.path + ": it was changed while the apply was being prepared",
               "run it again"};
}

}  // namespace

void read_side(int dir, const std::string& name, Side& side) {
  if (side.kind == EntryKind::absent) return;
  if (side.kind == EntryKind::link) {
    char target[PATH_MAX];
    const ssize_t n = readlinkat(dir, name.c_str(), target, sizeof target);
    if (n > 0) side.target.assign(target, static_cast<size_t>(n));
    return;
  }
  const Fd fd = open_below(dir, name, O_RDONLY);
  side.xattrs = user_xattrs(fd.get());
}

Status ApplyRun::stage(std::vector<Op>& ops, const OpenContent& content, const KeptInode& kept) {
  staged_at_ns_ = now_us() * 1000;
  for (Place& p : places_) {
    if (std::none_of(ops.begin(), ops.end(), [&](const Op& op) { return &place(op) == &p; }))
      continue;
    if (mkdirat(p.dir.get(), name_.c_str(), 0700) != 0 && errno != EEXIST)
      return errno_error("make a folder in " + p.path, errno);
    p.staging = open_below(p.dir.get(), name_, O_RDONLY | O_DIRECTORY);
    if (!p.staging) return errno_error("open " + p.path + "/" + name_, errno);
  }
  CODEXOS_TRY(open_up_folders(ops));
  for (size_t i = 0; i < ops.size(); ++i) {
    auto staged = stage_one(ops, i, content, kept);
    if (staged.ok()) continue;
    failed_ = i;
    if (staged.error().code == Code::conflict) return staged;
    return std::move(staged).error().during("prepare " + ops[i].path);
  }
  return {};
}

/// Folders that the plan leaves alone, but in which entries cannot be made: an operation for each
/// says that their mode is to be what it was.
Status ApplyRun::open_up_folders(std::vector<Op>& ops) {
  if (geteuid() == 0) return {};
  std::set<std::pair<uint32_t, std::string>> known, closed;
  for (const Op& op : ops) known.emplace(op.root, op.path);
  const size_t planned = ops.size();
  for (size_t i = 0; i < planned; ++i) {
    const uint32_t root = ops[i].root;
    const std::string path = ops[i].path;
    for (size_t slash = path.find('/'); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      const std::string folder = path.substr(0, slash);
      if (!known.emplace(root, folder).second) continue;
      struct stat st {};
      const Fd fd = open_below(places_[root].dir.get(), folder, O_PATH | O_DIRECTORY);
      if (!fd || fstat(fd.get(), &st) != 0 || (st.st_mode & kEnter) == kEnter) continue;
      Op op;
      op.root = root;
      op.path = folder;
      op.pre = op.post = side_of(facts_of(st));
      op.pre.xattrs = op.post.xattrs =
          user_xattrs(open_below(places_[root].dir.get(), folder, O_RDONLY | O_DIRECTORY).get());
      ops.push_back(std::move(op));
    }
  }
  return {};
}

Status ApplyRun::stage_one(std::vector<Op>& ops, size_t i, const OpenContent& content,
                           const KeptInode& kept) {
  Op& op = ops[i];
  CODEXOS_TRY(keep_old(op));
  if (op.post.kind == EntryKind::link) return put_link(op, i);
  if (op.post.kind != EntryKind::file) return {};
  bool linked = false;
  CODEXOS_TRY(link_to_group(ops, i, linked));
  if (linked) return {};
  if (kept && link_kept(op, i, kept(i))) return {};
  return put_file(op, i, content);
}

Status ApplyRun::keep_old(Op& op) {
  if (op.pre.kind == EntryKind::absent) return {};
  if (op.pre.kind != EntryKind::file) {
    if (op.pre.target.empty() && op.pre.xattrs.empty())
      read_side(place(op).dir.get(), op.path, op.pre);
    return {};
  }
  const Fd fd = open_below(place(op).dir.get(), op.path, O_RDONLY);
  if (!fd && errno == ENOENT) return changed(op);
  if (!fd) return errno_error("keep what it was before", errno);
  struct stat st {};
  if (fstat(fd.get(), &st) != 0) return errno_error("stat", errno);
  if (!is_still(op.pre, side_of(facts_of(st)))) return changed(op);
  if (is_open_for_writing(fd.get()))
    return Error{Code::conflict, op.path + ": a program has it open for writing", {}};
  op.pre.xattrs = user_xattrs(fd.get());
  const std::string expected = std::move(op.pre.digest);
  CODEXOS_ASSIGN(op.pre.digest, images_->keep(fd.get()));
  if (fstat(fd.get(), &st) != 0 || !is_still(op.pre, side_of(facts_of(st)))) return changed(op);
  // Within one tick of the clock a file can be written again and look the same.
  if (!expected.empty() && expected != op.pre.digest) return changed(op);
  return {};
}

/// Names of one file stay names of one file.
Status ApplyRun::link_to_group(std::vector<Op>& ops, size_t i, bool& linked) {
  Op& op = ops[i];
  if (op.post.nlink < 2) return {};
  const auto [at, first] = groups_.emplace(std::make_tuple(op.root, op.post.dev, op.post.ino), i);
  if (first) return {};
  const int dir = place(op).staging.get();
  if (linkat(dir, std::to_string(at->second).c_str(), dir, std::to_string(i).c_str(), 0) != 0)
    return errno_error("link", errno);
  op.post = ops[at->second].post;
  linked = true;
  return {};
}

/// The inode that was there before, if it still is what it was.
bool ApplyRun::link_kept(Op& op, size_t i, const std::string& inode) const {
  if (inode.empty() || op.post.nlink < 2) return false;
  const Fd fd(::open(inode.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  struct stat st {};
  if (!fd || fstat(fd.get(), &st) != 0) return false;
  Side side = side_of(facts_of(st));
  if (side.kind != EntryKind::file || side.size != op.post.size ||
      (side.mode & kPermissions) != (op.post.mode & kPermissions))
    return false;
  auto digest = images_->digest(fd.get());
  if (!digest.ok() || *digest != op.post.digest) return false;
  if (linkat(AT_FDCWD, inode.c_str(), place(op).staging.get(), std::to_string(i).c_str(), 0) != 0)
    return false;
  side.xattrs = std::move(op.post.xattrs);
  side.digest = *std::move(digest);
  op.post = std::move(side);
  return true;
}

/// Under root what is written belongs to who owned the entry before, if the task's does as well,
/// else to the owner of the workspace.
Status ApplyRun::own(int dir, const std::string& name, const Op& op) const {
  if (geteuid() != 0) return {};
  const Place& p = place(op);
  const bool kept = op.pre.kind == op.post.kind && op.post.uid == op.pre.uid;
  if (fchownat(dir, name.c_str(), kept ? op.pre.uid : p.owner_uid, kept ? op.pre.gid : p.owner_gid,
               AT_SYMLINK_NOFOLLOW) != 0)
    return errno_error("give it to its owner", errno);
  return {};
}

Status ApplyRun::put_file(Op& op, size_t i, const OpenContent& content) {
  CODEXOS_ASSIGN(const Fd from, content(i));
  const int dir = place(op).staging.get();
  const std::string name = std::to_string(i);
  const Fd to(openat(dir, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!to) return errno_error("create", errno);
  CODEXOS_TRY(copy_content(from.get(), to.get()));
  // What was written over a text or git's index is kept as well: undo needs it as the base of a
  // merge, or to tell that git only refreshed it.
  const bool kept =
      op.pre.kind == EntryKind::file && (op.post.size <= kMergeLimit || op.path.ends_with("index"));
  CODEXOS_ASSIGN(const std::string digest,
                 kept ? images_->keep(to.get()) : images_->digest(to.get()));
  if (!op.post.digest.empty() && op.post.digest != digest)
    return Error{Code::internal, "its kept content is damaged", {}};
  CODEXOS_TRY(own(dir, name, op));
  write_xattrs(to.get(), op.post.xattrs);
  if (fchmod(to.get(), op.post.mode & 07777) != 0) return errno_error("chmod", errno);
  const timespec times[2] = {{0, UTIME_OMIT}, time_of(op.post.mtime_ns)};
  if (futimens(to.get(), times) != 0) return errno_error("set its time", errno);
  struct stat st {};
  if (fstat(to.get(), &st) != 0) return errno_error("stat", errno);
  Side staged = side_of(facts_of(st));
  staged.xattrs = std::move(op.post.xattrs);
  staged.digest = digest;
  op.post = std::move(staged);
  return {};
}

Status ApplyRun::put_link(Op& op, size_t i) {
  const int dir = place(op).staging.get();
  const std::string name = std::to_string(i);
  if (symlinkat(op.post.target.c_str(), dir, name.c_str()) != 0)
    return errno_error("make the link", errno);
  CODEXOS_TRY(own(dir, name, op));
  const timespec times[2] = {{0, UTIME_OMIT}, time_of(op.post.mtime_ns)};
  (void)utimensat(dir, name.c_str(), times, AT_SYMLINK_NOFOLLOW);
  struct stat st {};
  if (fstatat(dir, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) return errno_error("stat", errno);
  Side staged = side_of(facts_of(st));
  staged.target = op.post.target;
  op.post = std::move(staged);
  return {};
}

}  // namespace codexos::daemon

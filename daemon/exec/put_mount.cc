// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/os/mount.h"
#include "daemon/exec/step_functions.h"

namespace codexos::exec {
namespace {

constexpr const char* kEmptyFile = ".empty";

// The sums that all tasks of one user share outside, bounded inside its own user namespace.
Status write_user_limits(const View& view, int proc) {
  for (const auto& l : view.user_limits) {
    const std::string path = "sys/user/" + l.name;
    const Fd fd(openat(proc, path.c_str(), O_WRONLY | O_CLOEXEC));
    const std::string text = std::to_string(l.value);
    if (!fd && errno == ENOENT) continue;  // this kernel does not count it
    if (!fd || write(fd.get(), text.data(), text.size()) < 0)
      return errno_error("write /proc/" + path, errno);
  }
  return {};
}

/// The folder that `target` is put into, made where it is missing; `name` is the last component.
Result<int> parent_of(Sandbox& s, const std::string& target, std::string& name) {
  const size_t slash = target.rfind('/');
  name = target.substr(slash + 1);
  if (slash == std::string::npos || name.empty() || name == "." || name == "..")
    return Error{Code::invalid, target + ": no file name", {}};
  const std::string path = target.substr(0, slash + 1);
  if (s.parent && s.parent_path == path) return s.parent.get();
  forget_parent(s);
  CODEXOS_ASSIGN(s.parent, make_dirs_below(s.root.get(), path));
  s.parent_path = path;
  return s.parent.get();
}

Result<Fd> tree_of(const Sandbox& s, const Mount& m, std::vector<Fd>& fds) {
  MountFlags flags;
  flags.read_only = m.read_only;
  flags.nodev = !m.devices;
  if (m.fd < 0) return clone_tree(m.source, Recurse::yes, flags);
  if (s.held && &fds == s.view_fds)
    return clone_tree(held_name(static_cast<size_t>(m.fd)), Recurse::yes, flags);
  if (static_cast<size_t>(m.fd) >= fds.size() || !fds[static_cast<size_t>(m.fd)])
    return Error{Code::internal, "descriptor " + std::to_string(m.fd) + " is missing", {}};
  Fd tree = std::move(fds[static_cast<size_t>(m.fd)]);
  CODEXOS_TRY(set_mount(tree.get(), flags, Recurse::yes));
  return tree;
}

Status put_bind(Sandbox& s, const Mount& m, std::vector<Fd>& fds) {
  CODEXOS_ASSIGN(const Fd tree, tree_of(s, m, fds));
  CODEXOS_ASSIGN(const struct stat st, stat_of(tree.get(), m.source));
  CODEXOS_TRY(check_object(st, m.dev, m.ino, m.source));
  if (!S_ISDIR(st.st_mode)) return attach_file(s, tree.get(), m.target);
  forget_parent(s);
  CODEXOS_ASSIGN(const Fd at, make_dirs_below(s.root.get(), m.target));
  return attach_mount(tree.get(), at.get());
}

Status attach_new(Sandbox& s, int fs, const std::string& target) {
  forget_parent(s);
  // No path leads through a link as long as nothing but the view is there.
  if (!s.job_began && attach_mount_below(fs, s.root.get(), target).ok()) return {};
  CODEXOS_ASSIGN(const Fd at, make_dirs_below(s.root.get(), target));
  return attach_mount(fs, at.get());
}

Status put_new(Sandbox& s, const Mount& m, const char* type,
               std::vector<std::pair<std::string, std::string>> options, bool noexec) {
  MountFlags flags;
  flags.noexec = noexec;
  flags.nodev = m.kind != MountKind::devpts;  // terminals are device nodes
  CODEXOS_ASSIGN(Fd fs, new_mount(type, options, flags));
  CODEXOS_TRY(attach_new(s, fs.get(), m.target));
  if (m.kind == MountKind::proc) {
    CODEXOS_TRY(write_user_limits(*s.view, fs.get()));
    if (!s.view->host_network && !s.network_ready) {
      const Fd sysctl(openat(fs.get(), "sys", O_PATH | O_DIRECTORY | O_CLOEXEC));
      CODEXOS_TRY(set_network_defaults(sysctl.get()));
    }
  }
  if (m.kind == MountKind::tmpfs && m.read_only) s.seal.push_back(std::move(fs));
  return {};
}

std::string octal(uint32_t mode) {
  char text[16];
  snprintf(text, sizeof text, "%04o", mode);
  return text;
}

Status put_tmpfs(Sandbox& s, const Mount& m, std::vector<Fd>&) {
  std::vector<std::pair<std::string, std::string>> options{{"mode", octal(m.mode)}};
  options.emplace_back("size", std::to_string(m.size_bytes != 0 ? m.size_bytes : 64 << 10));
  options.emplace_back("nr_inodes", std::to_string(m.inodes != 0 ? m.inodes : 1024));
  return put_new(s, m, "tmpfs", std::move(options), false);
}
Status put_proc(Sandbox& s, const Mount& m, std::vector<Fd>&) {
  return put_new(s, m, "proc", {}, true);
}
Status put_devpts(Sandbox& s, const Mount& m, std::vector<Fd>&) {
  return put_new(s, m, "devpts", {{"ptmxmode", "0666"}, {"mode", "0620"}}, true);
}
constexpr mode_t kUmask = 022;  // in force while the view is built: bits that creation drops

Status put_dir(Sandbox& s, const Mount& m, std::vector<Fd>&) {
  CODEXOS_ASSIGN(const Fd at, make_dirs_below(s.root.get(), m.target));
  if (m.mode == 0755) return {};
  const std::string self = "/proc/self/fd/" + std::to_string(at.get());
  return ok_or_errno(chmod(self.c_str(), m.mode), "chmod");
}
Status put_file(Sandbox& s, const Mount& m, std::vector<Fd>&) {
  std::string name;
  CODEXOS_ASSIGN(const int parent, parent_of(s, m.target, name));
  const Fd fd(
      openat(parent, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, m.mode));
  if (!fd) return errno_error("make " + m.target, errno);
  if (write(fd.get(), m.content.data(), m.content.size()) != static_cast<ssize_t>(m.content.size()))
    return errno_error("write " + m.target, errno);
  if ((m.mode & kUmask) == 0) return {};
  return ok_or_errno(fchmod(fd.get(), m.mode), "fchmod");
}
Status put_symlink(Sandbox& s, const Mount& m, std::vector<Fd>&) {
  std::string name;
  CODEXOS_ASSIGN(const int parent, parent_of(s, m.target, name));
  return ok_or_errno(symlinkat(m.source.c_str(), parent, name.c_str()), "symlink");
}
// The file as it is there now, through no link: an earlier task may have put something else into
// its place. No descriptor: there is no such file.
Fd find_file(int root, const std::string& path) {
  Fd at(openat(root, ".", O_PATH | O_CLOEXEC));
  for (size_t from = 1; at && from <= path.size();) {
    const size_t slash = std::min(path.find('/', from), path.size());
    at.reset(
        openat(at.get(), path.substr(from, slash - from).c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    from = slash + 1;
  }
  struct stat st {};
  if (at && (fstat(at.get(), &st) != 0 || !S_ISREG(st.st_mode))) at.reset();
  return at;
}

// Not the host's /dev/null: what is bound must not be replaceable (CVE-2025-31133).
Result<Fd> empty_file(const Sandbox& s) {
  MountFlags flags;
  flags.read_only = true;
  flags.noexec = true;
  return clone_tree_below(s.root.get(), kEmptyFile, Recurse::no, flags);
}

Status put_hide(Sandbox& s, const Mount& m, std::vector<Fd>&) {
  CODEXOS_ASSIGN(const Fd tree, empty_file(s));
  if (m.role == MountRole::hidden) {
    const Fd file = find_file(s.root.get(), m.target);
    return file ? attach_mount(tree.get(), file.get()) : Status();
  }
  std::string name;
  CODEXOS_ASSIGN(const int parent, parent_of(s, m.target, name));
  Status done = attach_mount_below(tree.get(), parent, name);
  if (!done && errno == ENOENT) return {};  // it went meanwhile (a socket does): nothing to hide
  return done;
}

struct MountRow {
  MountKind kind;
  Status (*put)(Sandbox&, const Mount&, std::vector<Fd>&);
};
constexpr MountRow kMountRows[] = {
    {MountKind::bind, put_bind},       {MountKind::tmpfs, put_tmpfs}, {MountKind::proc, put_proc},
    {MountKind::devpts, put_devpts},   {MountKind::dir, put_dir},     {MountKind::file, put_file},
    {MountKind::symlink, put_symlink}, {MountKind::hide, put_hide},
};

}  // namespace

Status check_object(const struct stat& st, uint64_t dev, uint64_t ino, const std::string& what) {
  if (ino == 0 || (st.st_dev == dev && st.st_ino == ino)) return {};
  return Error{
      Code::conflict, what + " is not the folder any more that was checked: it was replaced", {}};
}

Result<struct stat> stat_of(int fd, const std::string& what) {
  struct stat st {};
  if (fstat(fd, &st) < 0) return errno_error("stat " + what, errno);
  return st;
}

Status make_empty_file(Sandbox& s) {
  const Fd made(
      openat(s.root.get(), kEmptyFile, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444));
  if (!made) return errno_error("make the empty file", errno);
  return {};
}

std::string held_name(size_t n) { return "held/" + std::to_string(n); }

void forget_parent(Sandbox& s) {
  s.parent_path.clear();
  s.parent.reset();
}

Status attach_file(Sandbox& s, int tree, const std::string& target) {
  std::string name;
  CODEXOS_ASSIGN(const int parent, parent_of(s, target, name));
  const Fd made(
      openat(parent, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444));
  if (made) return attach_mount(tree, made.get());
  if (errno != EEXIST && errno != EROFS && errno != EACCES)
    return errno_error("make " + target, errno);
  const Fd at(openat(parent, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!at) return errno_error("open " + target, errno);
  return attach_mount(tree, at.get());
}

Status put_mount(Sandbox& s, const Mount& m, std::vector<Fd>& fds) {
  for (const auto& row : kMountRows) {
    if (row.kind != m.kind) continue;
    Status done = row.put(s, m, fds);
    if (done) return done;
    const std::string from = m.source.empty() ? "" : m.source + " ";
    return std::move(done).error().during("show " + from + "at " + m.target);
  }
  return Error{Code::internal, "unknown kind of mount", {}};
}

}  // namespace codexos::exec

// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/steps.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/os/landlock.h"
#include "core/os/mount.h"

namespace codexos::exec {
namespace {

constexpr long kKeyctl = 250, kKeyctlJoinSession = 1;

Status ok_or_errno(long result, const char* what) {
  if (result < 0) return errno_error(what, errno);
  return {};
}

// ---- view
// ----------------------------------------------------------------------------------------

// A task must not find the daemon's session keyring (keyctl(2), session-keyring(7)).
Status join_keyring(Sandbox&) {
  if (syscall(kKeyctl, kKeyctlJoinSession, nullptr) < 0 && errno != ENOSYS && errno != EDQUOT)
    return errno_error("join a new session keyring", errno);
  if (errno == EDQUOT) return errno_error("join a new session keyring", EDQUOT);
  return {};
}

// A program starts with all dispositions at their defaults, whatever the daemon inherited.
Status reset_signals(Sandbox&) {
  struct sigaction plain {};
  plain.sa_handler = SIG_DFL;
  constexpr int kSignals = 64;  // KILL and STOP answer EINVAL
  for (int s = 1; s <= kSignals; ++s) syscall(SYS_rt_sigaction, s, &plain, nullptr, kSignals / 8);
  return {};
}

Status wait_for_maps(Sandbox& s) {
  char byte = 0;
  ssize_t n = 0;
  do n = read(s.map_ready, &byte, 1);
  while (n < 0 && errno == EINTR);
  if (n != 1) return Error{Code::internal, "the outer process could not write the id maps", {}};
  return {};
}

Status write_own(const char* file, const std::string& text) {
  const std::string path = std::string("/proc/self/") + file;
  const Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd || write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return errno_error("write " + path, errno);
  return {};
}

// A zygote's child is in a user namespace below the zygote's, with the same numbers: everybody may
// map himself (user_namespaces(7)).
Status map_oneself(Sandbox& s) {
  const auto line = [](uint32_t id) {
    return std::to_string(id) + " " + std::to_string(id) + " 1\n";
  };
  CODEXOS_TRY(write_own("setgroups", "deny"));
  CODEXOS_TRY(write_own("uid_map", line(s.view->uid.inside)));
  return write_own("gid_map", line(s.view->gid.inside));
}

// Becomes the inside user; keeps the namespace's capabilities until the last step. Groups of the
// host cannot be dropped without privilege there (setgroups is denied), under root they are.
Status become_inside_user(Sandbox& s) {
  const uid_t uid = s.view->uid.inside;
  const gid_t gid = s.view->gid.inside;
  if (setgroups(0, nullptr) < 0 && errno != EPERM) return errno_error("setgroups", errno);
  CODEXOS_TRY(ok_or_errno(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "keep capabilities"));
  CODEXOS_TRY(ok_or_errno(syscall(SYS_setresgid, gid, gid, gid), "setresgid"));
  CODEXOS_TRY(ok_or_errno(syscall(SYS_setresuid, uid, uid, uid), "setresuid"));
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  CODEXOS_TRY(ok_or_errno(syscall(SYS_capget, &head, data), "capget"));
  for (auto& d : data) d.effective = d.permitted;
  CODEXOS_TRY(ok_or_errno(syscall(SYS_capset, &head, data), "capset"));
  return ok_or_errno(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "dumpable 0");
}

// Raised before the shim becomes unreadable, inherited by the payload: under pressure a task goes
// first.
Status prefer_as_victim(Sandbox&) {
  const Fd fd(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  if (fd && write(fd.get(), "500", 3) == 3) return {};
  if (errno == EROFS || errno == EACCES)
    return {};  // a container's read-only /proc: only a preference is lost
  return errno_error("write oom_score_adj", errno);
}

Status start_root_at(Sandbox& s, const char* place) {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) < 0)
    return errno_error("make / a slave", errno);
  CODEXOS_ASSIGN(
      Fd fs,
      new_mount("tmpfs", {{"mode", "0755"}, {"size", "4m"}, {"nr_inodes", "4096"}}, MountFlags{}));
  const Fd at(open(place, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!at) return errno_error(std::string("open ") + place, errno);
  CODEXOS_TRY(attach_mount(fs.get(), at.get()));
  s.root = std::move(fs);
  return {};
}

// On top of "/" it hides nothing: absolute paths still start at the root below it.
Status start_root(Sandbox& s) { return start_root_at(s, "/"); }

// On an empty folder of the state, the working directory: with a mount on top of its root a process
// counts as chrooted and may make no user namespace (clone(2), EPERM).
Status start_template(Sandbox& s) { return start_root_at(s, "."); }

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

// Its own loopback is like any machine's of one user: servers on every port, also below 1024.
Status free_all_ports(const View& view, int proc) {
  if (view.host_network) return {};
  const Fd fd(openat(proc, "sys/net/ipv4/ip_unprivileged_port_start", O_WRONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return {};  // a kernel without IPv4
  if (!fd || write(fd.get(), "0", 1) != 1)
    return errno_error("write ip_unprivileged_port_start", errno);
  return {};
}

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

/// A mount may cover the folder that is held.
void forget_parent(Sandbox& s) {
  s.parent_path.clear();
  s.parent.reset();
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

/// Attaches a mount of a file, making the place where it is missing.
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

std::string held_name(size_t n) { return ".held/" + std::to_string(n); }

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

Status put_new(Sandbox& s, const Mount& m, const char* type,
               std::vector<std::pair<std::string, std::string>> options, bool noexec) {
  MountFlags flags;
  flags.noexec = noexec;
  flags.nodev = m.kind != MountKind::devpts;  // terminals are device nodes
  CODEXOS_ASSIGN(Fd fs, new_mount(type, options, flags));
  forget_parent(s);
  CODEXOS_ASSIGN(const Fd at, make_dirs_below(s.root.get(), m.target));
  CODEXOS_TRY(attach_mount(fs.get(), at.get()));
  if (m.kind == MountKind::proc) {
    CODEXOS_TRY(write_user_limits(*s.view, fs.get()));
    CODEXOS_TRY(free_all_ports(*s.view, fs.get()));
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
Status put_hide(Sandbox& s, const Mount& m, std::vector<Fd>&) {
  const Fd made(openat(s.root.get(), ".empty", O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0444));
  if (!made) return errno_error("make the empty file", errno);
  MountFlags flags;
  flags.read_only = true;
  flags.noexec = true;
  CODEXOS_ASSIGN(const Fd tree,
                 clone_tree("/proc/self/fd/" + std::to_string(made.get()), Recurse::no, flags));
  if (m.role == MountRole::hidden) {
    const Fd file = find_file(s.root.get(), m.target);
    return file ? attach_mount(tree.get(), file.get()) : Status();
  }
  std::string name;
  CODEXOS_ASSIGN(const int parent, parent_of(s, m.target, name));
  const Fd at(openat(parent, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!at && errno == ENOENT) return {};  // it went meanwhile (a socket does): nothing to hide
  if (!at) return errno_error("open " + m.target, errno);
  return attach_mount(tree.get(), at.get());
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

bool within(const std::string& path, const std::string& dir) {
  return path.size() > dir.size() && path.compare(0, dir.size(), dir) == 0 &&
         path[dir.size()] == '/';
}

enum class Place {
  own,      // the task's: writable, or of its namespaces, or outside of every unit
  in_own,   // the task's, and its place lies in a unit
  unit,     // a read-only tmpfs
  in_unit,  // what it holds
};

bool is_new_and_private(const Mount& m) {
  return (m.kind == MountKind::tmpfs && !m.read_only) || m.kind == MountKind::proc ||
         m.kind == MountKind::devpts;
}

/// One for each mount of the view.
std::vector<Place> places_of(const View& view) {
  struct Cover {
    const std::string* target;
    bool unit;
  };
  std::vector<Cover> covers;
  std::vector<Place> out;
  for (const auto& m : view.mounts) {
    const Cover* at = nullptr;
    for (const auto& c : covers)
      if (within(m.target, *c.target)) at = &c;
    const bool in_unit = at != nullptr && at->unit;
    Place place = in_unit ? Place::in_unit : Place::own;
    if (is_new_and_private(m)) {
      place = in_unit ? Place::in_own : Place::own;
      if (m.target != "/") covers.push_back({&m.target, false});
    } else if (is_unit(m) && !in_unit) {
      place = Place::unit;
      covers.push_back({&m.target, true});
    }
    out.push_back(place);
  }
  return out;
}

Status put_view(Sandbox& s) {
  const auto places = s.shared_units ? places_of(*s.view) : std::vector<Place>();
  for (size_t i = 0; i < s.view->mounts.size(); ++i) {
    const Mount& m = s.view->mounts[i];
    if (m.target == "/") continue;  // the root is there already
    if (s.shared_units && places[i] == Place::in_unit) continue;
    if (!s.shared_units || places[i] != Place::unit) {
      CODEXOS_TRY(put_mount(s, m, *s.view_fds));
      continue;
    }
    CODEXOS_ASSIGN(const Fd tree, clone_tree("." + m.target, Recurse::yes));
    forget_parent(s);
    CODEXOS_ASSIGN(const Fd at, make_dirs_below(s.root.get(), m.target));
    CODEXOS_TRY(attach_mount(tree.get(), at.get()));
  }
  return {};
}

// ---- template

Status put_units(Sandbox& s) {
  const auto places = places_of(*s.view);
  for (size_t i = 0; i < places.size(); ++i) {
    const Mount& m = s.view->mounts[i];
    if (places[i] == Place::unit || places[i] == Place::in_unit)
      CODEXOS_TRY(put_mount(s, m, *s.view_fds));
    else if (places[i] == Place::in_own)
      CODEXOS_TRY(make_dirs_below(s.root.get(), m.target));  // a place to mount on
  }
  return {};
}

// What came as descriptors can be attached once; helpers clone it from here.
Status hold_descriptors(Sandbox& s) {
  for (size_t i = 0; i < s.view_fds->size(); ++i) {
    const Fd& tree = (*s.view_fds)[i];
    if (!tree) continue;
    const std::string name = "/" + held_name(i);
    CODEXOS_ASSIGN(const struct stat st, stat_of(tree.get(), name));
    if (!S_ISDIR(st.st_mode)) {
      CODEXOS_TRY(attach_file(s, tree.get(), name));
      continue;
    }
    CODEXOS_ASSIGN(const Fd at, make_dirs_below(s.root.get(), name));
    CODEXOS_TRY(attach_mount(tree.get(), at.get()));
  }
  s.view_fds->clear();
  return {};
}

// Read-only as mounts and as file systems: no clone of them can be written to either.
Status seal_units(Sandbox& s) {
  forget_parent(s);
  MountFlags flags;
  flags.read_only = true;
  for (const auto& fd : s.seal) {
    CODEXOS_TRY(set_mount(fd.get(), flags, Recurse::no));
    const std::string path = "/proc/self/fd/" + std::to_string(fd.get());
    CODEXOS_TRY(ok_or_errno(mount(nullptr, path.c_str(), nullptr,
                                  MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, nullptr),
                            "remount read-only"));
  }
  s.seal.clear();
  return {};
}

// clone(2) carries the working directory over into the copy of the mounts.
Status stand_in_template(Sandbox& s) {
  CODEXOS_TRY(ok_or_errno(fchdir(s.root.get()), "fchdir to the template"));
  s.root.reset();
  // Its children write their own id maps, which belong to root where the memory is hidden.
  return ok_or_errno(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "dumpable 1");
}

Status set_hostname(Sandbox& s) {
  return ok_or_errno(sethostname(s.view->hostname.data(), s.view->hostname.size()), "sethostname");
}

Status set_up_network(Sandbox& s) {
  if (s.view->host_network) return {};
  if (s.view->network.empty()) return raise_loopback();
  return set_up_network(s.view->network, s.network);
}

// ---- job
// -----------------------------------------------------------------------------------------

bool is_after_overlays(const Mount& m) {
  return m.role == MountRole::write_through || m.role == MountRole::hidden;
}

/// A workspace that is worked on as a copy lies elsewhere on the host.
bool is_copy(const Mount& m) {
  return m.kind == MountKind::bind && !m.read_only && m.source != m.target &&
         (m.role == MountRole::workspace || m.role == MountRole::gitdir);
}

/// All of a copy takes room.
Status find_copies(Sandbox& s) {
  for (const auto& m : s.job->mounts) {
    if (s.job->disk_bytes == 0 || !is_copy(m)) continue;
    CODEXOS_ASSIGN(Fd at, open_below(s.root.get(), m.target));
    s.layers.push_back(std::move(at));
  }
  return {};
}

Status put_job_mounts(Sandbox& s) {
  for (const auto& m : s.job->mounts)
    if (!is_after_overlays(m)) CODEXOS_TRY(put_mount(s, m, *s.job_fds));
  return find_copies(s);
}

/// The folders of an overlay, opened and compared with the plan.
struct OverlayDirs {
  std::vector<Fd> lowers;
  Fd layer;
};

// A root daemon passes detached mounts. An overlay takes folders of those only from mounts of this
// namespace's owner (clone_private_mount(), Linux 6.15; before, of this namespace), so they are
// first put on a scratch folder of the new root, and taken away when the overlays stand.
Result<Fd> open_dir(Sandbox& s, const DirRef& d, int& scratch) {
  Fd fd;
  if (d.fd < 0) {
    fd.reset(open(d.path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return errno_error("open " + d.path, errno);
  } else {
    if (static_cast<size_t>(d.fd) >= s.job_fds->size() || !(*s.job_fds)[static_cast<size_t>(d.fd)])
      return Error{Code::internal, "descriptor " + std::to_string(d.fd) + " is missing", {}};
    const Fd tree = std::move((*s.job_fds)[static_cast<size_t>(d.fd)]);
    const std::string name = ".scratch/" + std::to_string(scratch++);
    CODEXOS_ASSIGN(Fd at, make_dirs_below(s.root.get(), name));
    CODEXOS_TRY(attach_mount(tree.get(), at.get()));
    fd.reset(openat(s.root.get(), name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return errno_error("open " + name, errno);
  }
  CODEXOS_ASSIGN(const struct stat st, stat_of(fd.get(), d.path));
  CODEXOS_TRY(check_object(st, d.dev, d.ino, d.path));
  return fd;
}

Result<OverlayDirs> open_dirs(Sandbox& s, const Overlay& o, int& scratch) {
  OverlayDirs out;
  for (const auto& d : o.lowers) {
    CODEXOS_ASSIGN(Fd fd, open_dir(s, d, scratch));
    out.lowers.push_back(std::move(fd));
  }
  CODEXOS_ASSIGN(out.layer, open_dir(s, o.layer, scratch));
  return out;
}

Status clear_scratch(const Sandbox& s, int scratch) {
  for (int i = 0; i < scratch; ++i) {
    const std::string name = ".scratch/" + std::to_string(i);
    const Fd at(openat(s.root.get(), name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    const std::string path = "/proc/self/fd/" + std::to_string(at.get());
    if (!at || umount2(path.c_str(), MNT_DETACH) < 0)
      return errno_error("take away scratch mount", errno);
    unlinkat(s.root.get(), name.c_str(), AT_REMOVEDIR);
  }
  if (scratch > 0) unlinkat(s.root.get(), ".scratch", AT_REMOVEDIR);
  return {};
}

Result<Fd> mount_overlay(const OverlayDirs& dirs) {
  const auto part = [&dirs](const char* name) {
    return Fd(openat(dirs.layer.get(), name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  };
  const Fd upper = part("upper");
  const Fd work = part("work");
  if (!upper || !work) return errno_error("open the layer", errno);
  std::vector<int> lowers;
  for (const auto& fd : dirs.lowers) lowers.push_back(fd.get());
  return new_overlay(lowers, upper.get(), work.get());
}

// Before Linux 6.13. Paths in overlay options cannot hold ':' or ',': layers are named by
// descriptor.
Status mount_overlay_by_name(const OverlayDirs& dirs, int at) {
  std::string lower;
  for (const auto& fd : dirs.lowers)
    lower += (lower.empty() ? "" : ":") + std::string("/proc/self/fd/") + std::to_string(fd.get());
  const std::string base = "/proc/self/fd/" + std::to_string(dirs.layer.get());
  const std::string options =
      "lowerdir=" + lower + ",upperdir=" + base + "/upper,workdir=" + base + "/work,userxattr";
  const std::string target = "/proc/self/fd/" + std::to_string(at);
  if (mount("overlay", target.c_str(), "overlay", MS_NOSUID | MS_NODEV, options.c_str()) < 0)
    return errno_error("mount overlay", errno);
  return {};
}

Status put_overlay(Sandbox& s, const Overlay& o, int& scratch) {
  CODEXOS_ASSIGN(const Fd at, make_dirs_below(s.root.get(), o.target));
  if (o.ready) return attach_mount(s.ahead.get(), at.get());
  CODEXOS_ASSIGN(const OverlayDirs dirs, open_dirs(s, o, scratch));
  if (s.job->disk_bytes != 0)
    s.layers.emplace_back(
        openat(dirs.layer.get(), "upper", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (const auto mounted = mount_overlay(dirs); mounted.ok())
    return attach_mount(mounted->get(), at.get());
  return mount_overlay_by_name(dirs, at.get());
}

Status put_overlays(Sandbox& s) {
  int scratch = 0;
  for (const auto& o : s.job->overlays) {
    Status done = put_overlay(s, o, scratch);
    if (!done) return std::move(done).error().during("hold back changes of " + o.target);
  }
  return clear_scratch(s, scratch);
}

Status put_write_through(Sandbox& s) {
  forget_parent(s);  // it may lie below an overlay now
  for (const auto& m : s.job->mounts)
    if (is_after_overlays(m)) CODEXOS_TRY(put_mount(s, m, *s.job_fds));
  return {};
}

// Ports of the host's loopback that the daemon shows here.
Status listen_for_host_ports(Sandbox& s) {
  for (const int32_t port : s.job->reach_ports) {
    Status done = listen_for_reach(port, s.network);
    if (!done) return std::move(done).error().during("port " + std::to_string(port));
  }
  return {};
}

Status leave_host(Sandbox& s) {
  if (s.inside) return {};
  forget_parent(s);
  CODEXOS_TRY(enter_root(s.root.get()));
  s.inside = true;
  return {};
}

/// Ahead of time, where nothing of the host's is opened by name any more: what a view shows comes
/// as descriptors all or not at all (a root daemon), and so does what its jobs add.
Status leave_host_early(Sandbox& s) {
  for (const auto& m : s.view->mounts)
    if (m.kind == MountKind::bind && m.fd >= 0) return leave_host(s);
  return {};
}

Status make_root_read_only(Sandbox& s) {
  forget_parent(s);
  MountFlags flags;
  flags.read_only = true;
  CODEXOS_TRY(set_mount(s.root.get(), flags, Recurse::no));
  for (const auto& fd : s.seal) CODEXOS_TRY(set_mount(fd.get(), flags, Recurse::no));
  s.seal.clear();
  s.root.reset();
  for (auto& fd : *s.view_fds) fd.reset();
  return {};
}

// Derived from the mounts, so that it cannot say something else than the view does.
Status allow_mount(Sandbox& s, const Mount& m) {
  LandlockAccess access = LandlockAccess::write;
  if (m.kind == MountKind::proc || m.kind == MountKind::devpts ||
      (m.kind == MountKind::bind && m.devices))
    access = LandlockAccess::devices;
  else if (m.read_only || m.target == "/" ||
           (m.kind != MountKind::bind && m.kind != MountKind::tmpfs))
    return {};
  CODEXOS_ASSIGN(const Fd at, open_below(s.root.get(), m.target));
  return s.wall.allow(at.get(), access, m.target);
}

Status plan_second_wall(Sandbox& s) {
  CODEXOS_ASSIGN(s.wall, LandlockRuleset::make(s.view->landlock_abi, !s.view->nested));
  if (!s.wall.has_file_rules()) return {};
  CODEXOS_TRY(s.wall.allow(s.root.get(), LandlockAccess::read, "/"));
  for (const auto& m : s.view->mounts) CODEXOS_TRY(allow_mount(s, m));
  return {};
}

Status complete_second_wall(Sandbox& s) {
  if (!s.wall.has_file_rules()) return {};
  for (const auto& m : s.job->mounts) CODEXOS_TRY(allow_mount(s, m));
  for (const auto& o : s.job->overlays) {
    CODEXOS_ASSIGN(const Fd at, open_below(s.root.get(), o.target));
    CODEXOS_TRY(s.wall.allow(at.get(), LandlockAccess::write, o.target));
  }
  // For the shim, to see how much is in them; programs have no path there.
  for (const auto& layer : s.layers)
    CODEXOS_TRY(s.wall.allow(layer.get(), LandlockAccess::read, "the layer"));
  return {};
}

Status enter_second_wall(Sandbox& s) { return s.wall.enter(); }

Status drop_bounding_set(Sandbox&) {
  for (int cap = 0; cap < 64; ++cap)
    if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
      if (errno == EINVAL) break;  // above the newest that this kernel knows
      return errno_error("drop from the bounding set", errno);
    }
  return {};
}

Status drop_capabilities(Sandbox&) {
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  constexpr unsigned long kBits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                                  SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                                  SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
  CODEXOS_TRY(ok_or_errno(prctl(PR_SET_SECUREBITS, kBits, 0, 0, 0), "securebits"));
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  return ok_or_errno(syscall(SYS_capset, &head, none), "capset");
}

Status no_new_privileges(Sandbox&) {
  return ok_or_errno(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
}

Status hide_from_payload(Sandbox&) {
  return ok_or_errno(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "dumpable 0");
}

Status load_filter(const std::string& bytes) {
  sock_fprog prog{};
  prog.len = static_cast<unsigned short>(bytes.size() / sizeof(sock_filter));
  prog.filter = reinterpret_cast<sock_filter*>(
      const_cast<char*>(bytes.data()));  // NOLINT: the kernel only reads
  return ok_or_errno(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog), "seccomp");
}

// For this process and all that it starts. A program with a listener of its own gets EBUSY.
Status listen_to_renames(Sandbox& s) {
  const std::string& program = s.view->seccomp_notify;
  if (s.job->overlays.empty() || program.empty()) return {};
  CODEXOS_ASSIGN(s.seams, listen_for_seams(program.data(), program.size()));
  return {};
}

// Ahead of time: what is denied by argument is nothing that the rest of the set-up does, and the
// allow-list still has the calls that it needs. Those are refused by the last one, which is short.
Status filter_arguments(Sandbox& s) { return load_filter(s.view->seccomp_deny); }
Status filter_syscalls(Sandbox& s) { return load_filter(s.view->seccomp_allow); }
Status end_set_up(Sandbox& s) { return load_filter(s.view->seccomp_seal); }

struct Step {
  const char* name;
  Status (*run)(Sandbox&);
};

constexpr Step kViewSteps[] = {
    {"signals", reset_signals},
    {"session keyring", join_keyring},
    {"id maps", wait_for_maps},
    {"out-of-memory preference", prefer_as_victim},
    {"inside user", become_inside_user},
    {"new root", start_root},
    {"view", put_view},
    {"host name", set_hostname},
    {"network", set_up_network},
    {"landlock rules", plan_second_wall},
    {"bounding set", drop_bounding_set},
    {"no new privileges", no_new_privileges},
    {"seccomp, arguments", filter_arguments},
    {"seccomp", filter_syscalls},
};

constexpr Step kTemplateSteps[] = {
    {"session keyring", join_keyring},
    {"id maps", wait_for_maps},
    {"out-of-memory preference", prefer_as_victim},
    {"inside user", become_inside_user},
    {"template", start_template},
    {"view", put_units},
    {"passed mounts", hold_descriptors},
    {"seal the view", seal_units},
    {"stand in the template", stand_in_template},
};

constexpr Step kHelperSteps[] = {
    {"signals", reset_signals},
    {"session keyring", join_keyring},
    {"id maps", map_oneself},
    {"inside user", become_inside_user},
    {"new root", start_root},
    {"view", put_view},
    {"host name", set_hostname},
    {"network", set_up_network},
    {"landlock rules", plan_second_wall},
    {"enter the new root early", leave_host_early},
    {"bounding set", drop_bounding_set},
    {"no new privileges", no_new_privileges},
    {"seccomp, arguments", filter_arguments},
    {"seccomp", filter_syscalls},
};

constexpr Step kJobSteps[] = {
    {"mounts of the task", put_job_mounts},
    {"overlays", put_overlays},
    {"written-through paths", put_write_through},
    {"ports of the host", listen_for_host_ports},
    {"landlock rules of the task", complete_second_wall},
    {"enter the new root", leave_host},
    {"read-only root", make_root_read_only},
    {"landlock", enter_second_wall},
    {"capabilities", drop_capabilities},
    {"hide the shim", hide_from_payload},
    {"seams of the overlays", listen_to_renames},
    {"seccomp, end of the set-up", end_set_up},
};

template <size_t N>
bool run_steps(const Step (&steps)[N], Sandbox& s, StepFailure& why, Cause cause) {
  for (const auto& step : steps) {
    errno = 0;
    const Status done = step.run(s);
    if (done) continue;
    why.step = step.name;
    why.error = errno;
    why.text = done.error().message;
    why.cause = cause;
    return false;
  }
  return true;
}

}  // namespace

bool check_view(const View& view, StepFailure& why) {
  const char* text = nullptr;
  if (view.uid.host == 0 || view.gid.host == 0)
    text = "the plan maps to host uid or gid 0";
  else if (view.uid.inside == 0)
    text = "the plan maps to uid 0 inside";
  else if (view.seccomp_allow.empty() || view.seccomp_deny.empty() || view.seccomp_seal.empty())
    text = "the plan has no seccomp filters";
  else if (view.mounts.empty())
    text = "the plan has an empty view";
  if (text == nullptr) return true;
  why = StepFailure{"check of the plan", EINVAL, text, Cause::not_isolated};
  return false;
}

bool build_view(Sandbox& s, StepFailure& why) {
  return run_steps(kViewSteps, s, why, Cause::not_isolated);
}
bool build_template(Sandbox& s, StepFailure& why) {
  return run_steps(kTemplateSteps, s, why, Cause::not_isolated);
}
bool build_view_of_helper(Sandbox& s, StepFailure& why) {
  return run_steps(kHelperSteps, s, why, Cause::not_isolated);
}
Status mount_ahead(Sandbox& s, const Overlay& o) {
  forget_parent(s);
  int scratch = 0;
  auto mounted = [&]() -> Result<Fd> {
    CODEXOS_ASSIGN(const OverlayDirs dirs, open_dirs(s, o, scratch));
    return mount_overlay(dirs);
  }();
  CODEXOS_TRY(clear_scratch(s, scratch));
  if (!mounted.ok()) return std::move(mounted).error();
  s.ahead = *std::move(mounted);
  return {};
}

bool build_job(Sandbox& s, StepFailure& why) {
  return run_steps(kJobSteps, s, why, Cause::start_failed);
}

}  // namespace codexos::exec

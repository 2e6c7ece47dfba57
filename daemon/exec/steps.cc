// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/steps.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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

Status wait_for_maps(Sandbox& s) {
  char byte = 0;
  ssize_t n = 0;
  do n = read(s.map_ready, &byte, 1);
  while (n < 0 && errno == EINTR);
  if (n != 1) return Error{Code::internal, "the outer process could not write the id maps", {}};
  return {};
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

Status start_root(Sandbox& s) {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) < 0)
    return errno_error("make / a slave", errno);
  CODEXOS_ASSIGN(
      Fd fs,
      new_mount("tmpfs", {{"mode", "0755"}, {"size", "1m"}, {"nr_inodes", "4096"}}, MountFlags{}));
  // On top of "/" it hides nothing: absolute paths still start at the root below it.
  const Fd at(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!at) return errno_error("open /", errno);
  CODEXOS_TRY(attach_mount(fs.get(), at.get()));
  s.root = std::move(fs);
  return {};
}

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

Status same_object(int fd, uint64_t dev, uint64_t ino, const std::string& what) {
  if (ino == 0) return {};
  struct stat st {};
  if (fstat(fd, &st) < 0) return errno_error("stat " + what, errno);
  if (st.st_dev == dev && st.st_ino == ino) return {};
  return Error{
      Code::conflict, what + " is not the folder any more that was checked: it was replaced", {}};
}

Status put_bind(Sandbox& s, const Mount& m, std::vector<Fd>& fds) {
  Fd tree;
  if (m.fd >= 0) {
    if (static_cast<size_t>(m.fd) >= fds.size() || !fds[static_cast<size_t>(m.fd)])
      return Error{Code::internal, "descriptor " + std::to_string(m.fd) + " is missing", {}};
    tree = std::move(fds[static_cast<size_t>(m.fd)]);
  } else {
    CODEXOS_ASSIGN(tree, clone_tree(m.source, Recurse::yes));
  }
  CODEXOS_TRY(same_object(tree.get(), m.dev, m.ino, m.source));
  MountFlags flags;
  flags.read_only = m.read_only;
  flags.nodev = !m.devices;
  CODEXOS_TRY(set_mount(tree.get(), flags, Recurse::yes));
  struct stat st {};
  if (fstat(tree.get(), &st) < 0) return errno_error("stat " + m.source, errno);
  if (S_ISDIR(st.st_mode)) {
    CODEXOS_ASSIGN(Fd at, make_dirs_below(s.root.get(), m.target));
    return attach_mount(tree.get(), at.get());
  }
  CODEXOS_ASSIGN(auto parent, make_parent_below(s.root.get(), m.target));
  const Fd made(openat(parent.first.get(), parent.second.c_str(),
                       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444));
  if (!made && errno != EEXIST && errno != EROFS && errno != EACCES)
    return errno_error("make " + m.target, errno);
  const Fd at(openat(parent.first.get(), parent.second.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!at) return errno_error("open " + m.target, errno);
  return attach_mount(tree.get(), at.get());
}

Status put_new(Sandbox& s, const Mount& m, const char* type,
               std::vector<std::pair<std::string, std::string>> options, bool noexec) {
  MountFlags flags;
  flags.noexec = noexec;
  flags.nodev = m.kind != MountKind::devpts;  // terminals are device nodes
  CODEXOS_ASSIGN(Fd fs, new_mount(type, options, flags));
  CODEXOS_ASSIGN(Fd at, make_dirs_below(s.root.get(), m.target));
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
Status put_dir(Sandbox& s, const Mount& m, std::vector<Fd>&) {
  CODEXOS_ASSIGN(Fd at, make_dirs_below(s.root.get(), m.target));
  const std::string self = "/proc/self/fd/" + std::to_string(at.get());
  return ok_or_errno(chmod(self.c_str(), m.mode), "chmod");
}
Status put_file(Sandbox& s, const Mount& m, std::vector<Fd>&) {
  CODEXOS_ASSIGN(auto parent, make_parent_below(s.root.get(), m.target));
  const Fd fd(openat(parent.first.get(), parent.second.c_str(),
                     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, m.mode));
  if (!fd) return errno_error("make " + m.target, errno);
  if (write(fd.get(), m.content.data(), m.content.size()) != static_cast<ssize_t>(m.content.size()))
    return errno_error("write " + m.target, errno);
  return ok_or_errno(fchmod(fd.get(), m.mode), "fchmod");
}
Status put_symlink(Sandbox& s, const Mount& m, std::vector<Fd>&) {
  CODEXOS_ASSIGN(auto parent, make_parent_below(s.root.get(), m.target));
  return ok_or_errno(symlinkat(m.source.c_str(), parent.first.get(), parent.second.c_str()),
                     "symlink");
}
// Not the host's /dev/null: what is bound must not be replaceable (CVE-2025-31133).
Status put_hide(Sandbox& s, const Mount& m, std::vector<Fd>&) {
  const Fd made(openat(s.root.get(), ".empty", O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0444));
  if (!made) return errno_error("make the empty file", errno);
  CODEXOS_ASSIGN(Fd tree, clone_tree("/proc/self/fd/" + std::to_string(made.get()), Recurse::no));
  MountFlags flags;
  flags.read_only = true;
  flags.noexec = true;
  CODEXOS_TRY(set_mount(tree.get(), flags, Recurse::no));
  CODEXOS_ASSIGN(auto parent, make_parent_below(s.root.get(), m.target));
  const Fd at(openat(parent.first.get(), parent.second.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
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

Status put_view(Sandbox& s) {
  for (const auto& m : s.view->mounts)
    if (m.target != "/") CODEXOS_TRY(put_mount(s, m, *s.view_fds));  // the root is there already
  return {};
}

Status set_hostname(Sandbox& s) {
  return ok_or_errno(sethostname(s.view->hostname.data(), s.view->hostname.size()), "sethostname");
}

Status raise_loopback(Sandbox& s) {
  if (s.view->host_network) return {};
  const Fd sock(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!sock) return errno_error("socket", errno);
  ifreq r{};
  std::strncpy(r.ifr_name, "lo", sizeof r.ifr_name - 1);
  r.ifr_flags = IFF_UP | IFF_RUNNING;
  return ok_or_errno(ioctl(sock.get(), SIOCSIFFLAGS, &r), "raise lo");
}

// ---- job
// -----------------------------------------------------------------------------------------

Status put_job_mounts(Sandbox& s) {
  for (const auto& m : s.job->mounts)
    if (m.role != MountRole::write_through) CODEXOS_TRY(put_mount(s, m, *s.job_fds));
  return {};
}

// A directory for an overlay as an O_PATH descriptor of this mount namespace. Detached mounts are
// first put on a scratch folder of the new root, since an overlay wants attached ones before
// kernel 6.15.
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
  CODEXOS_TRY(same_object(fd.get(), d.dev, d.ino, d.path));
  return fd;
}

// Paths in overlay options cannot hold ':' or ',', so every layer is named by descriptor.
Status put_overlay(Sandbox& s, const Overlay& o, int& scratch) {
  std::vector<Fd> held;
  std::string lower;
  for (const auto& d : o.lowers) {
    CODEXOS_ASSIGN(Fd fd, open_dir(s, d, scratch));
    lower += (lower.empty() ? "" : ":") + std::string("/proc/self/fd/") + std::to_string(fd.get());
    held.push_back(std::move(fd));
  }
  CODEXOS_ASSIGN(Fd layer, open_dir(s, o.layer, scratch));
  const std::string base = "/proc/self/fd/" + std::to_string(layer.get());
  const std::string options =
      "lowerdir=" + lower + ",upperdir=" + base + "/upper,workdir=" + base + "/work,userxattr";
  CODEXOS_ASSIGN(Fd at, make_dirs_below(s.root.get(), o.target));
  const std::string target = "/proc/self/fd/" + std::to_string(at.get());
  if (mount("overlay", target.c_str(), "overlay", MS_NOSUID | MS_NODEV, options.c_str()) < 0)
    return errno_error("mount overlay", errno);
  return {};
}

Status put_overlays(Sandbox& s) {
  int scratch = 0;
  for (const auto& o : s.job->overlays) {
    Status done = put_overlay(s, o, scratch);
    if (!done) return std::move(done).error().during("hold back changes of " + o.target);
  }
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

Status put_write_through(Sandbox& s) {
  for (const auto& m : s.job->mounts)
    if (m.role == MountRole::write_through) CODEXOS_TRY(put_mount(s, m, *s.job_fds));
  return {};
}

Status go_inside(Sandbox& s) {
  CODEXOS_TRY(enter_root(s.root.get()));
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
Status second_wall(Sandbox& s) {
  std::vector<LandlockRule> rules{{"/", LandlockAccess::read}};
  const auto add = [&rules](const Mount& m) {
    if (m.kind == MountKind::proc || m.kind == MountKind::devpts ||
        (m.kind == MountKind::bind && m.devices))
      rules.push_back({m.target, LandlockAccess::devices});
    else if (m.read_only || m.target == "/")
      return;
    else if (m.kind == MountKind::tmpfs && m.role != MountRole::dev)
      rules.push_back({m.target, LandlockAccess::write});
    else if (m.kind == MountKind::tmpfs && m.target == "/dev/shm")
      rules.push_back({m.target, LandlockAccess::write});
    else if (m.kind == MountKind::bind)
      rules.push_back({m.target, LandlockAccess::write});
  };
  for (const auto& m : s.view->mounts) add(m);
  for (const auto& m : s.job->mounts) add(m);
  for (const auto& o : s.job->overlays) rules.push_back({o.target, LandlockAccess::write});
  return enter_landlock(s.view->landlock_abi, !s.view->nested, rules);
}

Status drop_capabilities(Sandbox&) {
  for (int cap = 0; cap < 64; ++cap)
    if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
      if (errno == EINVAL) break;  // above the newest that this kernel knows
      return errno_error("drop from the bounding set", errno);
    }
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

// The argument denials first: the allow-list of the second would forbid nothing that loading needs,
// but the order keeps that from mattering.
Status filter_syscalls(Sandbox& s) {
  CODEXOS_TRY(load_filter(s.view->seccomp_deny));
  return load_filter(s.view->seccomp_allow);
}

struct Step {
  const char* name;
  Status (*run)(Sandbox&);
};

constexpr Step kViewSteps[] = {
    {"session keyring", join_keyring},
    {"id maps", wait_for_maps},
    {"out-of-memory preference", prefer_as_victim},
    {"inside user", become_inside_user},
    {"new root", start_root},
    {"view", put_view},
    {"host name", set_hostname},
    {"loopback", raise_loopback},
};

constexpr Step kJobSteps[] = {
    {"mounts of the task", put_job_mounts},
    {"overlays", put_overlays},
    {"written-through paths", put_write_through},
    {"enter the new root", go_inside},
    {"no new privileges", no_new_privileges},
    {"landlock", second_wall},
    {"capabilities", drop_capabilities},
    {"hide the shim", hide_from_payload},
    {"seccomp", filter_syscalls},
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
  else if (view.seccomp_allow.empty() || view.seccomp_deny.empty())
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
bool build_job(Sandbox& s, StepFailure& why) {
  return run_steps(kJobSteps, s, why, Cause::start_failed);
}

}  // namespace codexos::exec

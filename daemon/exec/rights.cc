// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "core/os/landlock.h"
#include "core/os/mount.h"
#include "daemon/exec/step_functions.h"

namespace codexos::exec {
namespace {

constexpr long kKeyctl = 250, kKeyctlJoinSession = 1;

Status write_own(const char* file, const std::string& text) {
  const std::string path = std::string("/proc/self/") + file;
  const Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd || write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return errno_error("write " + path, errno);
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

Status load_filter(const std::string& bytes) {
  sock_fprog prog{};
  prog.len = static_cast<unsigned short>(bytes.size() / sizeof(sock_filter));
  prog.filter = reinterpret_cast<sock_filter*>(
      const_cast<char*>(bytes.data()));  // NOLINT: the kernel only reads
  return ok_or_errno(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog), "seccomp");
}

}  // namespace

// ---- who it is

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

// ---- the second wall

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

// ---- capabilities and filters

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

// For this process and all that it starts, so nothing after it may be one of these calls. A program
// with a listener of its own gets EBUSY. What a task needs is learnt by its programs' own listener.
Status listen_to_calls(Sandbox& s) {
  const std::string& program = s.view->seccomp_notify;
  if (s.job->overlays.empty() || s.job->learn || program.empty()) return {};
  CODEXOS_ASSIGN(s.seams, listen_for_calls(program.data(), program.size()));
  return {};
}

// Ahead of time: what is denied by argument is nothing that the rest of the set-up does, and the
// allow-list still has the calls that it needs. Those are refused by the last one, which is short.
Status filter_arguments(Sandbox& s) { return load_filter(s.view->seccomp_deny); }
Status filter_syscalls(Sandbox& s) { return load_filter(s.view->seccomp_allow); }
Status end_set_up(Sandbox& s) {
  return load_filter(s.seams.fd ? s.view->seccomp_seal_told : s.view->seccomp_seal);
}

}  // namespace codexos::exec

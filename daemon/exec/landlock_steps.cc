// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/landlock_steps.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "core/os/link.h"
#include "daemon/exec/step_functions.h"

namespace codexos::exec {
namespace {

struct LandlockStep {
  const char* name;
  Status (*run)(LandlockBox&);
};

// Steps of the other tables, which know nothing of the plan.
Status forget_signals(LandlockBox& b) { return reset_signals(b.common); }
Status leave_keyring(LandlockBox& b) { return join_keyring(b.common); }
Status be_victim(LandlockBox& b) { return prefer_as_victim(b.common); }
Status gain_nothing_by_exec(LandlockBox& b) { return no_new_privileges(b.common); }
Status hide(LandlockBox& b) { return hide_from_payload(b.common); }

Status failed_with(int error, std::string text) {
  errno = error;
  return Error{Code::unavailable, std::move(text), {}};
}

// ---- who it is

// A root daemon's task gets the user of all tasks of root; nothing of root may be left that a
// program started by it could use. An ordinary user's has no capability to begin with.
Status become_task_user(LandlockBox& b) {
  const uid_t uid = b.plan->uid;
  const gid_t gid = b.plan->gid;
  if (uid != 0) {
    CODEXOS_TRY(drop_bounding_set(b.common));
    constexpr unsigned long kBits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                                    SECBIT_NO_CAP_AMBIENT_RAISE |
                                    SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
    CODEXOS_TRY(ok_or_errno(prctl(PR_SET_SECUREBITS, kBits, 0, 0, 0), "securebits"));
    CODEXOS_TRY(ok_or_errno(setgroups(0, nullptr), "setgroups"));
    CODEXOS_TRY(ok_or_errno(syscall(SYS_setresgid, gid, gid, gid), "setresgid"));
    CODEXOS_TRY(ok_or_errno(syscall(SYS_setresuid, uid, uid, uid), "setresuid"));
  }
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  return ok_or_errno(syscall(SYS_capset, &head, none), "capset");
}

Status check_task_user(LandlockBox& b) {
  uid_t r = 0, e = 0, s = 0;
  gid_t rg = 0, eg = 0, sg = 0;
  if (getresuid(&r, &e, &s) < 0 || getresgid(&rg, &eg, &sg) < 0)
    return errno_error("getresuid", errno);
  const bool root_group = rg == 0 || eg == 0 || sg == 0;
  if (r == 0 || e == 0 || s == 0 || (b.plan->uid != 0 && root_group))
    return failed_with(EPERM, "a task without namespaces may not be root");
  if (b.plan->uid != 0 && (r != b.plan->uid || e != r || s != r))
    return failed_with(EPERM, "it is not the user of the plan");
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct has[2] = {};
  CODEXOS_TRY(ok_or_errno(syscall(SYS_capget, &head, has), "capget"));
  for (const auto& d : has)
    if (d.effective != 0 || d.permitted != 0 || d.inheritable != 0)
      return failed_with(EPERM, "it still has capabilities");
  return {};
}

// What is left without a parent is adopted by the shim, when that is gone by the keeper: so both
// know when nothing is left (prctl(2), PR_SET_CHILD_SUBREAPER).
Status adopt_orphans(LandlockBox&) {
  return ok_or_errno(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "subreaper");
}

// ---- the wall

LandlockAccess access_of(RuleAccess a) {
  if (a == RuleAccess::write) return LandlockAccess::write;
  return a == RuleAccess::devices ? LandlockAccess::devices : LandlockAccess::read;
}

/// Where an open object really lies.
Result<std::string> real_path(int fd) {
  char path[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t n = readlink(link.c_str(), path, sizeof path);
  if (n <= 0 || static_cast<size_t>(n) == sizeof path) return errno_error("read " + link, errno);
  return std::string(path, static_cast<size_t>(n));
}

Status add_rule(LandlockBox& b, const PathRule& r) {
  Fd fd(open(r.path.c_str(), O_PATH | O_CLOEXEC));
  const bool may_lack = !r.required && (errno == ENOENT || errno == ENOTDIR || errno == EACCES);
  if (!fd && may_lack) return {};
  if (!fd) {
    const int error = errno;
    const std::string who = " (as user " + std::to_string(geteuid()) + ")";
    return failed_with(error, "open " + r.path + who + ": " + std::strerror(error));
  }
  CODEXOS_ASSIGN(const struct stat st, stat_of(fd.get(), r.path));
  CODEXOS_TRY(check_object(st, r.dev, r.ino, r.path));
  const LandlockAccess access = access_of(r.access);
  CODEXOS_TRY(b.keeper_wall.allow(fd.get(), access, r.path));
  CODEXOS_TRY(b.shim_wall.allow(fd.get(), access, r.path));
  if (r.shim_only) return {};
  CODEXOS_TRY(b.task_wall.allow(fd.get(), access, r.path));
  if (r.access != RuleAccess::write) return {};
  CODEXOS_ASSIGN(std::string path, real_path(fd.get()));
  b.writable.push_back(std::move(path));
  if (b.plan->job.disk_bytes != 0 && r.role != MountRole::shown) b.layers.push_back(std::move(fd));
  return {};
}

Status make_walls(LandlockBox& b) {
  const int abi = landlock_abi();
  for (LandlockRuleset* wall : {&b.keeper_wall, &b.shim_wall, &b.task_wall}) {
    CODEXOS_ASSIGN(*wall, LandlockRuleset::make(abi, true));
    if (!wall->has_file_rules()) return failed_with(EOPNOTSUPP, "Landlock has no file rules here");
  }
  for (const auto& rule : b.plan->rules) CODEXOS_TRY(add_rule(b, rule));
  return {};
}

// kill(-1) of the shim may only mean the task. So that is tried, not believed: a process of the
// same user that was there before must be out of reach. It ends when its pipe does.
Status enter_and_prove(LandlockBox& b) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return errno_error("pipe", errno);
  const Fd in(ends[0]);
  Fd out(ends[1]);
  const pid_t outside = fork();
  if (outside < 0) return errno_error("fork", errno);
  if (outside == 0) {
    out.reset();
    char byte = 0;
    while (read(in.get(), &byte, 1) < 0 && errno == EINTR) {
    }
    _exit(0);
  }
  const bool reached_before = kill(outside, 0) == 0;
  Status entered = b.keeper_wall.enter();
  const bool refused = kill(outside, 0) < 0 && errno == EPERM;
  out.reset();
  while (waitpid(outside, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (!entered.ok()) return entered;
  if (!reached_before || !refused)
    return failed_with(EOPNOTSUPP, "Landlock does not keep signals in its domain here");
  return {};
}

// ---- filters

Status load_program(const std::string& bytes) {
  sock_fprog prog{};
  prog.len = static_cast<unsigned short>(bytes.size() / sizeof(sock_filter));
  prog.filter = reinterpret_cast<sock_filter*>(
      const_cast<char*>(bytes.data()));  // NOLINT: the kernel only reads
  return ok_or_errno(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog), "seccomp");
}
Status filter_what_namespaces_bound(LandlockBox& b) { return load_program(b.plan->seccomp_alone); }
Status filter_the_arguments(LandlockBox& b) { return load_program(b.plan->seccomp_deny); }
Status filter_the_calls(LandlockBox& b) { return load_program(b.plan->seccomp_allow); }
Status filter_the_set_up(LandlockBox& b) { return load_program(b.plan->seccomp_seal); }

// ---- the shim

Status follow_keeper(LandlockBox&) {
  CODEXOS_TRY(ok_or_errno(prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0), "death signal"));
  return {};
}

Status enter_shim_wall(LandlockBox& b) { return b.shim_wall.enter(); }

Status be_guarded(LandlockBox& b) {
  const std::string& program = b.plan->seccomp_guard;
  CODEXOS_ASSIGN(b.guard, listen_for_calls(program.data(), program.size()));
  if (!b.guard.fd)
    return failed_with(EBUSY,
                       "another program listens to system calls already (a container engine, a "
                       "debugger): changes of modes and times could not be judged");
  return send_link(b.to_keeper.get(), LinkType::hello, "", {b.guard.fd.get()});
}

Status forget_guard(LandlockBox& b) {
  b.guard.fd.reset();
  b.to_keeper.reset();
  return {};
}

constexpr LandlockStep kKeeperSteps[] = {
    {"signals", forget_signals},
    {"session keyring", leave_keyring},
    {"out-of-memory preference", be_victim},
    {"user of the task", become_task_user},
    {"check of the user", check_task_user},
    {"no new privileges", gain_nothing_by_exec},
    {"subreaper", adopt_orphans},
    {"landlock rules", make_walls},
    {"landlock", enter_and_prove},
    {"hide the keeper", hide},
    {"seccomp, without namespaces", filter_what_namespaces_bound},
    {"seccomp, arguments", filter_the_arguments},
    {"seccomp", filter_the_calls},
    {"seccomp, end of the set-up", filter_the_set_up},
};

constexpr LandlockStep kShimSteps[] = {
    {"end with the keeper", follow_keeper},    {"subreaper", adopt_orphans},
    {"landlock of the shim", enter_shim_wall}, {"hide the shim", hide},
    {"calls that are judged", be_guarded},     {"pass them on", forget_guard},
};

template <size_t N>
bool run_landlock_steps(const LandlockStep (&steps)[N], LandlockBox& b, StepFailure& why) {
  for (const auto& step : steps) {
    errno = 0;
    const Status done = step.run(b);
    if (done) continue;
    why = StepFailure{std::string("landlock: ") + step.name, errno, done.error().message,
                      Cause::not_isolated};
    return false;
  }
  return true;
}

}  // namespace

bool check_landlock_plan(const LandlockPlan& plan, StepFailure& why) {
  std::string text;
  const int abi = landlock_abi();
  if (abi < kLandlockScopes)
    text = "this kernel's Landlock has ABI " + std::to_string(abi) +
           "; a task without namespaces needs 6 (Linux 6.12)";
  else if (plan.uid == 0 ? geteuid() == 0 || getuid() == 0 : plan.gid == 0)
    text = "the plan would run it as root";
  else if (plan.seccomp_allow.empty() || plan.seccomp_deny.empty() || plan.seccomp_seal.empty() ||
           plan.seccomp_alone.empty() || plan.seccomp_guard.empty())
    text = "the plan has no seccomp filters";
  else if (plan.rules.empty())
    text = "the plan has no rules";
  else if (!plan.job.mounts.empty() || !plan.job.overlays.empty())
    text = "the plan has mounts";
  if (text.empty()) return true;
  why = StepFailure{"check of the plan", EINVAL, text, Cause::not_isolated};
  return false;
}

bool shut_keeper_in(LandlockBox& b, StepFailure& why) {
  return run_landlock_steps(kKeeperSteps, b, why);
}
bool shut_shim_in(LandlockBox& b, StepFailure& why) {
  return run_landlock_steps(kShimSteps, b, why);
}

}  // namespace codexos::exec

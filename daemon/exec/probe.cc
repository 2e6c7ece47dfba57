// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/probe.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "core/base/binary.h"
#include "core/os/file.h"
#include "core/os/landlock.h"
#include "core/os/mount.h"
#include "daemon/exec/inner.h"
#include "daemon/exec/network.h"
#include "daemon/exec/step_functions.h"

namespace codexos::exec {
namespace {

constexpr size_t kMaxAnswer = 64 << 10;

/// What the steps work with.
struct Ground {
  const ProbeRequest& request;
  std::string folder;  // a new one below the request's; empty: none could be made
  Fd mapped;           // root: the folder, detached, shown under a task's user id
};

struct Step {
  const char* name;
  Status (*run)(Ground&);
};

template <size_t N>
Attempt run_steps(const Step (&steps)[N], Ground& g) {
  for (const Step& step : steps) {
    errno = 0;
    const Status done = step.run(g);
    if (!done) return {true, step.name, errno, done.error().message};
  }
  return {true, {}, 0, {}};
}

// ---- steps

Status private_mounts(Ground&) { return stop_propagation(); }
// On top of "/" it hides nothing, and "/" is there in any case.
Status mount_tmpfs(Ground&) {
  return ok_or_errno(mount("tmpfs", "/", "tmpfs", MS_NOSUID | MS_NODEV, "size=64k"),
                     "mount a tmpfs");
}
Status mount_proc(Ground&) {
  return ok_or_errno(mount("proc", "/", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr),
                     "mount /proc");
}

// What is written must be somebody's that the namespace knows; its capabilities stay.
Status act_as_task(Ground& g) {
  setfsgid(g.request.gid.inside);
  setfsuid(g.request.uid.inside);
  return {};
}
Status enter_folder(Ground& g) {
  if (!g.mapped) return ok_or_errno(chdir(g.folder.c_str()), "enter the folder");
  const Fd at(open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!at) return ok_or_errno(-1, "open the folder");
  CODEXOS_TRY(attach_mount(g.mapped.get(), at.get()));
  return ok_or_errno(fchdir(g.mapped.get()), "enter the folder");
}
Status mount_overlay(Ground&) {
  return ok_or_errno(mount("overlay", "merged", "overlay", MS_NOSUID | MS_NODEV,
                           "lowerdir=lower,upperdir=upper,workdir=work,userxattr"),
                     "mount an overlay");
}
Status change_file(Ground&) {
  const Fd fd(open("merged/changed", O_WRONLY | O_APPEND | O_CLOEXEC));
  return ok_or_errno(fd ? write(fd.get(), "x", 1) : -1, "change a file");
}
Status remove_file(Ground&) { return ok_or_errno(unlink("merged/removed"), "remove a file"); }

Status build_network(Ground& g) {
  Network out;
  CODEXOS_TRY(set_up_network(g.request.network, out));
  if (out.sockets.redirected) return {};
  return Error{Code::unavailable, "the kernel has no nf_tables, or not all that it needs", {}};
}

Status no_new_privileges(Ground&) {
  return ok_or_errno(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
}
Status load_filter(unsigned flags, const char* what) {
  sock_filter allow{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
  sock_fprog program{1, &allow};
  return ok_or_errno(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program), what);
}
Status filter_calls(Ground&) { return load_filter(0, "seccomp"); }
Status listen_to_calls(Ground&) {
  return load_filter(SECCOMP_FILTER_FLAG_NEW_LISTENER, "seccomp with a listener");
}

Status map_folder(Ground& g) {
  struct stat st {};
  CODEXOS_TRY(ok_or_errno(stat(g.folder.c_str(), &st), "stat the folder"));
  CODEXOS_ASSIGN(const Fd ns,
                 make_idmap_userns(st.st_uid, st.st_gid, g.request.uid.host, g.request.gid.host));
  MountFlags flags;
  flags.userns_fd = ns.get();
  CODEXOS_ASSIGN(g.mapped, clone_tree(g.folder, Recurse::no, flags));
  return {};
}

constexpr Step kUserNamespace[] = {{"private mounts", private_mounts},
                                   {"mount inside", mount_tmpfs}};
constexpr Step kProc[] = {{"private mounts", private_mounts}, {"mount /proc", mount_proc}};
constexpr Step kIdMap[] = {{"idmapped mount", map_folder}};
constexpr Step kOverlay[] = {{"private mounts", private_mounts}, {"user", act_as_task},
                             {"folder", enter_folder},           {"overlay", mount_overlay},
                             {"change a file", change_file},     {"remove a file", remove_file}};
constexpr Step kNetwork[] = {{"rules", build_network}};
constexpr Step kFilter[] = {{"no new privileges", no_new_privileges}, {"filter", filter_calls}};
constexpr Step kListener[] = {{"no new privileges", no_new_privileges},
                              {"listener", listen_to_calls}};

// ---- children

/// Where the child puts its answer.
struct Pipe {
  Fd read_end, write_end;
  static std::optional<Pipe> make() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return std::nullopt;
    return Pipe{Fd(ends[0]), Fd(ends[1])};
  }
};

Attempt answer_of(Pipe& p, pid_t child) {
  p.write_end.reset();
  std::string bytes(kMaxAnswer, '\0');
  ssize_t n = 0;
  do n = read(p.read_end.get(), bytes.data(), bytes.size());
  while (n < 0 && errno == EINTR);
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  bytes.resize(n > 0 ? static_cast<size_t>(n) : 0);
  auto a = from_binary<Attempt>(bytes);
  if (a.ok() && a->tried) return *std::move(a);
  return {true, "child", 0, "it ended without an answer"};
}

template <size_t N>
void answer(const Step (&steps)[N], Ground& g, const Pipe& p) {
  const std::string bytes = to_binary(run_steps(steps, g));
  (void)!write(p.write_end.get(), bytes.data(), bytes.size());
}

/// In a user and a mount namespace, and `namespaces`.
template <size_t N>
Attempt try_inside(const Step (&steps)[N], unsigned long namespaces, Ground& g) {
  auto p = Pipe::make();
  if (!p) return {true, "pipe", errno, std::strerror(errno)};
  StepFailure why;
  pid_t child = -1;
  const auto inner = [&](int map_ready) {
    char byte = 0;
    if (read(map_ready, &byte, 1) == 1) answer(steps, g, *p);
    _exit(0);
  };
  if (clone_inner(g.request.uid, g.request.gid, CLONE_NEWNS | namespaces, inner, child, why))
    return answer_of(*p, child);
  if (child > 0) waitpid(child, nullptr, 0);
  return {true, why.step, why.error, why.text.substr(0, why.text.find(kContainerHint))};
}

template <size_t N>
Attempt try_outside(const Step (&steps)[N], Ground& g) {
  auto p = Pipe::make();
  if (!p) return {true, "pipe", errno, std::strerror(errno)};
  const pid_t child = fork();
  if (child < 0) return {true, "fork", errno, std::strerror(errno)};
  if (child == 0) {
    answer(steps, g, *p);
    _exit(0);
  }
  return answer_of(*p, child);
}

// ---- the folder

Status fill_folder(const std::string& dir) {
  // A task of a root daemon is another user, who gets there by the working directory.
  CODEXOS_TRY(ok_or_errno(chmod(dir.c_str(), 0711), "chmod"));
  for (const char* name : {"/lower", "/upper", "/work", "/merged"})
    CODEXOS_TRY(make_dir(dir + name, 0755));
  for (const char* name : {"/lower/changed", "/lower/removed"}) {
    CODEXOS_ASSIGN(const Fd fd, open_file(dir + name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    CODEXOS_TRY(write_all(fd.get(), "content"));
  }
  return {};
}

/// The overlay's part: what it needs is made, tried, and removed.
void probe_folder(Ground& g, KernelProbe& out) {
  std::string name = g.request.folder + "/probe-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) {
    out.overlay = {true, "folder", errno, "make " + name + ": " + std::strerror(errno)};
    return;
  }
  g.folder = name;
  if (const Status filled = fill_folder(name); !filled) {
    out.overlay = {true, "folder", errno, filled.error().message};
  } else if (chdir(name.c_str()) < 0) {
    out.overlay = {true, "folder", errno, std::strerror(errno)};
  } else {
    if (geteuid() == 0) out.id_map = run_steps(kIdMap, g);
    if (!out.id_map.tried || out.id_map.ok()) out.overlay = try_inside(kOverlay, 0, g);
    (void)!chdir("/");
  }
  g.mapped.reset();
  (void)remove_tree(name);
}

std::string security_label() {
  auto text = read_file("/proc/self/attr/current");
  if (!text.ok()) return {};
  while (!text->empty() && (text->back() == '\n' || text->back() == '\0')) text->pop_back();
  return *std::move(text);
}

}  // namespace

KernelProbe probe_kernel(const ProbeRequest& r) {
  Ground g{r, {}, {}};
  KernelProbe out;
  out.user_namespace = try_inside(kUserNamespace, 0, g);
  out.filter = try_outside(kFilter, g);
  out.listener = try_outside(kListener, g);
  out.landlock_abi = landlock_abi();
  out.label = security_label();
  if (!out.user_namespace.ok()) return out;
  out.proc = try_inside(kProc, CLONE_NEWPID, g);
  if (!r.network.empty()) out.network = try_inside(kNetwork, CLONE_NEWNET, g);
  if (!r.folder.empty()) probe_folder(g, out);
  return out;
}

int run_probe() {
  umask(022);
  std::string bytes;
  char buffer[16 << 10];
  for (ssize_t n = 0; (n = read(STDIN_FILENO, buffer, sizeof buffer)) > 0;)
    bytes.append(buffer, static_cast<size_t>(n));
  const auto request = from_binary<ProbeRequest>(bytes);
  if (!request.ok()) return 2;
  return write_all(STDOUT_FILENO, to_binary(probe_kernel(*request))).ok() ? 0 : 1;
}

}  // namespace codexos::exec

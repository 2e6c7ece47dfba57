// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/fd.h"
#include "core/os/link.h"
#include "daemon/exec/cgroup_files.h"

namespace codexos::exec {
namespace {

enum class Stage : int { cgroup, session, stdio, limits, cwd, landlock, listener, exec };
struct Report {
  Stage stage;
  int error;
};
struct StageRow {
  Stage stage;
  const char* name;
};
constexpr StageRow kStages[] = {{Stage::cgroup, "cgroup"},
                                {Stage::session, "session and terminal"},
                                {Stage::stdio, "stdin, stdout and stderr"},
                                {Stage::limits, "limits"},
                                {Stage::cwd, "working directory"},
                                {Stage::landlock, "landlock"},
                                {Stage::listener, "learning"},
                                {Stage::exec, "execve"}};

std::string_view path_of(const std::vector<std::string>& env) {
  for (const auto& e : env)
    if (e.rfind("PATH=", 0) == 0) return std::string_view(e).substr(5);
  return "/usr/local/bin:/usr/bin:/bin";
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (const auto& s : strings)
    out.push_back(const_cast<char*>(s.c_str()));  // NOLINT: execve(2) does not write
  out.push_back(nullptr);
  return out;
}

// A text file without "#!" is a shell script, as execvp(3) and every shell treat it.
int exec_one(const std::string& file, std::vector<char*>& argv, char* const* envp) {
  execve(file.c_str(), argv.data(), envp);
  if (errno != ENOEXEC) return errno;
  std::vector<char*> script{const_cast<char*>("/bin/sh"),
                            const_cast<char*>(file.c_str())};  // NOLINT
  script.insert(script.end(), argv.begin() + 1, argv.end());
  struct stat st {};
  if (stat(file.c_str(), &st) < 0 || st.st_size == 0) return ENOEXEC;
  char head[64];
  const Fd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  const ssize_t n = fd ? read(fd.get(), head, sizeof head) : -1;
  if (n < 0) return errno;
  if (std::memchr(head, '\0', static_cast<size_t>(n)) != nullptr)
    return ENOEXEC;  // a binary of another machine
  execve("/bin/sh", script.data(), envp);
  return ENOEXEC;
}

// The search of execvp(3) in the task's own PATH: EACCES is remembered, ENOENT and ENOTDIR go on.
int exec_search(const ChildSpec& spec) {
  auto argv = pointers(*spec.argv);
  const auto envp = pointers(*spec.env);
  const std::string& name = spec.argv->front();
  if (name.empty()) return ENOENT;
  if (name.find('/') != std::string::npos) return exec_one(name, argv, envp.data());
  int seen = ENOENT;
  std::string_view rest = path_of(*spec.env);
  for (;;) {
    const size_t colon = rest.find(':');
    const std::string dir(rest.substr(0, colon));
    const int err = exec_one((dir.empty() ? "." : dir) + "/" + name, argv, envp.data());
    if (err == EACCES)
      seen = EACCES;
    else if (err != ENOENT && err != ENOTDIR)
      return err;
    if (colon == std::string_view::npos) return seen;
    rest.remove_prefix(colon + 1);
  }
}

/// The shim's own; what came from outside was reset before the view was built.
void reset_signals() {
  signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void give_up(int report_fd, Stage stage, int error) {
  const Report r{stage, error};
  (void)!write(report_fd, &r, sizeof r);
  _exit(127);
}

// The three descriptors may overlap with 0-2 of the shim: copy them above first.
bool place_stdio(const int (&from)[3]) {
  int high[3];
  for (int i = 0; i < 3; ++i) {
    high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 10);
    if (high[i] < 0) return false;
  }
  for (int i = 0; i < 3; ++i)
    if (dup2(high[i], i) < 0) return false;
  return true;
}

void be_listened_to(const std::string& program, int report, int to) {
  auto listener = listen_for_calls(program.data(), program.size());
  if (!listener.ok() || !listener->fd) give_up(report, Stage::listener, errno != 0 ? errno : EBUSY);
  const char stays = listener->callers_stay ? 1 : 0;
  if (!send_link(to, LinkType::hello, std::string(1, stays), {listener->fd.get()}).ok())
    give_up(report, Stage::listener, EPIPE);
}

CallListener take_listener(int from) {
  CallListener out;
  auto m = recv_link(from);
  if (!m.ok() || m->fds.empty()) return out;
  out.fd = std::move(m->fds[0]);
  out.callers_stay = m->payload == std::string(1, 1);
  return out;
}

[[noreturn]] void become_program(const ChildSpec& spec, int report_in, int listener_in) {
  const int report = fcntl(report_in, F_DUPFD_CLOEXEC, 20);
  const int listener = listener_in < 0 ? -1 : fcntl(listener_in, F_DUPFD_CLOEXEC, 20);
  if (!join_cgroup(spec.cgroup)) give_up(report, Stage::cgroup, errno);
  setsid();
  if (spec.tty_fd >= 0 && ioctl(spec.tty_fd, TIOCSCTTY, 0) < 0)
    give_up(report, Stage::session, errno);
  if (!place_stdio(spec.stdio)) give_up(report, Stage::stdio, errno);
  syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
  for (const auto& l : spec.limits != nullptr ? *spec.limits : std::vector<Limit>{}) {
    const rlimit r{l.value, l.value};
    if (setrlimit(static_cast<__rlimit_resource_t>(l.resource), &r) < 0)
      give_up(report, Stage::limits, errno);
  }
  if (spec.nice != 0) setpriority(PRIO_PROCESS, 0, spec.nice);
  umask(spec.umask);
  if (chdir(spec.cwd.c_str()) < 0) give_up(report, Stage::cwd, errno);
  if (spec.wall != nullptr && !spec.wall->enter().ok()) give_up(report, Stage::landlock, errno);
  reset_signals();
  if (listener >= 0) be_listened_to(*spec.listened, report, listener);
  give_up(report, Stage::exec, exec_search(spec));
}

Cause cause_of(const Report& r) {
  if (r.stage != Stage::exec) return Cause::start_failed;
  if (r.error == ENOENT || r.error == ENOTDIR) return Cause::not_found;
  if (r.error == EACCES || r.error == ENOEXEC || r.error == EISDIR || r.error == EPERM ||
      r.error == ELOOP)
    return Cause::not_executable;
  return Cause::start_failed;
}

void explain(const Report& r, const ChildSpec& spec, StepFailure& why) {
  for (const auto& row : kStages)
    if (row.stage == r.stage) why.step = row.name;
  const std::string what = r.stage == Stage::cwd ? spec.cwd : spec.argv->front();
  why.error = r.error;
  why.text = what + ": " + std::strerror(r.error);
  why.cause = cause_of(r);
}

}  // namespace

Result<pid_t> start_child(const ChildSpec& spec, StepFailure& why) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) {
    why = StepFailure{"status pipe", errno, std::strerror(errno), Cause::start_failed};
    return errno_error("pipe", errno);
  }
  const Fd in(ends[0]);
  Fd out(ends[1]);
  Fd near, far;
  if (int pair[2]; spec.listened != nullptr &&
                   socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0) {
    near.reset(pair[0]);
    far.reset(pair[1]);
  }
  if (spec.listened != nullptr && !near) {
    why = StepFailure{"learning", errno, std::strerror(errno), Cause::start_failed};
    return errno_error("socketpair", errno);
  }
  const pid_t pid = fork();
  if (pid == 0) become_program(spec, out.get(), far.get());
  if (pid < 0) {
    why = StepFailure{"fork", errno, std::strerror(errno), Cause::start_failed};
    return errno_error("fork", errno);
  }
  out.reset();
  far.reset();
  if (near)
    if (CallListener listener = take_listener(near.get()); listener.fd) {
      spec.seams->learn(std::move(listener));
      spec.seams->serve_until(in.get());
    }
  Report r{};
  ssize_t n = 0;
  do n = read(in.get(), &r, sizeof r);
  while (n < 0 && errno == EINTR);
  if (n == 0) return pid;
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (n != sizeof r) r = Report{Stage::exec, EIO};
  explain(r, spec, why);
  return Error{Code::internal, why.step + ": " + why.text, {}};
}

}  // namespace codexos::exec

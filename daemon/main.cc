// SPDX-License-Identifier: Apache-2.0
// codexosd: one per user, owner of all state. Builds its objects in order, runs the loop, and they
// die in reverse. Tasks do not end with it: their shims go on and the next daemon adopts them.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/version.h"
#include "core/os/file.h"
#include "core/os/loop.h"
#include "core/os/place.h"
#include "core/os/resident.h"
#include "core/os/socket.h"
#include "core/os/spawn.h"
#include "daemon/api/api.h"
#include "daemon/doctor/command.h"
#include "daemon/tasks/applier.h"
#include "daemon/tasks/budgets.h"
#include "daemon/tasks/images.h"
#include "daemon/tasks/known_values.h"
#include "daemon/tasks/model_desk.h"
#include "daemon/tasks/plan_command.h"
#include "daemon/tasks/retention.h"
#include "daemon/tasks/vault.h"

namespace codexos::daemon {
namespace {

constexpr off_t kMaxLog = 8 << 20;
constexpr int64_t kFinishStartsMs = 4000;  // what a stopping daemon waits for starts under way
constexpr int64_t kSuccessionMs = 6000;    // what its successor waits for it, at the longest
constexpr int kLockRetryMs = 2;
constexpr int64_t kLookAgainMs = 20;
constexpr int kIdleMs = 1000;
constexpr const char* kUsage =
    "usage: codexosd [--foreground] [--ready-fd N]\n"
    "       codexosd plan -- CMD [ARG...]     the plan of CMD here, for codexos-exec\n"
    "       codexosd openapi                  the API, as schema/openapi.yaml has it\n"
    "       codexosd doctor                   checks of this machine, as JSON\n"
    "       codexosd --version\n";

struct Options {
  bool foreground = false;
  int ready_fd = -1;
  std::vector<std::string> plan;
  bool doctor = false;
};

/// False: wrong usage.
bool parse(int argc, char** argv, Options& o) {
  o.doctor = argc == 2 && std::strcmp(argv[1], "doctor") == 0;
  if (o.doctor) return true;
  if (argc > 1 && std::strcmp(argv[1], "plan") == 0) {
    if (argc < 4 || std::strcmp(argv[2], "--") != 0) return false;
    o.plan.assign(argv + 3, argv + argc);
    return true;
  }
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "--foreground") {
      o.foreground = true;
    } else if (arg == "--ready-fd" && i + 1 < argc) {
      o.ready_fd = std::atoi(argv[++i]);
      if (o.ready_fd < 3) return false;
    } else {
      return false;
    }
  }
  return true;
}

// ---- systemd's two protocols, sd_listen_fds(3) and sd_notify(3), without libsystemd

int inherited_sockets() {
  const char* pid = getenv("LISTEN_PID");
  const char* count = getenv("LISTEN_FDS");
  if (pid == nullptr || count == nullptr || std::atoi(pid) != getpid()) return 0;
  return std::atoi(count);
}

void notify(const char* state) {
  const char* path = getenv("NOTIFY_SOCKET");
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  const size_t n = std::strlen(path);
  if (n >= sizeof to.sun_path) return;
  std::memcpy(to.sun_path, path, n);
  if (to.sun_path[0] == '@') to.sun_path[0] = '\0';
  const Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  (void)sendto(fd.get(), state, std::strlen(state), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&to),
               static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + n));
}

// ---- the process itself

/// Keeps nothing of the caller: descriptors, folder, mask, session.
void leave_caller(const Options& o, int sockets) {
  const auto close_from_to = [](unsigned from, unsigned to) {
    if (from <= to) syscall(SYS_close_range, from, to, 0U);
  };
  const auto first = static_cast<unsigned>(3 + sockets);
  const auto ready = static_cast<unsigned>(o.ready_fd);
  if (o.ready_fd < 0) {
    close_from_to(first, ~0U);
  } else {
    if (ready > first) close_from_to(first, ready - 1);
    close_from_to(std::max(first, ready + 1), ~0U);
    fcntl(o.ready_fd, F_SETFD, FD_CLOEXEC);
  }
  setsid();
  umask(077);
  if (chdir("/") < 0) std::abort();
  signal(SIGPIPE, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  signal(SIGIO, SIG_IGN);  // of a lease that breaks while an apply asks who writes a file
  prctl(PR_SET_DUMPABLE, 0);
  // Shims whose starter left are ours, so that they are reaped.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
}

std::string template_folder(const std::string& home) { return home + "/template"; }

Status make_home(const std::string& home) {
  CODEXOS_TRY(make_dirs(home, 0700));
  struct stat st {};
  if (stat(home.c_str(), &st) < 0) return errno_error("stat " + home, errno);
  if (st.st_uid != geteuid())
    return Error{Code::denied, home + " belongs to another user", "set CODEXOS_HOME"};
  if ((st.st_mode & 077) != 0 && chmod(home.c_str(), 0700) < 0)
    return errno_error("chmod " + home, errno);
  // The zygote of a root daemon is another user, and gets there by its working directory.
  const std::string dir = template_folder(home);
  CODEXOS_TRY(make_dirs(dir, 0700));
  if (chmod(dir.c_str(), 0711) < 0) return errno_error("chmod " + dir, errno);
  return make_dirs(home + "/tenants/default/tasks", 0700);
}

/// 0 and 1 to /dev/null, 2 to the log; a large log becomes codexosd.log.1.
Status open_log(const std::string& home) {
  const std::string path = home + "/codexosd.log";
  struct stat st {};
  if (stat(path.c_str(), &st) == 0 && st.st_size > kMaxLog)
    (void)rename(path.c_str(), (path + ".1").c_str());
  CODEXOS_ASSIGN(const Fd log, open_file(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  CODEXOS_ASSIGN(const Fd null, open_file("/dev/null", O_RDWR | O_CLOEXEC));
  if (dup2(null.get(), 0) < 0 || dup2(null.get(), 1) < 0 || dup2(log.get(), 2) < 0)
    return errno_error("dup2", errno);
  return {};
}

std::string own_path() {
  char path[4096];
  const ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  return n > 0 ? std::string(path, static_cast<size_t>(n)) : std::string("codexosd");
}

/// Helpers, shims and --idmap helpers: what they have to say came by their links.
void reap_children() {
  siginfo_t info{};
  do info.si_pid = 0;
  while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0 && info.si_pid != 0);
}

// ---- the turn

struct Turn {
  Loop& loop;
  Store& store;
  Supervisor& supervisor;
  AfterCommit& after_commit;
  Feed& feed;
  Server* server = nullptr;
  bool stopping = false;

  /// One commit, then what waited for it. Effects may write again: they get a commit of their own.
  void end() {
    do {
      supervisor.before_commit();
      const auto committed = store.commit();
      if (committed.ok()) {
        server->flush();
        after_commit.committed();
        feed.publish();
      } else {
        log_line(LogLevel::error, "store", "commit: " + committed.error().message);
        feed.forget_marks();
        server->flush_failed(committed.error());
        after_commit.rolled_back(committed.error());
      }
    } while (store.dirty() || !after_commit.empty());
    server->flush();
    if (stopping && supervisor.starting() == 0 && server->quiet()) loop.stop();
  }

  /// A task that was acknowledged, and whose program does not run yet, would be lost with us: its
  /// helper does not run anything for a daemon that has gone. Waits until each is started or
  /// failed, but not for ever. Nobody new is served; who has connected already still is.
  /// `own_socket`: the socket's path, so that who comes now looks for our successor; empty: it is
  /// not ours (socket activation).
  void finish_starts(const std::string& own_socket) {
    if (!own_socket.empty()) (void)unlink(own_socket.c_str());
    server->stop_accepting();
    stopping = true;
    loop.after_ms(kFinishStartsMs, "starts at the end", [this] { loop.stop(); });
    look_again();
    loop.run();
  }
  void look_again() {
    loop.after_ms(kLookAgainMs, "end", [this] { look_again(); });
  }
};

Result<Fd> make_listener(const Place& place, int sockets) {
  if (sockets == 0) return listen_unix(place.socket, SocketType::stream);
  Fd fd(3);
  fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
  fcntl(fd.get(), F_SETFL, fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
  return fd;
}

HelperOptions helper_options(const std::string& exec, const std::string& home) {
  HelperOptions o;
  o.exec_path = exec;
  o.template_dir = template_folder(home);
  if (const char* parked = getenv("CODEXOS_PARKED")) o.parked = std::strtoul(parked, nullptr, 10);
  return o;
}

/// As many as helpers are parked: both are for the next start.
size_t spare_folders() {
  const char* parked = getenv("CODEXOS_PARKED");
  return parked == nullptr ? 2 : std::strtoul(parked, nullptr, 10);
}

KeyPlaces key_places(const Place& place) {
  const char* credentials = getenv("CREDENTIALS_DIRECTORY");
  return {place.home + "/keys", credentials == nullptr ? "" : credentials};
}

GatherOptions doctor_options(const Place& place) {
  GatherOptions o;
  o.place = place;
  auto exec = find_exec(own_path(), getenv("CODEXOS_EXEC"));
  if (exec.ok())
    o.exec_path = *std::move(exec);
  else
    o.exec_error = exec.error().message;
  if (geteuid() == 0) o.task_host_uid = kRootTaskHostId;
  return o;
}

/// From the lock on: everything a daemon is, top to bottom.
Status serve(const Options& options, const Place& place, int sockets) {
  const int64_t started_at_us = monotonic_us();
  CODEXOS_ASSIGN(const std::string exec, find_exec(own_path(), getenv("CODEXOS_EXEC")));
  PlannerOptions planner_options;
  planner_options.home = place.home;
  if (geteuid() == 0)
    planner_options.task_host_uid = planner_options.task_host_gid = kRootTaskHostId;
  Cgroups cgroups(place.home);
  planner_options.cgroups = &cgroups;
  planner_options.force_copy = getenv("CODEXOS_FORCE_COPY") != nullptr;

  CODEXOS_ASSIGN(const auto loop, Loop::make());
  CODEXOS_ASSIGN(const auto store, Store::open(place.home + "/tenants/default"));
  CODEXOS_ASSIGN(MountTable mounts, MountTable::open());
  CODEXOS_ASSIGN(const auto worker, Worker::make(*loop));
  CODEXOS_ASSIGN(const auto copier, Worker::make(*loop));
  CODEXOS_ASSIGN(auto apply_worker, Worker::make(*loop));
  CODEXOS_ASSIGN(ObjectStore objects, ObjectStore::open(place.home + "/tenants/default/objects"));
  ObjectImages images(objects);
  Feed feed;
  AfterCommit after_commit;
  Vault vault(VaultParts{*store, after_commit, *copier, key_places(place)});
  vault.open();
  KnownValues values;
  Budgets budgets(*store);
  Applier applier(ApplierParts{*store, feed, after_commit, images, place.home},
                  std::move(apply_worker));
  HostCache host(real_host(), mounts);
  planner_options.vault = &vault;
  Planner planner(planner_options, host, mounts, store.get());
  Idmapper idmapper(exec, planner_options.task_host_uid, planner_options.task_host_gid);
  Helpers helpers(*loop, idmapper, helper_options(exec, place.home));
  Launcher launcher(helpers, idmapper);
  SpareFolders spares(*worker, place.home + "/tenants/default", boot_id(), spare_folders());
  Ahead ahead(*loop, helpers, launcher, spares);
  const auto environment = [](const char* name) { return static_cast<const char*>(getenv(name)); };
  CODEXOS_ASSIGN(EgressOptions egress, read_egress_options(environment));
  CODEXOS_ASSIGN(const auto desk, ModelDesk::make(*loop, vault));
  egress.models = make_model_service(read_gateway_options(environment),
                                     desk->seams(place.home + "/tenants/default", values));
  TaskNetwork network(*loop, std::move(egress));
  Supervisor supervisor(SupervisorParts{
      *loop, *store, planner, launcher, helpers, feed, after_commit, *worker, *copier, spares,
      ahead, applier, network, cgroups, vault, values, budgets, place.home, boot_id()});
  CODEXOS_ASSIGN(const RetentionLimits limits, read_retention_limits(environment));
  desk->serve(supervisor);
  vault.on_change([&supervisor] { supervisor.secrets_changed(); });
  Retention retention(
      RetentionParts{*loop, *store, supervisor, feed, after_commit, *worker, place.home}, limits);
  Snapshots snapshots(SnapshotsParts{*store, supervisor, feed, after_commit, *worker});
  CODEXOS_ASSIGN(PeerCheck check, PeerCheck::make(geteuid()));
  check.keep_out([&supervisor] { return supervisor.keepers(); });
  CODEXOS_ASSIGN(Fd listener, make_listener(place, sockets));
  ApiParts api{*loop,
               *store,
               supervisor,
               applier,
               planner,
               snapshots,
               feed,
               helpers,
               *worker,
               vault,
               budgets,
               place,
               doctor_options(place),
               clock_offset_us(),
               started_at_us,
               [&loop] { loop->stop(); }};
  CODEXOS_ASSIGN(const auto server,
                 Server::make(*loop, std::move(listener), std::move(check), make_routes(api)));

  Turn turn{*loop, *store, supervisor, after_commit, feed, server.get()};
  loop->on_turn_end([&turn] { turn.end(); });
  loop->on_idle(kIdleMs, [&store, code = ResidentCode()] {
    store->release_memory();
    code.give_back();
  });
  loop->on_slow([](const char* name, int64_t us) {
    log_line(LogLevel::warning, "loop",
             std::string("slow callback: ") + name + ": " + std::to_string(us) + " us");
  });
  CODEXOS_TRY(loop->on_signals({SIGTERM, SIGINT, SIGCHLD}, [&loop](int signo, int) {
    if (signo == SIGCHLD) return reap_children();
    loop->stop();
  }));
  CODEXOS_ASSIGN(const uint64_t lost, budgets.recover());
  if (lost != 0)
    log_line(LogLevel::warning, "budgets",
             std::to_string(lost) + " requests to models were cut off: they count as reserved");
  CODEXOS_TRY(applier.recover());
  CODEXOS_TRY(supervisor.recover());
  supervisor.park_ahead();
  retention.start();
  spares.refill();
  turn.end();

  log_line(LogLevel::info, "codexosd",
           std::string("version ") + kVersion + " listens on " + place.socket);
  notify("READY=1");
  if (options.ready_fd >= 0) {
    const Fd ready(options.ready_fd);
    (void)!write(ready.get(), "x", 1);
  }
  loop->run();
  notify("STOPPING=1");
  desk->settle_now();  // what waits for a commit with the next request would count in full
  turn.finish_starts(sockets == 0 ? place.socket : std::string());
  log_line(LogLevel::info, "codexosd",
           "stops; tasks that go on: " + std::to_string(supervisor.running()));
  return {};
}

/// True: we are the one daemon of the state folder. False: another one serves it. One that is
/// about to end holds the lock without listening, and so does one that has just begun: which of the
/// two it is, time tells.
Result<bool> become_the_one(int lock, const Place& place) {
  const int64_t until_us = monotonic_us() + kSuccessionMs * 1000;
  for (;;) {
    const Status held = lock_file(lock);
    if (held.ok()) return true;
    if (held.error().code != Code::conflict) return held.error();
    if (connect_unix(place.socket, SocketType::stream).ok()) return false;
    if (monotonic_us() > until_us)
      return Error{
          Code::timeout, "another daemon holds " + place.home + "/lock, but does not listen", {}};
    poll(nullptr, 0, kLockRetryMs);
  }
}

int fail(const Error& e) {
  std::fprintf(stderr, "error: %s\n", e.message.c_str());
  if (!e.hint.empty()) std::fprintf(stderr, "hint: %s\n", e.hint.c_str());
  return wire::code_row(e.code).exit_code;
}

int run(const Options& options) {
  const auto place = find_place(geteuid(), getenv("CODEXOS_HOME"), getenv("HOME"));
  if (!place.ok()) return fail(place.error());
  if (!options.plan.empty()) {
    const auto s = write_plan(place->home, options.plan);
    return s.ok() ? 0 : fail(s.error());
  }
  if (options.doctor) {
    const auto s = write_report(doctor_options(*place));
    return s.ok() ? 0 : fail(s.error());
  }
  const int sockets = inherited_sockets();
  leave_caller(options, sockets);
  if (auto s = make_home(place->home); !s.ok()) return fail(s.error());
  auto lock = open_file(place->home + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (!lock.ok()) return fail(lock.error());
  const auto only_one = become_the_one(lock->get(), *place);
  if (!only_one.ok()) return fail(only_one.error());
  if (!*only_one) {
    // The loser of a start race: whoever started it connects to the winner.
    std::fprintf(stderr, "codexosd: another daemon runs for %s\n", place->home.c_str());
    return 0;
  }
  if (!options.foreground)
    if (auto s = open_log(place->home); !s.ok()) return fail(s.error());
  const auto served = serve(options, *place, sockets);
  if (served.ok()) return 0;
  log_line(LogLevel::error, "codexosd", served.error().message);
  // It fails before it is ready or not at all; a full disk may have taken the log line.
  if (options.ready_fd >= 0)
    dprintf(options.ready_fd, "error: %s\n", served.error().message.c_str());
  return wire::code_row(served.error().code).exit_code;
}

}  // namespace
}  // namespace codexos::daemon

int main(int argc, char** argv) {
  codexos::daemon::Options options;
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
    std::printf("codexosd %s (%s)\n", codexos::kVersion, codexos::kBuildId);
    return 0;
  }
  if (argc == 2 && std::strcmp(argv[1], "openapi") == 0) {
    std::fputs(codexos::daemon::openapi_text().c_str(), stdout);
    return 0;
  }
  if (!codexos::daemon::parse(argc, argv, options)) {
    std::fputs(codexos::daemon::kUsage, stderr);
    return 2;
  }
  return codexos::daemon::run(options);
}

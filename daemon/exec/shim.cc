// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/shim.h"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "core/base/binary.h"
#include "core/base/clock.h"
#include "core/base/redactor.h"
#include "core/os/resident.h"
#include "daemon/exec/deadlines.h"
#include "daemon/exec/limit_watch.h"
#include "daemon/exec/link.h"
#include "daemon/exec/meter.h"
#include "daemon/exec/processes.h"
#include "daemon/exec/record_page.h"
#include "daemon/exec/seams.h"
#include "daemon/exec/session.h"

namespace codexos::exec {
namespace {

constexpr int64_t kNever = Deadlines::kNever;
constexpr int64_t kAckUs = 2'000'000;        // how long a living daemon has to commit the end
constexpr int64_t kReapUs = 10'000'000;      // until processes that cannot be killed are given up
constexpr int64_t kWatcherUs = 10'000'000;   // for clients that own nothing, after the end
constexpr int64_t kInterruptUs = 2'000'000;  // a second SIGINT within this stops the task
constexpr int64_t kLeanAfterMs = 1000;       // without anything to do
constexpr size_t kMaxExecs = 16;

uint64_t micros(const timeval& t) {
  return static_cast<uint64_t>(t.tv_sec) * 1000000U + static_cast<uint64_t>(t.tv_usec);
}

int64_t grace_us(uint64_t ms) {
  return static_cast<int64_t>(std::min<uint64_t>(ms, 1U << 30)) * 1000;
}

Outcome outcome_of(int status) {
  Outcome o;
  if (WIFSIGNALED(status)) {
    o.cause = Cause::signaled;
    o.signal = WTERMSIG(status);
  } else {
    o.cause = Cause::exited;
    o.code = WEXITSTATUS(status);
  }
  return o;
}

Outcome outcome_of(const StepFailure& why) { return {why.cause, 0, 0, why.step + ": " + why.text}; }

/// What a program that `exec` put into the task adds to a Session.
struct Exec {
  explicit Exec(uint64_t number) : id(number), session(nullptr) {}
  uint64_t id;
  Session session;
  bool ended = false;     // the program
  bool finished = false;  // the client has been told, or will be after its output
  Outcome outcome;
  int64_t kill_at = kNever;
};

class Shim final : public SessionControl {
 public:
  explicit Shim(ShimContext& c);
  int run();

  void on_signal(Session& s, int signo, bool from_owner) override;
  void on_owner_left(Session& s, bool detached) override;

 private:
  enum class Phase {
    running,
    ending,         // the main program has ended; what it left is being killed and read
    acknowledging,  // recorded; the daemon commits
    delivering,     // clients take the rest and the exit
    over
  };
  struct LinkRow;
  static const LinkRow kLink[];

  Fd take(int32_t index);
  Status open_signals();
  Status open_stdio();
  bool wait_for_go();
  void start_main();
  void turn();
  int64_t next_deadline() const;
  void on_signals();
  void become_lean();
  void on_outside_signal(const signalfd_siginfo& s);
  void reap();
  void on_child(pid_t pid, int status);
  void exec_ended(Exec& e, Outcome outcome);
  void check_time();
  void check_limits();
  void tell_near(const WatchedLimit& limit, uint64_t used);
  void tell_refused(const RefusedCall& what);
  void tell(LinkType type, std::string payload);
  void mask(const std::vector<std::string>& values);
  std::string masked(const std::string& text) const;
  void note_peaks(const Measure& m);
  uint64_t log_bytes() const;
  bool is_measuring() const;
  void phase_overdue();
  void advance();
  void advance_execs();
  void begin_stop(Cause cause, uint64_t grace_ms);
  void kill_all();
  void let_run();

  void on_message(LinkMessage& m);
  void on_client(LinkMessage& m);
  void on_exec(LinkMessage& m);
  void on_signal_request(LinkMessage& m);
  void on_stop(LinkMessage& m);
  void on_pause(LinkMessage& m);
  void on_resume(LinkMessage& m);
  void on_end_ack(LinkMessage& m);
  void on_dial(LinkMessage& m);
  void on_measure(LinkMessage& m);
  void on_tell_values(LinkMessage& m);
  void send_state();
  bool start_exec(Exec& e, const ExecRequest& r, std::vector<Fd>& fds, StepFailure& why);

  void main_ended(Outcome outcome);
  Usage usage() const;
  void conclude();
  void finish(bool recorded, const std::string& note);
  ChildSpec spec_for(const std::vector<std::string>& argv, const std::vector<std::string>& env,
                     const std::string& cwd) const;

  const Job& job_;
  std::vector<Fd>* fds_;
  bool by_hand_;
  const Realm realm_;
  const bool alone_;  // all that it may signal is the task's
  LandlockRuleset* const wall_;
  DaemonLink link_;
  RecordPage record_;
  Fd alive_;
  Fd signals_;
  TaskCgroup cgroup_;
  Session main_;
  std::vector<std::unique_ptr<Exec>> execs_;
  Seams seams_;
  Network network_;  // so that the next daemon gets its sockets
  PollSet polls_;
  const ResidentCode code_;
  int signals_poll_ = -1;

  Phase phase_ = Phase::running;
  bool children_left_ = false;
  Started started_;
  Ended end_;
  int64_t started_us_ = 0;  // CLOCK_MONOTONIC
  bool lean_ = false;
  Deadlines limits_;
  LimitWatch watch_;
  Meter meter_;
  int64_t measure_at_ = kNever;
  Measure peak_;
  int64_t refused_told_us_ = 0;
  const std::string learnt_filter_;  // empty: nothing is learnt
  std::set<std::string> looked_for_;
  std::vector<std::pair<LinkType, std::string>> untold_;  // while no daemon listened
  std::vector<std::string> values_;                       // of secrets that the task has
  std::unique_ptr<Redactor> masked_;                      // finds them; null: there are none
  Pause pause_;
  Cause stop_cause_ = Cause::none;
  std::string stop_detail_;
  int64_t kill_at_ = kNever;
  int64_t phase_until_ = kNever;
  int interrupts_ = 0;
  int64_t interrupted_us_ = 0;
};

Fd take_fd(std::vector<Fd>* fds, int32_t index) {
  if (fds == nullptr || index < 0 || static_cast<size_t>(index) >= fds->size()) return Fd();
  return std::move((*fds)[static_cast<size_t>(index)]);
}

/// Asked only where it is needed: that costs three calls.
uint64_t processors_for(const Job& job) {
  return job.cpu_time_ms == 0 ? 1 : static_cast<uint64_t>(sysconf(_SC_NPROCESSORS_ONLN));
}

Shim::Shim(ShimContext& c)
    : job_(*c.job),
      fds_(c.fds),
      by_hand_(c.link_fd < 0),
      realm_(c.realm),
      alone_(c.realm != Realm::none),
      wall_(c.wall),
      link_(Fd(c.link_fd), take_fd(c.fds, c.job->listen_fd), c.job->secret),
      record_(take_fd(c.fds, c.job->record_fd)),
      alive_(take_fd(c.fds, c.job->alive_fd)),
      cgroup_(c.job->cgroup, c.fds),
      main_(&record_),
      seams_(std::move(c.seams), cgroup_.procs()),
      network_(std::move(c.network)),
      limits_(c.job->timeout_ms, c.job->idle_timeout_ms),
      watch_(*c.job, processors_for(*c.job), cgroup_.counts_memory()),
      meter_(*c.job, alone_ ? c.view : nullptr, cgroup_, std::move(c.layers), c.realm),
      learnt_filter_(c.job->learn && c.view != nullptr ? c.view->seccomp_learn : std::string()),
      pause_(cgroup_, c.realm) {
  if (job_.log_cap_bytes != Job{}.log_cap_bytes) record_.set_log_cap(job_.log_cap_bytes);
}

Fd Shim::take(int32_t index) { return take_fd(fds_, index); }

// ---- start ------------------------------------------------------------------------------------

// Signals of the shim itself come through a descriptor. PID 1 has no handlers, so nothing that a
// task sends to it has an effect; a blocked signal would be queued, so the sender is looked at.
// Behind a signal scope nothing of a task's comes.
Status Shim::open_signals() {
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  for (const int s : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT}) sigaddset(&set, s);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_.reset(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return errno_error("signalfd", errno);
  return {};
}

Status Shim::open_stdio() {
  if (by_hand_) {
    main_.inherit_stdio();
    return {};
  }
  StdioSpec s;
  s.in = job_.stdin_mode == Stdio::passed ? Stdio::pipe : job_.stdin_mode;
  s.out = job_.stdout_mode;
  s.err = job_.stderr_mode;
  s.rows = job_.rows;
  s.cols = job_.cols;
  s.log_cap_bytes = job_.log_cap_bytes;
  s.log[0] = take(job_.stdout_log_fd);
  s.log[1] = take(job_.stderr_log_fd);
  s.passed[0] = take(job_.stdout_fd);
  s.passed[1] = take(job_.stderr_fd);
  CODEXOS_TRY(main_.open_stdio(std::move(s)));
  AttachClient owner;
  owner.owner = true;
  owner.wants_input = job_.stdin_mode != Stdio::null;
  main_.add_client(take(job_.client_fd), owner);
  mask(job_.values);
  return {};
}

// Nothing of the program runs before its intent is on the daemon's disk. A link that ends here
// means that nobody will ever know of it: then it must not run.
bool Shim::wait_for_go() {
  for (;;) {
    auto m = recv_link(link_.fd());
    if (!m.ok() || m->type == LinkType::abort || m->type == LinkType::stop) return false;
    if (m->type == LinkType::go) return true;
    on_message(*m);
  }
}

ChildSpec Shim::spec_for(const std::vector<std::string>& argv, const std::vector<std::string>& env,
                         const std::string& cwd) const {
  ChildSpec s;
  s.argv = &argv;
  s.env = &env;
  s.cwd = cwd;
  s.umask = job_.umask;
  s.nice = job_.nice;
  s.limits = &job_.limits;
  s.cgroup = cgroup_.procs();
  s.wall = wall_;
  return s;
}

void Shim::start_main() {
  started_.at_us = now_us();
  started_us_ = monotonic_us();
  limits_.start(started_us_);
  record_.mark_started(started_.at_us);
  if (watch_.any() && alone_) measure_at_ = started_us_ + LimitWatch::kSoonestUs;
  StepFailure why;
  ChildSpec spec = spec_for(job_.argv, job_.env, job_.cwd);
  if (!learnt_filter_.empty()) {
    spec.listened = &learnt_filter_;
    spec.seams = &seams_;
  }
  if (!main_.start(std::move(spec), why)) {
    if (by_hand_)
      std::fprintf(stderr, "codexos-exec: %s: %s\n", why.step.c_str(), why.text.c_str());
    return main_ended(outcome_of(why));
  }
  started_.pid = main_.pid();
  link_.send(LinkType::started, to_binary(started_));
}

int Shim::run() {
  Status ready = open_signals();
  if (ready.ok()) ready = open_stdio();
  if (!ready.ok()) {
    StepFailure why{"stdio", errno, ready.error().message, Cause::start_failed};
    link_.send(LinkType::failed, to_binary(why));
    if (by_hand_) std::fprintf(stderr, "codexos-exec: %s\n", why.text.c_str());
    return 125;
  }
  link_.send(LinkType::prepared, "");
  if (!by_hand_ && !wait_for_go()) return 0;
  start_main();
  advance();
  while (phase_ != Phase::over) turn();
  // Whoever waits for the end goes first: to put the namespaces down takes longer than to tell.
  sched_yield();
  return exit_code_of(end_.outcome);
}

// ---- the loop ---------------------------------------------------------------------------------

int64_t Shim::next_deadline() const {
  int64_t at = std::min({kill_at_, phase_until_, link_.next_deadline()});
  if (phase_ == Phase::running && stop_cause_ == Cause::none) at = std::min(at, limits_.next());
  if (is_measuring()) at = std::min(at, measure_at_);
  for (const auto& e : execs_)
    if (!e->ended) at = std::min(at, e->kill_at);
  return at;
}

void Shim::turn() {
  polls_.clear();
  signals_poll_ = polls_.add(signals_.get(), POLLIN);
  link_.watch(polls_);
  main_.watch(polls_);
  for (auto& e : execs_) e->session.watch(polls_);
  seams_.watch(polls_);
  const int64_t at = next_deadline();
  // Rounded up: waking a moment early would spin.
  const int64_t wait_ms =
      at == kNever ? -1 : std::max<int64_t>(0, at - monotonic_us() + 999) / 1000;
  const int64_t most_ms = lean_ ? 60'000 : kLeanAfterMs;
  const int64_t idle_ms = lean_ ? -1 : kLeanAfterMs;
  const bool idle =
      !polls_.wait(static_cast<int>(wait_ms < 0 ? idle_ms : std::min(wait_ms, most_ms)));

  if (polls_.ready(signals_poll_) != 0) on_signals();
  if (link_.react(polls_, monotonic_us())) send_state();
  while (auto m = link_.next()) on_message(*m);
  main_.react(polls_, *this);
  for (auto& e : execs_) e->session.react(polls_, *this);
  seams_.react(polls_);
  for (const auto& what : seams_.take_refused()) tell_refused(what);
  check_time();
  advance();
  if (idle) become_lean();  // last: what runs in this turn would be mapped again
}

// A shim waits most of its life. What building the sandbox touched, half of the program's code and
// some heap, need not stay mapped meanwhile; what it still runs comes back page by page.
void Shim::become_lean() {
  if (std::exchange(lean_, true)) return;
  code_.give_back();
}

void Shim::on_signals() {
  bool child = false;
  signalfd_siginfo s{};
  while (read(signals_.get(), &s, sizeof s) == sizeof s) {
    if (s.ssi_signo == SIGCHLD)
      child = true;
    else if (s.ssi_pid == 0 || realm_ != Realm::pid_namespace)  // 0: from outside of that
      on_outside_signal(s);
  }
  if (child) reap();
}

void Shim::on_outside_signal(const signalfd_siginfo& s) {
  if (by_hand_)
    main_.signal(static_cast<int>(s.ssi_signo));
  else if (s.ssi_signo == SIGTERM)  // the machine goes down
    begin_stop(Cause::stopped, job_.stop_grace_ms);
}

void Shim::reap() {
  for (;;) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, WNOHANG);
    children_left_ = alone_ && pid == 0;
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) break;
    on_child(pid, status);
  }
  // Whoever was adopted since the last time.
  if (realm_ == Realm::signal_scope && phase_ == Phase::ending && children_left_) kill_all();
}

void Shim::on_child(pid_t pid, int status) {
  if (pid == main_.pid()) return main_ended(outcome_of(status));
  if (seams_.on_child(pid)) return;
  for (auto& e : execs_)
    if (e->session.pid() == pid) exec_ended(*e, outcome_of(status));
}

void Shim::exec_ended(Exec& e, Outcome outcome) {
  e.ended = true;
  e.outcome = std::move(outcome);
  e.outcome.detail = masked(e.outcome.detail);
  e.session.program_ended();
}

void Shim::check_time() {
  const int64_t now = monotonic_us();
  if (phase_ == Phase::running && stop_cause_ == Cause::none) {
    limits_.active(main_.output_held() ? now : main_.active_at_us());
    if (const Cause c = limits_.expired(now); c != Cause::none) begin_stop(c, job_.stop_grace_ms);
  }
  if (is_measuring() && now >= measure_at_) check_limits();
  if (now >= kill_at_) {
    kill_at_ = kNever;
    kill_all();
  }
  for (auto& e : execs_) {
    if (e->ended || now < e->kill_at) continue;
    e->kill_at = kNever;
    kill(e->session.pid(), SIGKILL);
  }
  if (now >= phase_until_) phase_overdue();
}

// ---- secrets that it has ------------------------------------------------------------------------

/// From now on these, too, stand neither in its log nor in what is told of it.
void Shim::mask(const std::vector<std::string>& values) {
  const size_t before = values_.size();
  for (const auto& v : values)
    if (std::find(values_.begin(), values_.end(), v) == values_.end()) values_.push_back(v);
  if (values_.size() == before) return;
  auto all = std::make_unique<Redactor>();
  for (const auto& v : values_) all->add(v, 0);
  all->finish();
  main_.mask_by(*all);
  masked_ = std::move(all);
}

std::string Shim::masked(const std::string& text) const {
  return masked_ ? masked_->redacted(text) : text;
}

void Shim::on_tell_values(LinkMessage&) {
  if (!values_.empty()) link_.send(LinkType::values, to_binary(Values{values_}));
}

// ---- what it uses -----------------------------------------------------------------------------

bool Shim::is_measuring() const { return phase_ == Phase::running && !pause_.active(); }

uint64_t Shim::log_bytes() const {
  uint64_t out = 0;
  for (const uint8_t stream : {uint8_t{1}, uint8_t{2}})
    out += std::min(main_.bytes_of(stream), job_.log_cap_bytes);
  return by_hand_ ? 0 : out;
}

void Shim::check_limits() {
  const int64_t begun = clock_us(CLOCK_THREAD_CPUTIME_ID);
  const bool kernel_killed = cgroup_.counts_memory() && cgroup_.oom_kills() > 0;
  const Measure m = meter_.measure(watch_, Meter::Depth::cheap, log_bytes());
  note_peaks(m);
  watch_.tell_near(m, [this](const WatchedLimit& limit, uint64_t used) { tell_near(limit, used); });
  const WatchedLimit* const over = kernel_killed ? &kWatched[0] : watch_.over(m);
  // Looking costs at most a tenth of a processor.
  constexpr int64_t kShare = 10;
  const int64_t cost_us = clock_us(CLOCK_THREAD_CPUTIME_ID) - begun;
  measure_at_ = monotonic_us() + std::max(watch_.wait_us(m), cost_us * kShare);
  if (over == nullptr) return;
  if (stop_cause_ == Cause::none) stop_detail_ = end_text(*over, job_.*(over->most));
  begin_stop(over->cause, over->may_finish ? job_.stop_grace_ms : 0);
}

void Shim::note_peaks(const Measure& m) {
  if (meter_.memory_is_exact()) peak_.memory_bytes = std::max(peak_.memory_bytes, m.memory_bytes);
  peak_.pids = std::max(peak_.pids, m.pids);
  peak_.disk_bytes = std::max(peak_.disk_bytes, m.disk_bytes);
  record_.note_peaks(peak_.memory_bytes, peak_.pids, peak_.disk_bytes);
}

void Shim::tell_near(const WatchedLimit& limit, uint64_t used) {
  const uint64_t most = job_.*(limit.most);
  const NearLimit near{std::string(limit.row->key), used, most * limit.scale, now_us()};
  main_.tell_owner(near_text(limit, most));
  tell(LinkType::near_limit, to_binary(near));
}

// The first sixteen at once, then one a second: a task may ask as often as it likes.
void Shim::tell_refused(const RefusedCall& what) {
  constexpr size_t kMostLookedFor = 4096;
  const std::string path = masked(what.path), program = masked(what.program);
  if (!path.empty()) {
    if (looked_for_.size() < kMostLookedFor && looked_for_.insert(path).second)
      tell(LinkType::refused, to_binary(Refused{-1, 0, path, program, now_us()}));
    return;
  }
  constexpr int64_t kEachUs = 1'000'000, kAtOnce = 16;
  const int64_t now = monotonic_us();
  refused_told_us_ = std::max(refused_told_us_, now - kAtOnce * kEachUs) + kEachUs;
  if (refused_told_us_ > now) {
    refused_told_us_ -= kEachUs;
    return;
  }
  tell(LinkType::refused, to_binary(Refused{what.call, what.flags, {}, program, now_us()}));
}

void Shim::tell(LinkType type, std::string payload) {
  constexpr size_t kMostUntold = 64;
  if (link_.up())
    link_.send(type, payload);
  else if (untold_.size() < kMostUntold)
    untold_.emplace_back(type, std::move(payload));
}

void Shim::on_measure(LinkMessage&) {
  const Measure m = meter_.measure(watch_, Meter::Depth::exact, log_bytes());
  note_peaks(m);
  link_.send(LinkType::measured, to_binary(m));
}

void Shim::phase_overdue() {
  phase_until_ = kNever;
  if (phase_ == Phase::acknowledging) return finish(false, {});
  if (phase_ == Phase::ending) {
    children_left_ = false;
    for (auto& e : execs_)
      if (!e->ended) exec_ended(*e, outcome_of(SIGKILL));
  }
  if (phase_ == Phase::delivering) {
    main_.drop_watchers();
    for (auto& e : execs_) e->session.drop_clients();
  }
}

void Shim::advance() {
  advance_execs();
  if (phase_ == Phase::ending && !children_left_ && seams_.clean_up()) children_left_ = true;
  if (phase_ == Phase::ending && !children_left_ && main_.drain()) conclude();
  if (phase_ == Phase::acknowledging && !link_.up()) finish(false, {});
  if (phase_ == Phase::delivering && main_.delivered() && execs_.empty()) phase_ = Phase::over;
}

void Shim::advance_execs() {
  for (auto& e : execs_) {
    if (!e->ended || e->finished || !e->session.drain()) continue;
    e->finished = true;
    ExitFrame f;
    f.outcome = e->outcome;
    f.output_error = e->session.output_error();
    link_.send(LinkType::exec_ended, to_binary(ExecEnded{e->id, e->outcome}));
    e->session.finish(f);
  }
  execs_.erase(std::remove_if(execs_.begin(), execs_.end(),
                              [](const auto& e) { return e->finished && e->session.delivered(); }),
               execs_.end());
}

// ---- ending it --------------------------------------------------------------------------------

void Shim::let_run() {
  if (!pause_.active()) return;
  pause_.resume();
  limits_.resume(monotonic_us());
  record_.set_paused(false);
}

// The first cause stays; a later request can only be quicker.
void Shim::begin_stop(Cause cause, uint64_t grace_ms) {
  if (phase_ != Phase::running) {
    // The program has ended already; what still waits is a reader that does not read.
    main_.drop_clients();
    for (auto& e : execs_) e->session.drop_clients();
    return;
  }
  if (stop_cause_ == Cause::none) {
    stop_cause_ = cause;
    let_run();
    if (grace_ms > 0) {
      signal_session(realm_, main_.pid(), SIGTERM);
      // Interactive shells ignore TERM; that their terminal has gone they do understand.
      if (cause == Cause::owner_gone && main_.has_terminal())
        signal_session(realm_, main_.pid(), SIGHUP);
      signal_session(realm_, main_.pid(), SIGCONT);  // one that stands still must see it
    }
  }
  kill_at_ = std::min(kill_at_, monotonic_us() + grace_us(grace_ms));
  if (grace_ms == 0) check_time();
}

void Shim::kill_all() {
  if (alone_) return signal_all(realm_, SIGKILL);
  if (main_.pid() > 0) kill(main_.pid(), SIGKILL);
  for (auto& e : execs_)
    if (!e->ended) kill(e->session.pid(), SIGKILL);
}

void Shim::on_signal(Session& s, int signo, bool from_owner) {
  if (signo == SIGCONT && pause_.active()) return;  // only `resume` ends a pause
  if (&s != &main_ || signo != SIGINT || !from_owner) return s.signal(signo);
  const int64_t now = monotonic_us();
  const bool again = now - interrupted_us_ < kInterruptUs || interrupts_ >= 2;
  interrupts_ = again ? interrupts_ + 1 : 1;
  interrupted_us_ = now;
  if (interrupts_ == 1) return s.signal(signo);
  begin_stop(Cause::stopped, interrupts_ == 2 ? job_.stop_grace_ms : 0);
}

void Shim::on_owner_left(Session& s, bool detached) {
  if (&s == &main_) {
    link_.send(LinkType::owner, to_binary(OwnerState{detached}));
    if (!detached && job_.owned && phase_ == Phase::running)
      begin_stop(Cause::owner_gone, job_.stop_grace_ms);
    return;
  }
  if (detached) return;
  for (auto& e : execs_) {
    if (&e->session != &s || e->ended) continue;
    kill(s.pid(), SIGTERM);
    e->kill_at = monotonic_us() + grace_us(job_.stop_grace_ms);
  }
}

Usage Shim::usage() const {
  Usage u;
  rusage r{};
  getrusage(RUSAGE_CHILDREN, &r);
  u.wall_us = static_cast<uint64_t>(monotonic_us() - started_us_);
  u.cpu_user_us = micros(r.ru_utime);
  u.cpu_system_us = micros(r.ru_stime);
  u.max_rss_bytes = static_cast<uint64_t>(r.ru_maxrss) * 1024U;
  return u;
}

// The end of the main program is the end of the task, whatever it left behind.
void Shim::main_ended(Outcome outcome) {
  end_.at_us = now_us();
  end_.outcome = std::move(outcome);
  end_.outcome.detail = masked(end_.outcome.detail);
  // The kernel may have been quicker than we with looking.
  if (stop_cause_ == Cause::none && job_.memory_bytes != 0 && cgroup_.oom_kills() > 0) {
    stop_cause_ = Cause::oom;
    stop_detail_ = end_text(kWatched[0], job_.memory_bytes);
  }
  if (stop_cause_ != Cause::none) {
    end_.outcome.cause = stop_cause_;
    end_.outcome.detail = stop_detail_;
  }
  end_.usage = usage();
  end_.interrupted = interrupts_ > 0;
  main_.program_ended();
  phase_ = Phase::ending;
  kill_at_ = kNever;
  phase_until_ = monotonic_us() + kReapUs;
  // When nobody is left this is the cheapest way to know it; else the rest is killed now and
  // reaped as it ends. Outside of a pid namespace of our own nobody but the program is ours.
  children_left_ = alone_ && waitid(P_ALL, 0, nullptr, WEXITED | WNOHANG | WNOWAIT) == 0;
  if (children_left_ || !execs_.empty()) kill_all();
  seams_.close();
}

void Shim::conclude() {
  const uint64_t wall_us = end_.usage.wall_us;
  end_.usage = usage();  // now with all that it left behind
  end_.usage.wall_us = wall_us;
  end_.usage.stdout_bytes = main_.bytes_of(1);
  end_.usage.stderr_bytes = main_.bytes_of(2);
  const auto told = [](uint64_t x) { return x == 0 ? std::optional<uint64_t>() : x; };
  end_.usage.memory_bytes = told(peak_.memory_bytes);
  end_.usage.pids = told(peak_.pids);
  end_.usage.disk_bytes = told(peak_.disk_bytes);
  end_.notes = main_.log_notes();
  if (by_hand_) {
    phase_ = Phase::over;
    return;
  }
  record_.write_end(end_, started_.at_us);
  link_.send(LinkType::ended, to_binary(end_));
  phase_ = Phase::acknowledging;
  phase_until_ = monotonic_us() + kAckUs;
  if (!link_.up()) finish(false, {});
}

// Without a daemon that has committed the end, the record must be on disk before anybody is told.
void Shim::finish(bool recorded, const std::string& note) {
  if (!recorded) record_.make_durable();
  ExitFrame f;
  f.outcome = end_.outcome;
  f.recorded = recorded;
  f.note = note;
  f.output_error = main_.output_error();
  phase_ = Phase::delivering;
  phase_until_ = monotonic_us() + kWatcherUs;
  main_.finish(f);
}

// ---- what the daemon says ---------------------------------------------------------------------

struct Shim::LinkRow {
  LinkType type;
  void (Shim::*handle)(LinkMessage&);
};
const Shim::LinkRow Shim::kLink[] = {
    {LinkType::client, &Shim::on_client},         {LinkType::exec, &Shim::on_exec},
    {LinkType::signal, &Shim::on_signal_request}, {LinkType::stop, &Shim::on_stop},
    {LinkType::pause, &Shim::on_pause},           {LinkType::resume, &Shim::on_resume},
    {LinkType::end_ack, &Shim::on_end_ack},       {LinkType::dial, &Shim::on_dial},
    {LinkType::measure, &Shim::on_measure},       {LinkType::tell_values, &Shim::on_tell_values},
};

void Shim::on_message(LinkMessage& m) {
  for (const auto& row : kLink)
    if (row.type == m.type) return (this->*row.handle)(m);
}

void Shim::send_state() {
  ShimState s;
  s.ended = phase_ == Phase::acknowledging || phase_ == Phase::delivering;
  s.paused = pause_.active();
  s.started = started_;
  if (s.ended) s.end = end_;
  link_.send(LinkType::state, to_binary(s));
  if (!network_.empty())
    link_.send(LinkType::network, to_binary(network_.sockets), network_.numbers());
  for (const auto& [type, payload] : std::exchange(untold_, {})) link_.send(type, payload);
}

void Shim::on_dial(LinkMessage& m) {
  const auto r = from_binary<DialRequest>(m.payload);
  if (!r.ok()) return;
  Fd fd;
  const Dialled answer{r->id, dial_inside(r->port, fd)};
  link_.send(LinkType::dialled, to_binary(answer),
             fd ? std::vector<int>{fd.get()} : std::vector<int>{});
}

void Shim::on_client(LinkMessage& m) {
  const auto options = from_binary<AttachClient>(m.payload);
  if (!options.ok() || m.fds.empty()) return;
  if (phase_ == Phase::delivering) phase_until_ = monotonic_us() + kWatcherUs;
  main_.add_client(std::move(m.fds.front()), *options);
}

bool Shim::start_exec(Exec& e, const ExecRequest& r, std::vector<Fd>& fds, StepFailure& why) {
  StdioSpec s;
  s.in = r.stdin_mode == Stdio::passed ? Stdio::pipe : r.stdin_mode;
  s.out = r.stdout_mode;
  s.err = r.stderr_mode;
  s.rows = r.rows;
  s.cols = r.cols;
  int32_t next = 1;
  if (s.out == Stdio::passed) s.passed[0] = take_fd(&fds, next++);
  if (s.err == Stdio::passed) s.passed[1] = take_fd(&fds, next++);
  Status ready = e.session.open_stdio(std::move(s));
  AttachClient owner;
  owner.owner = true;
  owner.wants_input = r.stdin_mode != Stdio::null;
  e.session.add_client(take_fd(&fds, 0), owner);
  if (!ready.ok())
    why.text = ready.error().message;
  else if (r.argv.empty())
    why.text = "no program given";
  else if (phase_ != Phase::running)
    why.text = "the task has ended";
  else if (pause_.active())
    why.text = "the task is paused";
  else if (execs_.size() >= kMaxExecs)
    why.text = "too many programs were put into this task";
  else
    return e.session.start(spec_for(r.argv, r.env, r.cwd), why);
  why.step = "exec";
  return false;
}

void Shim::on_exec(LinkMessage& m) {
  const auto r = from_binary<ExecRequest>(m.payload);
  if (!r.ok()) return;
  mask(r->values);
  auto e = std::make_unique<Exec>(r->id);
  StepFailure why;
  if (!start_exec(*e, *r, m.fds, why)) exec_ended(*e, outcome_of(why));
  execs_.push_back(std::move(e));
}

void Shim::on_signal_request(LinkMessage& m) {
  const auto r = from_binary<SignalRequest>(m.payload);
  if (!r.ok() || phase_ != Phase::running || r->signal <= 0 || r->signal > 64) return;
  if (r->signal == SIGCONT && pause_.active()) return;
  if (r->all && alone_)
    signal_all(realm_, r->signal);
  else if (main_.pid() > 0)
    kill(main_.pid(), r->signal);
}

void Shim::on_stop(LinkMessage& m) {
  if (const auto r = from_binary<StopRequest>(m.payload); r.ok()) begin_stop(r->cause, r->grace_ms);
}

void Shim::on_pause(LinkMessage&) {
  PauseState s;
  if (phase_ != Phase::running || stop_cause_ != Cause::none)
    s.error = "the task is ending";
  else if (!alone_)
    s.error = "its processes cannot be told from others";
  else if (!pause_.active())
    s.error = pause_.stop();
  s.paused = pause_.active();
  if (s.paused) limits_.pause(monotonic_us());
  record_.set_paused(s.paused);
  link_.send(LinkType::paused, to_binary(s));
}

void Shim::on_resume(LinkMessage&) {
  let_run();
  link_.send(LinkType::paused, to_binary(PauseState{}));
}

void Shim::on_end_ack(LinkMessage& m) {
  const auto ack = from_binary<EndAck>(m.payload);
  if (phase_ == Phase::acknowledging && ack.ok()) finish(true, ack->note);
}

}  // namespace

int run_shim(ShimContext& c) {
  Shim shim(c);
  return shim.run();
}

}  // namespace codexos::exec

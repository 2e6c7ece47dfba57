// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/meter.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "core/base/clock.h"
#include "daemon/exec/processes.h"

namespace codexos::exec {
namespace {

constexpr long kTmpfsMagic = 0x01021994;
constexpr size_t kMaxFiles = 4096;     // descriptors that one look goes through
constexpr size_t kWalkEntries = 4000;  // of the layers, a look
constexpr int64_t kRest = 10;          // a walk is followed by a pause of so many times its length
constexpr uint64_t kBlock = 512;
constexpr uint64_t kMany = 16;  // processes made between two looks: a storm

/// A small file of a process; empty: it is gone, or does not let itself be looked at.
std::string_view read_at(int dir, const char* pid, const char* file, char* to, size_t room) {
  char path[64];
  std::snprintf(path, sizeof path, "%.20s/%s", pid, file);
  const Fd fd(openat(dir, path, O_RDONLY | O_CLOEXEC));
  const ssize_t n = fd ? read(fd.get(), to, room) : -1;
  return {to, n > 0 ? static_cast<size_t>(n) : 0};
}

/// The fields of /proc/PID/stat (proc(5)) that matter here.
struct Stat {
  char state = '?';
  uint64_t own_ticks = 0, children_ticks = 0, threads = 0, start_time = 0, rss_pages = 0;
};
bool parse_stat(std::string_view text, Stat& out) {
  const size_t close = text.rfind(')');
  if (close == std::string_view::npos) return false;
  const std::string rest(text.substr(close + 1));
  unsigned long long user = 0, system = 0, threads = 0, start = 0;
  long long child_user = 0, child_system = 0, rss = 0;
  if (std::sscanf(rest.c_str(),
                  " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %lld %lld %*d %*d %llu "
                  "%*d %llu %*u %lld",
                  &out.state, &user, &system, &child_user, &child_system, &threads, &start,
                  &rss) != 8)
    return false;
  out.own_ticks = user + system;
  out.children_ticks = static_cast<uint64_t>(child_user + child_system);
  out.threads = threads;
  out.start_time = start;
  out.rss_pages = static_cast<uint64_t>(std::max(0LL, rss));
  return true;
}

/// "Pss_Anon:   123 kB"
uint64_t kilobytes_of(std::string_view text, const char* key) {
  const size_t at = text.find(key);
  if (at == std::string_view::npos) return 0;
  return std::strtoull(std::string(text.substr(at + std::strlen(key), 32)).c_str(), nullptr, 10) *
         1024;
}

template <class F>
void each_pid(F&& f) {
  DIR* const dir = opendir("/proc");
  if (dir == nullptr) return;
  while (const dirent* e = readdir(dir))
    if (const long pid = std::strtol(e->d_name, nullptr, 10); pid > 1) f(static_cast<int32_t>(pid));
  closedir(dir);
}

uint64_t micros(const timeval& t) {
  return static_cast<uint64_t>(t.tv_sec) * 1000000U + static_cast<uint64_t>(t.tv_usec);
}
uint64_t reaped_us() {
  rusage r{};
  getrusage(RUSAGE_CHILDREN, &r);
  return micros(r.ru_utime) + micros(r.ru_stime);
}

/// The last pid that was given in this pid namespace (proc(5), /proc/loadavg: its last field). What
/// it grows by is how many processes and threads were made.
uint64_t last_pid() {
  char text[128];
  const Fd fd(open("/proc/loadavg", O_RDONLY | O_CLOEXEC));
  const ssize_t n = fd ? read(fd.get(), text, sizeof text - 1) : -1;
  if (n <= 0) return 0;
  text[n] = '\0';
  const char* const space = std::strrchr(text, ' ');
  return space == nullptr ? 0 : std::strtoull(space, nullptr, 10);
}

/// Hundreds that fork and fill memory keep the shim from its processor, and, waiting for one
/// themselves, hold the locks that smaps_rollup needs. So in a storm all of them stand still while
/// they are looked at closely.
class Hold {
 public:
  /// `stopped`: those that stood still before, and shall afterwards.
  Hold(Realm realm, bool storm, const std::vector<int32_t>& stopped)
      : active_(storm), stopped_(stopped) {
    if (active_) signal_all(realm, SIGSTOP);
  }
  void let_go() {
    if (!std::exchange(active_, false)) return;
    each_pid([this](int32_t pid) {
      if (std::find(stopped_.begin(), stopped_.end(), pid) == stopped_.end()) kill(pid, SIGCONT);
    });
  }

 private:
  bool active_;
  const std::vector<int32_t>& stopped_;
};

}  // namespace

/// One look at the processes. It ends early when `enough` memory was found: among the processes of
/// a fork bomb the shim is one of thousands that want to run.
struct Meter::Table {
  bool exact = false;  // each one's share of what is shared, by smaps_rollup; else stat is enough
  bool files = true;
  uint64_t scratch = 0;
  uint64_t enough = 0;  // 0: look at all
  uint64_t pids = 0;
  uint64_t resident = 0;  // shared pages counted for each
  uint64_t anonymous = 0;
  uint64_t shared = 0;
  uint64_t nameless_memory = 0;
  uint64_t nameless_disk = 0;
  size_t files_left = kMaxFiles;
  std::set<std::pair<dev_t, ino_t>> nameless;
  std::vector<int32_t> stopped;

  /// Exactly, or at most so much: resident sets count what is shared for each.
  uint64_t memory() const {
    if (!exact) return resident + scratch + nameless_memory;
    // A mapped file of the scratch space is in both.
    return anonymous + std::max(shared, scratch + nameless_memory);
  }
  bool found_enough() const { return enough != 0 && memory() >= enough; }
};

Meter::Meter(const Job& job, const View* view, const TaskCgroup& cgroup, std::vector<Fd> layers,
             Realm realm)
    : job_(job), view_(view), cgroup_(cgroup), realm_(realm), layers_(std::move(layers)) {}

// Of mount points only, which a task can neither move nor replace: it need not be looked for before
// the program runs.
void Meter::find_scratch() {
  const auto add = [this](const std::vector<Mount>& mounts) {
    for (const auto& m : mounts) {
      struct statfs fs {};
      struct stat st {};
      const bool scratch = m.role == MountRole::scratch || m.role == MountRole::home;
      if (!scratch || m.kind != MountKind::tmpfs || m.read_only ||
          statfs(m.target.c_str(), &fs) < 0 || fs.f_type != kTmpfsMagic ||
          stat(m.target.c_str(), &st) < 0)
        continue;
      if (scratch_devices_.insert(st.st_dev).second) scratch_.push_back(m.target);
    }
  };
  const View* const view = std::exchange(view_, nullptr);
  if (view == nullptr) return;
  add(view->mounts);
  add(job_.mounts);
}

uint64_t Meter::scratch_bytes() const {
  uint64_t out = 0;
  for (const auto& path : scratch_) {
    struct statfs fs {};
    if (statfs(path.c_str(), &fs) == 0)
      out += (fs.f_blocks - fs.f_bfree) * static_cast<uint64_t>(fs.f_bsize);
  }
  return out;
}

// A file that has no name any more takes room where nothing else would show it.
void Meter::look_at_files(int proc, const char* pid, Table& t) {
  char path[32];
  std::snprintf(path, sizeof path, "%.20s/fd", pid);
  Fd fd(openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DIR* const dir = fd ? fdopendir(fd.get()) : nullptr;
  if (dir == nullptr) return;
  (void)fd.release();
  while (const dirent* e = t.files_left > 0 ? readdir(dir) : nullptr) {
    struct stat st {};
    --t.files_left;
    if (e->d_name[0] == '.' || fstatat(dirfd(dir), e->d_name, &st, 0) < 0) continue;
    if (!S_ISREG(st.st_mode) || st.st_nlink != 0 || scratch_devices_.count(st.st_dev) != 0 ||
        !t.nameless.emplace(st.st_dev, st.st_ino).second)
      continue;
    struct statfs fs {};
    const Fd file(openat(dirfd(dir), e->d_name, O_PATH | O_CLOEXEC));
    const bool memory = file && fstatfs(file.get(), &fs) == 0 && fs.f_type == kTmpfsMagic;
    (memory ? t.nameless_memory : t.nameless_disk) += static_cast<uint64_t>(st.st_blocks) * kBlock;
  }
  closedir(dir);
}

void Meter::look_at_processes(Table& t) {
  static const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  static const uint64_t tick_us = 1000000U / static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  DIR* const dir = opendir("/proc");
  if (dir == nullptr) return;
  cpu_.begin();
  while (const dirent* e = t.found_enough() ? nullptr : readdir(dir)) {
    if (e->d_name[0] < '1' || e->d_name[0] > '9') continue;
    const auto pid = static_cast<int32_t>(std::strtol(e->d_name, nullptr, 10));
    char text[2048];
    Stat s;
    if (pid == getpid() || !is_of_task(realm_, pid) ||
        !parse_stat(read_at(dirfd(dir), e->d_name, "stat", text, sizeof text), s))
      continue;
    cpu_.add({pid, s.start_time, s.own_ticks * tick_us, s.children_ticks * tick_us});
    if (s.state == 'Z' || s.state == 'X') continue;
    if (s.state == 'T' || s.state == 't') t.stopped.push_back(pid);
    t.pids += s.threads;
    const uint64_t resident = s.rss_pages * page;
    t.resident += resident;
    if (t.files) look_at_files(dirfd(dir), e->d_name, t);
    if (!t.exact) continue;
    const auto shares = read_at(dirfd(dir), e->d_name, "smaps_rollup", text, sizeof text);
    if (shares.empty()) {  // it forbids to be looked at: then all of it counts
      t.anonymous += resident;
      continue;
    }
    t.anonymous += kilobytes_of(shares, "Pss_Anon:") + kilobytes_of(shares, "SwapPss:");
    t.shared += kilobytes_of(shares, "Pss_Shmem:");
  }
  closedir(dir);
}

// A piece at a time, and then a rest in proportion: a large tree must not keep the shim busy.
void Meter::walk_layers(Depth depth) {
  const int64_t begun = clock_us(CLOCK_THREAD_CPUTIME_ID);
  const bool resting = walk_ == nullptr && walked_ == 0 && monotonic_us() < walk_again_us_;
  if (layers_.empty() || (resting && depth == Depth::cheap)) return;
  size_t left = depth == Depth::exact ? SIZE_MAX : kWalkEntries;
  for (;;) {
    if (walk_ == nullptr) walk_ = std::make_unique<DiskWalk>(layers_[walked_].get());
    const bool done = walk_->step(left);
    if (!done) break;
    walked_bytes_ += walk_->bytes();
    walk_.reset();
    if (++walked_ < layers_.size()) continue;
    layer_bytes_ = std::exchange(walked_bytes_, 0);
    walked_ = 0;
    break;
  }
  walk_cost_us_ += clock_us(CLOCK_THREAD_CPUTIME_ID) - begun;
  if (walk_ != nullptr) return;
  walk_again_us_ = monotonic_us() + std::exchange(walk_cost_us_, 0) * kRest;
}

Measure Meter::measure(const LimitWatch& watch, Depth depth, uint64_t log_bytes) {
  find_scratch();
  Measure m;
  m.scratch_bytes = scratch_bytes();
  uint64_t nameless_disk = 0;
  const bool by_cgroup = cgroup_.counts_memory();
  exact_ = depth == Depth::exact || by_cgroup;
  const bool files = watch.watches(&Job::disk_bytes) || depth == Depth::exact ||
                     (watch.watches(&Job::memory_bytes) && !by_cgroup);
  if (!by_cgroup || !cgroup_.counts_cpu() || !cgroup_.counts_pids() || files) {
    const auto look = [&](bool exact, uint64_t enough) {
      Table t;
      t.exact = exact;
      t.files = files;
      t.scratch = m.scratch_bytes;
      t.enough = by_cgroup || depth == Depth::exact ? 0 : enough;
      look_at_processes(t);
      return t;
    };
    Table t = look(exact_ && !by_cgroup, watch.near_from(&Job::memory_bytes));
    if (!exact_ && t.found_enough()) {
      exact_ = true;
      Hold hold(realm_, last_pid() >= last_pid_ + kMany, t.stopped);
      Table close = look(true, watch.over_from(&Job::memory_bytes));
      if (!close.found_enough()) hold.let_go();  // else they are killed
      t = std::move(close);
    }
    m.memory_bytes = t.memory();
    last_pid_ = last_pid();
    m.cpu_us = cpu_.total(reaped_us());
    m.pids = t.pids;
    nameless_disk = t.nameless_disk;
  }
  if (by_cgroup) m.memory_bytes = cgroup_.memory_bytes();
  if (cgroup_.counts_cpu()) m.cpu_us = cgroup_.cpu_us();
  if (cgroup_.counts_pids()) m.pids = cgroup_.pids();
  walk_layers(depth);
  const uint64_t walked = walked_bytes_ + (walk_ != nullptr ? walk_->bytes() : 0);
  m.disk_bytes = std::max(layer_bytes_, walked) + nameless_disk + m.scratch_bytes + log_bytes;
  return m;
}

}  // namespace codexos::exec

// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/cgroup_files.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "core/os/cgroup.h"

namespace codexos::exec {
namespace {

constexpr int kLooks = 3000;  // a process that waits for a disk stands when it has it
constexpr useconds_t kLookUs = 1000;

Fd take(std::vector<Fd>* fds, int32_t index) {
  if (fds == nullptr || index < 0 || static_cast<size_t>(index) >= fds->size()) return Fd();
  return std::move((*fds)[static_cast<size_t>(index)]);
}

struct Text {
  char bytes[8192];
  size_t size;
  std::string_view view() const { return {bytes, size}; }
};
/// What it says now; empty: it cannot be read.
void read_now(const Fd& fd, Text& out) {
  const ssize_t n = fd ? pread(fd.get(), out.bytes, sizeof out.bytes, 0) : -1;
  out.size = n > 0 ? static_cast<size_t>(n) : 0;
}
uint64_t number_in(const Fd& fd, std::string_view key) {
  Text text;
  read_now(fd, text);
  return cgroup_number(text.view(), key);
}

bool put(const Fd& fd, std::string_view text) {
  return pwrite(fd.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
}

}  // namespace

bool join_cgroup(const std::vector<int>& procs) {
  return std::all_of(procs.begin(), procs.end(), [](int fd) { return write(fd, "0", 1) == 1; });
}

TaskCgroup::TaskCgroup(const CgroupFiles& f, std::vector<Fd>* fds) : version_(f.version) {
  for (const int32_t index : f.join) procs_.push_back(take(fds, index));
  memory_ = take(fds, f.memory);
  memory_stat_ = take(fds, f.memory_stat);
  oom_ = take(fds, f.oom);
  cpu_ = take(fds, f.cpu);
  pids_ = take(fds, f.pids);
  freezer_ = take(fds, f.freezer);
  events_ = take(fds, f.events);
}

std::vector<int> TaskCgroup::procs() const {
  std::vector<int> out;
  for (const auto& fd : procs_) out.push_back(fd.get());
  return out;
}

uint64_t TaskCgroup::memory_bytes() const {
  const uint64_t used = number_in(memory_, "");
  Text stat;
  read_now(memory_stat_, stat);
  const bool v1 = version_ == 1;
  const uint64_t cache = cgroup_number(stat.view(), v1 ? "total_inactive_file" : "inactive_file") +
                         cgroup_number(stat.view(), v1 ? "total_active_file" : "active_file");
  return used - std::min(used, cache);
}

uint64_t TaskCgroup::cpu_us() const {
  return version_ == 1 ? number_in(cpu_, "") / 1000 : number_in(cpu_, "usage_usec");
}
uint64_t TaskCgroup::pids() const { return number_in(pids_, ""); }
uint64_t TaskCgroup::oom_kills() const { return number_in(oom_, "oom_kill"); }

bool TaskCgroup::is_frozen() const {
  if (version_ == 2) return number_in(events_, "frozen") == 1;
  Text state;
  read_now(freezer_, state);
  return state.view() == "FROZEN\n";
}

std::string TaskCgroup::freeze() {
  if (!put(freezer_, version_ == 2 ? "1" : "FROZEN"))
    return std::string("the cgroup cannot be frozen: ") + std::strerror(errno);
  for (int look = 0; look < kLooks; ++look) {
    if (is_frozen()) return {};
    usleep(kLookUs);
  }
  thaw();
  return "a process does not stand still";
}

void TaskCgroup::thaw() { (void)put(freezer_, version_ == 2 ? "0" : "THAWED"); }

}  // namespace codexos::exec

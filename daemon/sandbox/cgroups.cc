// SPDX-License-Identifier: Apache-2.0
#include "daemon/sandbox/cgroups.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/base/hash.h"
#include "core/base/id.h"
#include "core/base/path.h"
#include "core/base/split.h"
#include "core/os/file.h"

namespace codexos::daemon {
namespace {

constexpr std::string_view kPrefix = "codexos-";
constexpr std::string_view kOwnLeaf = "codexosd";  // version 2: where the daemon goes to
constexpr std::array<std::string_view, 5> kControllers{"memory", "cpu", "cpuacct", "pids",
                                                       "freezer"};
constexpr uint64_t kPeriodUs = 100000;  // of the quota of processors
constexpr int kTries = 200;
constexpr timespec kPause = {0, 5'000'000};

/// One process more than the limit says: the worker that answers for the overlays.
constexpr uint64_t kOwnPids = 1;

std::string prefix_of(const std::string& home) {
  return std::string(kPrefix) + to_hex(fnv1a(home)).substr(0, 8) + "-";
}

struct Setting {
  int version;
  std::string_view controller;
  const char* file;
  std::string (*value)(const TaskLimits&);  // empty: nothing to set
  bool optional;                            // the kernel may lack the file
};
std::string memory_of(const TaskLimits& l) {
  return l.memory_bytes == 0 ? "" : std::to_string(l.memory_bytes);
}
std::string pids_of(const TaskLimits& l) {
  return l.pids == 0 ? "" : std::to_string(l.pids + kOwnPids);
}
std::string quota_of(const TaskLimits& l) {
  return l.cpu_milli == 0 ? "" : std::to_string(l.cpu_milli * kPeriodUs / 1000);
}
std::string with_memory(const TaskLimits& l, const char* value) {
  return l.memory_bytes == 0 ? "" : value;
}
constexpr std::array kSettings{
    Setting{1, "memory", "memory.limit_in_bytes", memory_of, false},
    Setting{1, "memory", "memory.memsw.limit_in_bytes", memory_of, true},
    Setting{1, "cpu", "cpu.cfs_quota_us", quota_of, false},
    Setting{1, "pids", "pids.max", pids_of, false},
    Setting{2, "memory", "memory.max", memory_of, false},
    Setting{2, "memory", "memory.swap.max", [](const TaskLimits& l) { return with_memory(l, "0"); },
            true},
    Setting{2, "memory", "memory.oom.group",
            [](const TaskLimits& l) { return with_memory(l, "1"); }, true},
    Setting{2, "cpu", "cpu.max",
            [](const TaskLimits& l) {
              return l.cpu_milli == 0 ? "" : quota_of(l) + " " + std::to_string(kPeriodUs);
            },
            false},
    Setting{2, "pids", "pids.max", pids_of, false},
};

struct FileRow {
  int version;
  std::string_view controller;
  const char* file;
  Fd TaskCgroup::*fd;
  int flags;
};
// Of two for the same descriptor the first that is there.
constexpr std::array kFiles{
    FileRow{1, "memory", "memory.memsw.usage_in_bytes", &TaskCgroup::memory, O_RDONLY},
    FileRow{1, "memory", "memory.usage_in_bytes", &TaskCgroup::memory, O_RDONLY},
    FileRow{1, "memory", "memory.stat", &TaskCgroup::memory_stat, O_RDONLY},
    FileRow{1, "memory", "memory.oom_control", &TaskCgroup::oom, O_RDONLY},
    FileRow{1, "cpuacct", "cpuacct.usage", &TaskCgroup::cpu, O_RDONLY},
    FileRow{1, "pids", "pids.current", &TaskCgroup::pids, O_RDONLY},
    FileRow{1, "freezer", "freezer.state", &TaskCgroup::freezer, O_RDWR},
    FileRow{2, "memory", "memory.current", &TaskCgroup::memory, O_RDONLY},
    FileRow{2, "memory", "memory.stat", &TaskCgroup::memory_stat, O_RDONLY},
    FileRow{2, "memory", "memory.events", &TaskCgroup::oom, O_RDONLY},
    FileRow{2, "cpu", "cpu.stat", &TaskCgroup::cpu, O_RDONLY},
    FileRow{2, "pids", "pids.current", &TaskCgroup::pids, O_RDONLY},
    FileRow{2, "freezer", "cgroup.freeze", &TaskCgroup::freezer, O_RDWR},
    FileRow{2, "freezer", "cgroup.events", &TaskCgroup::events, O_RDONLY},
};

/// The daemon, or something that it or an earlier one of its kind has started.
bool is_ours(pid_t pid) {
  constexpr int kGenerations = 1000;
  for (int i = 0; i < kGenerations && pid > 1; ++i) {
    const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
    if (!stat.ok()) return true;  // it has ended
    const size_t open = stat->find('(');
    const size_t close = stat->rfind(')');
    if (open == std::string::npos || close == std::string::npos) return false;
    if (stat->compare(open + 1, 7, "codexos") == 0) return true;
    char state = 0;
    if (std::sscanf(stat->c_str() + close + 1, " %c %d", &state, &pid) != 2) return false;
  }
  return false;
}

}  // namespace

bool CgroupSupport::has(std::string_view controller) const {
  return holds(controllers, controller);
}

std::string task_cgroup_name(const std::string& home, const std::string& task) {
  return prefix_of(home) + task;
}

bool remove_cgroups(const std::vector<std::string>& folders) {
  bool all = true;
  for (const auto& dir : folders) {
    int left = kTries;
    while (rmdir(dir.c_str()) < 0 && errno == EBUSY && --left > 0) nanosleep(&kPause, nullptr);
    all = all && left > 0;
  }
  return all;
}

// ---- what there is ----------------------------------------------------------------------------

const CgroupSupport& Cgroups::support() {
  if (std::exchange(asked_, true)) return support_;
  const auto mounts = cgroup_mounts();
  if (!try_v2(mounts)) try_v1(mounts);
  if (support_.version != 0)
    remember_parents();
  else if (support_.why.empty())
    support_.why = "no cgroups are mounted";
  return support_;
}

Status Cgroups::try_out(const std::string& parent) const {
  const std::string dir = join_path(parent, prefix_of(home_) + "probe");
  if (mkdir(dir.c_str(), 0755) < 0 && errno != EEXIST) return errno_error("mkdir " + dir, errno);
  if (rmdir(dir.c_str()) < 0) return errno_error("rmdir " + dir, errno);
  return {};
}

/// A cgroup of version 2 that gives controllers to its children has no processes itself, but for
/// the root: what is in it goes into a leaf beside those of the tasks.
Result<std::string> Cgroups::base_of_v2(const std::string& own) const {
  if (own.size() > kOwnLeaf.size() && own.substr(own.rfind('/') + 1) == kOwnLeaf)
    return parent_path(own);
  if (access((own + "/cgroup.type").c_str(), F_OK) != 0) return own;  // the root
  CODEXOS_TRY(try_out(own));
  CODEXOS_ASSIGN(const std::string text, read_file(own + "/cgroup.procs"));
  for (const auto& pid : split(text))
    if (!is_ours(static_cast<pid_t>(std::strtol(pid.c_str(), nullptr, 10))))
      return Error{Code::unavailable,
                   own + ": other programs run in the daemon's cgroup (process " + pid + ")",
                   {}};
  const std::string leaf = join_path(own, kOwnLeaf);
  if (mkdir(leaf.c_str(), 0755) < 0 && errno != EEXIST) return errno_error("mkdir " + leaf, errno);
  for (const auto& pid : split(text)) {
    const Status moved = write_cgroup(leaf + "/cgroup.procs", pid);
    if (!moved.ok() && access(("/proc/" + pid).c_str(), F_OK) == 0) return moved.error();
  }
  return own;
}

bool Cgroups::try_v2(const std::vector<CgroupMount>& mounts) {
  const auto mount = std::find_if(mounts.begin(), mounts.end(), [](const auto& m) { return m.v2; });
  if (mount == mounts.end()) return false;
  const std::string own = cgroup_folder(*mount, getpid());
  const auto given = read_file(own + "/cgroup.controllers");
  // With most machines of version 1 there is a second hierarchy that holds nothing.
  if (own.empty() || !given.ok() || !holds(split(*given), "memory")) return false;
  const auto base = base_of_v2(own);
  if (!base.ok()) {
    support_.why = base.error().message;
    return false;
  }
  for (const std::string_view c : kControllers)
    if (holds(split(*given), c))
      if (auto s = write_cgroup(*base + "/cgroup.subtree_control", "+" + std::string(c)); !s.ok())
        support_.why = s.error().message;
  const auto enabled = read_file(*base + "/cgroup.subtree_control");
  if (auto s = try_out(*base); !s.ok()) support_.why = s.error().message;
  if (!enabled.ok() || split(*enabled).empty()) return false;
  Parent p{*base, split(*enabled)};
  if (holds(p.controllers, "cpu")) p.controllers.emplace_back("cpuacct");  // cpu.stat counts
  p.controllers.emplace_back("freezer");
  support_ = {2, p.controllers, {}};
  parents_.push_back(std::move(p));
  return true;
}

void Cgroups::try_v1(const std::vector<CgroupMount>& mounts) {
  for (const std::string_view c : kControllers) {
    const auto mount = std::find_if(mounts.begin(), mounts.end(),
                                    [c](const auto& m) { return !m.v2 && m.has(c); });
    if (mount == mounts.end()) continue;
    const std::string own = cgroup_folder(*mount, getpid());
    if (own.empty()) continue;
    auto parent = std::find_if(parents_.begin(), parents_.end(),
                               [&own](const Parent& p) { return p.path == own; });
    if (parent == parents_.end()) {
      if (auto s = try_out(own); !s.ok()) {
        support_.why = s.error().message;
        continue;
      }
      parent = parents_.insert(parents_.end(), Parent{own, {}});
    }
    parent->controllers.emplace_back(c);
    support_.controllers.emplace_back(c);
    support_.version = 1;
  }
}

// ---- where earlier daemons made them ----------------------------------------------------------

/// Another daemon of this state folder may have been in another cgroup: home/cgroups has a line for
/// each folder that was ever used.
const std::vector<std::string>& Cgroups::known_parents() {
  if (std::exchange(read_, true)) return known_;
  const auto text = read_file(home_ + "/cgroups");
  for (auto& line : split(text.ok() ? *text : "", "\n"))
    if (line[0] == '/') known_.push_back(std::move(line));
  return known_;
}

void Cgroups::remember_parents() {
  known_parents();
  const auto fd = open_file(home_ + "/cgroups", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  for (const auto& p : parents_) {
    if (holds(known_, p.path)) continue;
    known_.push_back(p.path);
    if (fd.ok()) (void)write_all(fd->get(), p.path + "\n");
  }
}

std::vector<std::string> Cgroups::folders_of(const std::string& task) {
  std::vector<std::string> out;
  for (const auto& parent : known_parents())
    out.push_back(join_path(parent, task_cgroup_name(home_, task)));
  return out;
}

void Cgroups::thaw(const std::string& task) {
  for (const auto& dir : folders_of(task)) (void)write_cgroup(dir + "/freezer.state", "THAWED");
}

void Cgroups::sweep(const std::vector<std::string>& live) {
  const std::string prefix = prefix_of(home_);
  for (const auto& parent : known_parents()) {
    DIR* const dir = opendir(parent.c_str());
    if (dir == nullptr) continue;
    while (const dirent* e = readdir(dir)) {
      const std::string_view name = e->d_name;
      if (name.substr(0, prefix.size()) != prefix) continue;
      if (!holds(live, name.substr(prefix.size())))
        (void)rmdir(join_path(parent, name).c_str());  // one that is not empty is kept
    }
    closedir(dir);
  }
}

// ---- a task's ---------------------------------------------------------------------------------

std::string Cgroups::folder_for(std::string_view controller, const std::string& name) const {
  for (const auto& p : parents_)
    if (holds(p.controllers, controller)) return join_path(p.path, name);
  return {};
}

Status Cgroups::put_limits(const std::string& name, const TaskLimits& limits) const {
  for (const Setting& s : kSettings) {
    if (s.version != support_.version || !support_.has(s.controller)) continue;
    const std::string value = s.value(limits);
    if (value.empty()) continue;
    const std::string file = folder_for(s.controller, name) + "/" + s.file;
    if (s.optional && access(file.c_str(), F_OK) != 0) continue;
    CODEXOS_TRY(write_cgroup(file, value));
  }
  return {};
}

TaskCgroup Cgroups::open_files(const std::string& name) const {
  TaskCgroup out;
  out.version = support_.version;
  for (const auto& p : parents_)
    out.join.emplace_back(
        open((join_path(p.path, name) + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  for (const FileRow& row : kFiles) {
    if (row.version != support_.version || !support_.has(row.controller) || out.*(row.fd)) continue;
    const std::string file = folder_for(row.controller, name) + "/" + row.file;
    (out.*(row.fd)).reset(open(file.c_str(), row.flags | O_CLOEXEC));
  }
  return out;
}

Result<TaskCgroup> Cgroups::create(const std::string& task, const TaskLimits& limits) {
  const std::string name = task_cgroup_name(home_, task);
  const auto make = [&]() -> Status {
    if (support().version == 0) return Error{Code::unavailable, support_.why, {}};
    for (const auto& p : parents_)
      if (const std::string dir = join_path(p.path, name); mkdir(dir.c_str(), 0755) < 0)
        return errno_error("mkdir " + dir, errno);
    return put_limits(name, limits);
  };
  if (auto made = make(); !made.ok()) {
    remove_cgroups(folders_of(task));
    Error e = std::move(made).error().during("a cgroup for its limits");
    e.code = Code::unavailable;
    return e;
  }
  TaskCgroup out = open_files(name);
  for (const auto& fd : out.join)
    if (!fd) {
      remove_cgroups(folders_of(task));
      return Error{Code::unavailable, "a cgroup for its limits: it cannot be joined", {}};
    }
  return out;
}

}  // namespace codexos::daemon

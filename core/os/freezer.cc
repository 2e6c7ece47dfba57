// SPDX-License-Identifier: Apache-2.0
#include "core/os/freezer.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <set>

#include "core/base/clock.h"
#include "core/base/fd.h"
#include "core/base/split.h"
#include "core/os/cgroup.h"
#include "core/os/file.h"

namespace codexos {
namespace {

constexpr int kPasses = 200;
constexpr int64_t kFreezeUs = 3'000'000;  // a process that waits for a disk stops when it has it
constexpr timespec kLook = {0, 200'000};
constexpr size_t kMaxCgroupText = 8 << 20;

std::vector<pid_t> processes() {
  std::vector<pid_t> out;
  DIR* const dir = opendir("/proc");
  if (dir == nullptr) return out;
  while (const dirent* e = readdir(dir))
    if (e->d_name[0] >= '1' && e->d_name[0] <= '9') out.push_back(std::atoi(e->d_name));
  closedir(dir);
  return out;
}

Fd open_namespace(pid_t pid) {
  return Fd(open(("/proc/" + std::to_string(pid) + "/ns/pid").c_str(), O_RDONLY | O_CLOEXEC));
}
/// 0: it is gone, or not ours to ask.
ino_t inode_of(const Fd& ns) {
  struct stat st {};
  return ns && fstat(ns.get(), &st) == 0 ? st.st_ino : 0;
}

/// Whether `pid` lives in the namespace or in one that was made inside (ioctl_ns(2)).
bool lives_in(pid_t pid, ino_t wanted) {
  Fd ns = open_namespace(pid);
  for (int depth = 0; depth < 33 && ns; ++depth) {
    if (inode_of(ns) == wanted) return true;
    ns.reset(ioctl(ns.get(), NS_GET_PARENT));
  }
  return false;
}

/// Those that have the freezer, version 1 first.
std::vector<CgroupMount> places() {
  std::vector<CgroupMount> out = cgroup_mounts();
  out.erase(std::remove_if(out.begin(), out.end(),
                           [](const auto& m) { return !m.v2 && !m.has("freezer"); }),
            out.end());
  return out;
}

/// The task's own cgroup beside or below where its process 1 is; else there.
std::string home_of_rest(const std::string& home, const std::string& own) {
  for (const std::string& base : {home, home.substr(0, home.rfind('/'))}) {
    const std::string dir = base + "/" + own;
    if (!own.empty() && access(dir.c_str(), F_OK) == 0) return dir;
  }
  return home;
}

}  // namespace

Freezer::Freezer(Freezer&& o) noexcept
    : dir_(std::exchange(o.dir_, {})),
      home_(std::move(o.home_)),
      rest_(std::move(o.rest_)),
      init_(o.init_),
      v2_(o.v2_) {}

Freezer::~Freezer() {
  if (dir_.empty()) return;
  // Into a cgroup that stands still (the task is paused) they go standing still.
  const std::string state = dir_ + (v2_ ? "/cgroup.freeze" : "/freezer.state");
  if (rest_ == home_) (void)write_cgroup(state, v2_ ? "0" : "THAWED");
  for (int pass = 0; pass < kPasses; ++pass) {
    const auto text = read_file(dir_ + "/cgroup.procs", kMaxCgroupText);
    if (!text.ok() || text->empty()) break;
    const std::string init = std::to_string(init_);
    for (const auto& pid : split(*text))
      (void)write_cgroup((pid == init ? home_ : rest_) + "/cgroup.procs", pid);
  }
  // A process that just ended leaves a moment later.
  for (int pass = 0; pass < kPasses && rmdir(dir_.c_str()) < 0 && errno == EBUSY; ++pass)
    nanosleep(&kLook, nullptr);
}

Result<Freezer> Freezer::freeze(pid_t init, const std::string& name, const std::string& own) {
  Error why{Code::unavailable, "no cgroup freezer may be used here", {}};
  for (const auto& place : places()) {
    // Below the cgroup that the processes are in, so that its limits go on to hold.
    const std::string home = cgroup_folder(place, init);
    if (home.empty()) continue;
    const std::string dir = home + "/codexos-frozen-" + name;
    if (mkdir(dir.c_str(), 0755) < 0 && errno != EEXIST) {
      why.message =
          "no cgroup freezer may be used here: " + errno_error("mkdir " + dir, errno).message;
      continue;
    }
    Freezer f(dir, home, home_of_rest(home, own), init, place.v2);
    auto held = f.hold(init);
    if (held.ok()) return f;
    if (held.error().code == Code::timeout || held.error().code == Code::not_found)
      return std::move(held).error();
    why.message = "no cgroup freezer may be used here: " + held.error().message;
  }
  return why;
}

Status Freezer::hold(pid_t init) {
  const ino_t wanted = inode_of(open_namespace(init));
  if (wanted == 0)
    return Error{Code::not_found, "process " + std::to_string(init) + " is gone", {}};
  CODEXOS_TRY(
      write_cgroup(dir_ + (v2_ ? "/cgroup.freeze" : "/freezer.state"), v2_ ? "1" : "FROZEN"));
  std::set<pid_t> inside;
  for (int pass = 0; pass < kPasses; ++pass) {
    bool fresh = false;
    for (const pid_t pid : processes()) {
      if (inside.count(pid) != 0 || !lives_in(pid, wanted)) continue;
      const auto moved = write_cgroup(dir_ + "/cgroup.procs", std::to_string(pid));
      if (!moved.ok() && lives_in(pid, wanted))  // else it ended meanwhile
        return moved.error();
      inside.insert(pid);
      fresh = true;
    }
    if (!fresh) return wait_until_frozen();
  }
  return Error{Code::timeout, "processes begin faster than they can be frozen", {}};
}

Status Freezer::wait_until_frozen() const {
  const int64_t until = monotonic_us() + kFreezeUs;
  while (monotonic_us() < until) {
    CODEXOS_ASSIGN(const std::string state,
                   read_file(dir_ + (v2_ ? "/cgroup.events" : "/freezer.state"), kMaxCgroupText));
    if (v2_ ? state.find("frozen 1") != std::string::npos : state == "FROZEN\n") return {};
    nanosleep(&kLook, nullptr);
  }
  return Error{Code::timeout, "a process does not stand still", "try again, or stop the task"};
}

void Freezer::thaw_left(pid_t init, const std::string& name, const std::string& own) {
  const std::string leaf = "/codexos-frozen-" + name;
  for (const auto& place : places()) {
    const std::string dir = cgroup_folder(place, init);
    if (dir.size() < leaf.size() || dir.substr(dir.size() - leaf.size()) != leaf) continue;
    const std::string home = dir.substr(0, dir.size() - leaf.size());
    const Freezer left(dir, home, home_of_rest(home, own), init, place.v2);
  }
}

}  // namespace codexos

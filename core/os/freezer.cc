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
#include <sstream>

#include "core/base/clock.h"
#include "core/base/fd.h"
#include "core/os/file.h"

namespace codexos {
namespace {

constexpr int kPasses = 200;
constexpr int64_t kFreezeUs = 3'000'000;  // a process that waits for a disk stops when it has it
constexpr timespec kLook = {0, 200'000};
constexpr size_t kMaxText = 8 << 20;

Status put_text(const std::string& file, const std::string& text) {
  CODEXOS_ASSIGN(const Fd fd, open_file(file, O_WRONLY | O_CLOEXEC));
  if (write(fd.get(), text.data(), text.size()) < 0) return errno_error("write " + file, errno);
  return {};
}

/// The cgroup of `pid` in the hierarchy with the freezer; "0::PATH" is version 2.
std::string cgroup_of(pid_t pid, bool v2) {
  const auto text = read_file("/proc/" + std::to_string(pid) + "/cgroup", kMaxText);
  if (!text.ok()) return {};
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    if (v2 ? line.compare(0, 3, "0::") == 0 : controllers.find(",freezer,") != std::string::npos)
      return line.substr(second + 1);
  }
  return {};
}

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

}  // namespace

/// A mounted hierarchy that has the freezer.
struct Freezer::Place {
  std::string mount;
  bool v2;
};

/// From mountinfo (proc(5)): mount point in field 5, type and options behind " - ".
std::vector<Freezer::Place> Freezer::places() {
  std::vector<Place> out;
  const auto text = read_file("/proc/self/mountinfo", kMaxText);
  if (!text.ok()) return out;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream head(line), tail(line.substr(dash + 3));
    std::string skip, mount, type, source, options;
    head >> skip >> skip >> skip >> skip >> mount;
    tail >> type >> source >> options;
    if (type == "cgroup2") out.push_back(Place{mount, true});
    if (type == "cgroup" && ("," + options + ",").find(",freezer,") != std::string::npos)
      out.insert(out.begin(), Place{mount, false});
  }
  return out;
}

Freezer::Freezer(Freezer&& o) noexcept
    : dir_(std::exchange(o.dir_, {})), home_(std::move(o.home_)), v2_(o.v2_) {}

Freezer::~Freezer() {
  if (dir_.empty()) return;
  (void)put_text(dir_ + (v2_ ? "/cgroup.freeze" : "/freezer.state"), v2_ ? "0" : "THAWED");
  for (int pass = 0; pass < kPasses; ++pass) {
    const auto text = read_file(dir_ + "/cgroup.procs", kMaxText);
    if (!text.ok() || text->empty()) break;
    std::istringstream pids(*text);
    for (std::string pid; pids >> pid;) (void)put_text(home_ + "/cgroup.procs", pid);
  }
  // A process that just ended leaves a moment later.
  for (int pass = 0; pass < kPasses && rmdir(dir_.c_str()) < 0 && errno == EBUSY; ++pass)
    nanosleep(&kLook, nullptr);
}

Result<Freezer> Freezer::freeze(pid_t init, const std::string& name) {
  Error why{Code::unavailable, "no cgroup freezer may be used here", {}};
  for (const auto& place : places()) {
    // Below the cgroup that the processes are in, so that its limits go on to hold.
    const std::string home = place.mount + cgroup_of(init, place.v2);
    const std::string dir = home + (home.back() == '/' ? "" : "/") + "codexos-frozen-" + name;
    if (mkdir(dir.c_str(), 0755) < 0 && errno != EEXIST) {
      why.message =
          "no cgroup freezer may be used here: " + errno_error("mkdir " + dir, errno).message;
      continue;
    }
    Freezer f(dir, home, place.v2);
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
  CODEXOS_TRY(put_text(dir_ + (v2_ ? "/cgroup.freeze" : "/freezer.state"), v2_ ? "1" : "FROZEN"));
  std::set<pid_t> inside;
  for (int pass = 0; pass < kPasses; ++pass) {
    bool fresh = false;
    for (const pid_t pid : processes()) {
      if (inside.count(pid) != 0 || !lives_in(pid, wanted)) continue;
      const auto moved = put_text(dir_ + "/cgroup.procs", std::to_string(pid));
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
                   read_file(dir_ + (v2_ ? "/cgroup.events" : "/freezer.state"), kMaxText));
    if (v2_ ? state.find("frozen 1") != std::string::npos : state == "FROZEN\n") return {};
    nanosleep(&kLook, nullptr);
  }
  return Error{Code::timeout, "a process does not stand still", "try again, or stop the task"};
}

void Freezer::thaw_left(pid_t init, const std::string& name) {
  const std::string leaf = "/codexos-frozen-" + name;
  for (const auto& place : places()) {
    const std::string path = cgroup_of(init, place.v2);
    if (path.size() < leaf.size() || path.substr(path.size() - leaf.size()) != leaf) continue;
    const std::string dir = place.mount + path;
    const Freezer left(dir, dir.substr(0, dir.size() - leaf.size()), place.v2);
  }
}

}  // namespace codexos

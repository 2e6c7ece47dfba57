// SPDX-License-Identifier: Apache-2.0
#include "core/os/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "core/os/file.h"

namespace codexos {
namespace {

class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&a_); }
  ~FileActions() { posix_spawn_file_actions_destroy(&a_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  posix_spawn_file_actions_t* get() { return &a_; }

 private:
  posix_spawn_file_actions_t a_{};
};

class Attributes {
 public:
  Attributes() { posix_spawnattr_init(&a_); }
  ~Attributes() { posix_spawnattr_destroy(&a_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  posix_spawnattr_t* get() { return &a_; }

 private:
  posix_spawnattr_t a_{};
};

void set_attributes(Attributes& attributes, bool new_session) {
  sigset_t all;
  sigset_t none;
  sigfillset(&all);
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(attributes.get(), &all);
  posix_spawnattr_setsigmask(attributes.get(), &none);
  int flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
  if (new_session) flags |= POSIX_SPAWN_SETSID;
  posix_spawnattr_setflags(attributes.get(), static_cast<short>(flags));
}

/// The child's descriptors. Each of ours is first duplicated above all wanted numbers (`high`), so
/// that one dup2 in the child never overwrites the source of the next.
Status set_descriptors(const SpawnOptions& o, FileActions& actions, std::vector<Fd>& high) {
  int top = 2;
  for (const auto& [ours, theirs] : o.fds) top = std::max(top, theirs);
  std::vector<bool> given(static_cast<size_t>(top) + 1, false);
  for (const auto& [ours, theirs] : o.fds) {
    const int copy = fcntl(ours, F_DUPFD_CLOEXEC, top + 1);
    if (copy < 0) return errno_error("duplicate descriptor " + std::to_string(ours), errno);
    high.push_back(Fd(copy));
    posix_spawn_file_actions_adddup2(actions.get(), copy, theirs);
    given[static_cast<size_t>(theirs)] = true;
  }
  for (int n = 0; n <= top; ++n) {
    if (given[static_cast<size_t>(n)]) continue;
    if (n <= 2) {
      posix_spawn_file_actions_addopen(actions.get(), n, "/dev/null", O_RDWR, 0);
    } else {
      posix_spawn_file_actions_addclose(actions.get(), n);
    }
  }
  posix_spawn_file_actions_addclosefrom_np(actions.get(), top + 1);
  if (!o.cwd.empty()) posix_spawn_file_actions_addchdir_np(actions.get(), o.cwd.c_str());
  return {};
}

std::vector<char*> pointers_to(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (const std::string& s : strings) out.push_back(const_cast<char*>(s.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

Result<pid_t> spawn(const SpawnOptions& o) {
  FileActions actions;
  Attributes attributes;
  std::vector<Fd> high;
  CODEXOS_TRY(set_descriptors(o, actions, high));
  set_attributes(attributes, o.new_session);
  const std::vector<char*> argv = pointers_to(o.argv);
  const std::vector<char*> env = pointers_to(o.env);
  pid_t pid = -1;
  const int err =
      posix_spawn(&pid, o.path.c_str(), actions.get(), attributes.get(), argv.data(), env.data());
  if (err != 0) return errno_error("start " + o.path, err);
  return pid;
}

Result<Fd> open_pidfd(pid_t pid) {
  // Raw: <sys/pidfd.h> is not there in glibc 2.35. The kernel makes it CLOEXEC by itself.
  const long fd = syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) return errno_error("pidfd_open " + std::to_string(pid), errno);
  return Fd(static_cast<int>(fd));
}

uint64_t process_start_time(pid_t pid) {
  const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat", 64 * 1024);
  if (!stat.ok()) return 0;
  // The name, field 2, is in parentheses and may hold anything, spaces and parentheses too.
  size_t at = stat->rfind(')');
  if (at == std::string::npos) return 0;
  for (int field = 3; field <= 22; ++field) {
    at = stat->find(' ', at + 1);
    if (at == std::string::npos) return 0;
  }
  return std::strtoull(stat->c_str() + at + 1, nullptr, 10);
}

std::string boot_id() {
  auto text = read_file("/proc/sys/kernel/random/boot_id", 4096);
  if (!text.ok()) return {};
  while (!text->empty() && text->back() == '\n') text->pop_back();
  return *std::move(text);
}

}  // namespace codexos

// SPDX-License-Identifier: Apache-2.0
// What codexos-exec --landlock needs for one task without namespaces: the job, the paths that it
// may reach where they are, and the filters. Made by pure functions in the daemon
// (daemon/sandbox/landlock.h), carried out by daemon/exec/landlock_steps.cc.
//
// Without a mount namespace a path means what it means outside: Job::mounts and Job::overlays are
// empty, and everything that may be reached is a rule.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/fields.h"
#include "core/base/plan.h"

namespace codexos {

enum class RuleAccess : int {
  read,     // read files, list folders, execute
  devices,  // read, write and ioctl on what is there; nothing is made
  write,    // all, and its modes and times may be changed
};
constexpr auto enum_names(RuleAccess) {
  return std::array{EnumName{RuleAccess::read, "ro"}, EnumName{RuleAccess::devices, "device"},
                    EnumName{RuleAccess::write, "rw"}};
}

/// A file or folder, with all below it. Resolved on the host, links followed.
struct PathRule {
  MountRole role = MountRole::system;
  std::string path;
  RuleAccess access = RuleAccess::read;
  bool shim_only = false;  // the task's programs do not get it
  bool required = false;   // else left out where the task's user cannot reach it
  uint64_t dev = 0;        // expected st_dev and st_ino; ino 0: not checked
  uint64_t ino = 0;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("role", s.role);
    v("path", s.path);
    v("access", s.access);
    v("shim_only", s.shim_only);
    v("required", s.required);
    v("dev", s.dev);
    v("ino", s.ino);
  }
};

struct LandlockPlan {
  uint32_t uid = 0;  // who the task is; 0: who the daemon is, which then is not root
  uint32_t gid = 0;
  std::vector<PathRule> rules;
  std::string seccomp_allow;  // BPF, as in View
  std::string seccomp_deny;
  std::string seccomp_seal;
  std::string seccomp_alone;  // BPF: what only namespaces would make harmless
  std::string seccomp_guard;  // BPF, with a listener: modes and times, which Landlock leaves open
  Job job;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("uid", s.uid);
    v("gid", s.gid);
    v("rules", s.rules);
    v("seccomp_allow", s.seccomp_allow);
    v("seccomp_deny", s.seccomp_deny);
    v("seccomp_seal", s.seccomp_seal);
    v("seccomp_alone", s.seccomp_alone);
    v("seccomp_guard", s.seccomp_guard);
    v("job", s.job);
  }
};

}  // namespace codexos

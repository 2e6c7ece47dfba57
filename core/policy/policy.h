// SPDX-License-Identifier: Apache-2.0
// What a policy says, as people write it in YAML (policy_file.h) and as it is printed as JSON: one
// list of fields for both, and for the JSON Schema. A Policy may leave everything open; Rights
// (resolve.h) is what comes out of several, with every question answered.
//
// The keys are named as the options of `run`. Wider means that a task may do more:
//   show, allow, env     lists: each entry more is wider
//   hide, protect        lists: each entry more is narrower
//   net, seccomp         levels: none < allow < host, default < nested
//   limits               less is narrower, no limit is the widest; driver: cgroup is narrower
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/fields.h"
#include "core/wire/task.h"

namespace codexos::policy {

using Names = std::vector<std::string>;

struct Limits {
  std::optional<std::string> timeout;
  std::optional<std::string> idle_timeout;
  std::optional<std::string> memory;
  std::optional<Scalar> cpus;
  std::optional<std::string> cpu_time;
  std::optional<Scalar> pids;
  std::optional<std::string> disk;
  std::optional<Scalar> open_files;
  std::optional<std::string> log;
  std::optional<wire::LimitDriver> driver;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("timeout", s.timeout, "time limit with a unit: 90s, 30m, 1h30m; \"0\": none");
    v("idle_timeout", s.idle_timeout, "limit of time without output, with a unit; \"0\": none");
    v("memory", s.memory,
      "limit of memory of all its processes together, with swap and scratch space: 512MiB, 2GiB; "
      "none: no limit");
    v("cpus", s.cpus, "limit of processors: 0.5, 2; none: no limit");
    v("cpu_time", s.cpu_time, "limit of CPU time of all its processes together: 10m; none");
    v("pids", s.pids, "limit of processes and threads: 500; none: the default");
    v("disk", s.disk, "limit of held-back changes, scratch space and log together: 5GiB; none");
    v("open_files", s.open_files, "limit of open files of one process: 4096; none: the default");
    v("log", s.log, "what is kept of each output stream: 16MiB; none: the default");
    v("driver", s.driver,
      "who has to hold the limits: cgroup (a task is refused where there is none), or any");
  }
};

/// What one file, profile, environment or command line says; nothing: it does not say.
struct Policy {
  std::optional<Names> show;
  std::optional<Names> hide;
  std::optional<wire::Network> net;
  std::optional<Names> allow;
  std::optional<wire::Isolation> isolation;
  std::optional<wire::SeccompProfile> seccomp;
  Limits limits;
  std::optional<Names> env;
  std::optional<Names> secrets;
  std::optional<Names> protect;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("show", s.show, "further paths to show, SRC[:DST][:ro|rw]; in a ceiling: what may be shown");
    v("hide", s.hide,
      "paths that a task finds empty: relative to the workspace, absolute, or ~/...; the last "
      "component may end in *");
    v("net", s.net, "network: none, allow (what is allowed by name) or host");
    v("allow", s.allow, "hosts that may be reached: HOST[:PORT], *.HOST, CIDR, @GROUP");
    v("isolation", s.isolation, "least isolation that is accepted");
    v("seccomp", s.seccomp, "syscall filter profile");
    v("limits", s.limits, "limits of a task");
    v("env", s.env, "variables of the caller that are passed on: NAME or PREFIX*");
    v("secrets", s.secrets, "names of secrets (not available in this version)");
    v("protect", s.protect, "names that apply takes for protected, beside its own table");
  }
};

/// A question to a policy and what its author expects as the answer (`codexos policy test`).
enum class Answer : int { yes, no };
constexpr auto enum_names(Answer) {
  return std::array{EnumName{Answer::yes, "yes"}, EnumName{Answer::no, "no"}};
}
struct Case {
  std::optional<std::string> reach;
  std::optional<std::string> read;
  std::optional<std::string> write;
  std::optional<std::string> env;
  std::optional<std::string> apply;
  Answer expect = Answer::yes;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("reach", s.reach, "may a task reach this HOST:PORT?");
    v("read", s.read, "does a task find this path of the host?");
    v("write", s.write, "may a task write to this path of the host?");
    v("env", s.env, "is this variable of the caller passed on?");
    v("apply", s.apply, "is a change of this path applied without consent?");
    v("expect", s.expect, "what the answer has to be: \"yes\" or \"no\"");
  }
};

/// A whole file: its own settings, named variants of them, and what nothing below may exceed.
struct PolicyFile {
  std::optional<int32_t> version;
  Policy settings;
  std::map<std::string, Policy> profiles;
  std::optional<Policy> ceiling;
  std::vector<Case> tests;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("version", s.version, "version of this format: 1");
    Policy::fields(s.settings, v);
    v("profiles", s.profiles, "named policies: --profile NAME lays one over the settings");
    v("ceiling", s.ceiling, "what no setting of lower rank may exceed");
    v("tests", s.tests, "questions with the answers that are expected: codexos policy test");
  }
};

}  // namespace codexos::policy

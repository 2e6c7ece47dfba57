// SPDX-License-Identifier: Apache-2.0
// From what files, environment and options say to what one task may do. Pure.
//
// Rank, the higher wins: option, CODEXOS_* variable, the project's .codexos.yaml, the user's
// config.yaml, /etc's. Single values of a higher rank replace those below; lists grow, and
// `net: none` takes back what was allowed below it. A profile lies over the settings of its file.
//
// Nothing goes beyond a ceiling: that of /etc binds everything, the user's own binds the project.
// What a file wants beyond one is left out and told; an option or variable is refused, since what
// was asked for by name must not be something else in silence. A policy that was given with
// --policy takes the place of user's and project's settings, and is a ceiling for the options.
//
// A project that is not trusted can only narrow what there would be without it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/policy/policy.h"

namespace codexos::policy {

/// What a task may do. Default: what it may do when nobody says anything.
struct Rights {
  Names show;
  Names hide;  // absolute; the last component may end in '*'
  wire::Network net = wire::Network::none;
  Names allow;  // counts with net allow only
  wire::Isolation isolation = wire::Isolation::full;
  wire::SeccompProfile seccomp = wire::SeccompProfile::default_;
  TaskLimits limits;
  wire::LimitDriver limit_driver = wire::LimitDriver::any;
  Names env;
  Names protect;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("show", s.show, "further paths that are shown");
    v("hide", s.hide, "paths that are covered");
    v("net", s.net, "network");
    v("allow", s.allow, "what may be reached, with net allow");
    v("isolation", s.isolation, "least isolation that is accepted");
    v("seccomp", s.seccomp, "syscall filter profile");
    TaskLimits::fields(s.limits, v);
    v("limit_driver", s.limit_driver, "who has to hold the limits");
    v("env", s.env, "variables of the caller that are passed on");
    v("protect", s.protect, "names that apply protects, beside its own");
  }
};

/// Every right of `a` is one of `b`.
bool within(const Rights& a, const Rights& b);

/// One piece of what was said, and by whom: an option ("--net host"), a variable, a file.
struct Said {
  std::string from;
  Policy policy;
};

struct FileInput {
  const PolicyFile* file = nullptr;  // null: there is none
  std::string name;                  // as messages have it
};

struct Inputs {
  FileInput system, user, project, given;
  bool trusted = false;       // the project
  std::string profile;        // of files; empty or "default": none
  std::vector<Said> options;  // by rank, the lowest first
  Names set;                  // variables that options set: only a ceiling that names some counts
  std::string home;           // of the caller: what ~ means
  std::string workspace;      // what a relative `hide` means; empty: there is none
};

struct Source {
  std::string key, value, from;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("key", s.key, "what it is about");
    v("value", s.value, "what holds");
    v("from", s.from, "who said so");
  }
};

struct Resolved {
  Rights rights;
  std::vector<Source> sources;         // of everything that is not the default
  std::vector<std::string> notes;      // what was left out, and why
  std::vector<std::string> widenings;  // what an untrusted project would have widened
};

/// Errors: denied (an option goes beyond a ceiling), not_found (no file has the profile).
Result<Resolved> resolve(const Inputs& in);

/// Whether somebody who may says that tasks may have the host's network: in the settings, the
/// profile or the ceiling of a file. An option alone does not give it, since it shares the host's
/// loopback and abstract sockets.
bool admits_host(const Inputs& in);

/// What a policy says, as "key: value"; empty: nothing.
Names said(const Policy& p);
/// What `said` wants beyond `cap`, as "key: value"; empty: nothing.
Names excess(const Policy& said, const Policy& cap);
/// `said` without that.
Policy clip(Policy said, const Policy& cap);
/// The ceiling that allows exactly this.
Policy cap_of(const Rights& r);
/// `r` with no more than `cap` allows.
Rights meet(const Rights& r, const Policy& cap);

}  // namespace codexos::policy

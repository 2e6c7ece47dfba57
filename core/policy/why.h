// SPDX-License-Identifier: Apache-2.0
// Why a task could not do something, put together from what was recorded of it, with the one option
// or policy line that would allow it. Pure: what only the host knows (a path that is there and not
// inside) comes as findings.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/fields.h"
#include "core/policy/policy.h"
#include "core/policy/resolve.h"
#include "core/wire/event.h"
#include "core/wire/task.h"

namespace codexos::policy {

struct Reason {
  std::string what;    // network, dns, path, hidden, program, limit, ceiling, trust, ...
  std::string target;  // "example.org:443", "~/.ssh/id", "timeout"
  uint64_t times = 1;
  std::string text;    // a sentence without a full stop
  std::string rule;    // who refused: a rule, a file, an option; empty: nobody allowed it
  std::string option;  // of `run`, what would allow it; empty: nothing would
  std::string policy;  // the same as a line of a policy file
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("what", s.what, "what kind of thing was refused");
    v("target", s.target, "what it was about");
    v("times", s.times, "how often");
    v("text", s.text, "in words");
    v("rule", s.rule, "who refused it; empty: nobody allows it");
    v("option", s.option, "the option of run that would allow it; empty: none would");
    v("policy", s.policy, "the line of a policy file that would allow it");
  }
};

/// GET /v1/tasks/{id}/why
struct Why {
  std::string task;
  std::vector<Reason> reasons;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("task", s.task, "task id");
    v("reasons", s.reasons, "the most frequent kind of each thing first");
  }
};

/// A path that the command line of a task names, that is there on the host and not inside.
struct MissingPath {
  std::string path;
  bool is_program = false;  // argv[0]
  bool hidden = false;      // by a policy; else it is only not shown
};

/// What is known of a task beside its events.
struct Known {
  wire::Task task;
  Rights rights;
  std::vector<Source> sources;
  std::vector<std::string> left_out;   // notes of Resolved
  std::vector<std::string> widenings;  // of a project that is not trusted
  std::vector<MissingPath> missing;
};

/// Adds one event; those of other types than `denied` tell nothing.
void add_denial(const wire::Event& e, std::vector<Reason>& out);
/// Everything, the refusals first.
Why explain(const Known& known, std::vector<Reason> denials);

/// Up to `most` lines for the end of a failed run; empty: nothing was refused.
std::string closing_lines(const Why& why, size_t most);

/// The smallest policy that gives the task what it had and what it was refused.
std::vector<Source> suggest(const Known& known, const Why& why);

}  // namespace codexos::policy

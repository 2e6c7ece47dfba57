// SPDX-License-Identifier: Apache-2.0
// What `codexos doctor` prints and GET /v1/doctor answers: checks of the machine.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/fields.h"

namespace codexos::wire {

enum class Verdict {
  ok,
  warning,         // tasks run, with something less, which `cause` says
  problem,         // tasks do not run, or are at risk
  not_applicable,  // there is nothing to check here, or it cannot be
};
constexpr auto enum_names(Verdict) {
  return std::array{EnumName{Verdict::ok, "ok"}, EnumName{Verdict::warning, "warning"},
                    EnumName{Verdict::problem, "problem"},
                    EnumName{Verdict::not_applicable, "not applicable"}};
}

struct DoctorCheck {
  std::string name;
  std::string about;
  Verdict verdict = Verdict::ok;
  std::string found;
  std::string cause;
  std::vector<std::string> fix;
  bool fixable = false;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("name", s.name, "stable name of the check");
    v("about", s.about, "what it is for");
    v("verdict", s.verdict, "ok, warning, problem, or not applicable");
    v("found", s.found, "what was found");
    v("cause", s.cause, "why that is not ok, and what it means for tasks");
    v("fix", s.fix, "the commands that fix it, one after the other");
    v("fixable", s.fixable, "whether doctor --fix does it");
  }
};

struct DoctorReport {  // GET /v1/doctor
  std::vector<DoctorCheck> checks;
  uint64_t problems = 0;
  uint64_t warnings = 0;
  std::vector<std::string> fixed;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("checks", s.checks, "one by one");
    v("problems", s.problems, "how many found a problem");
    v("warnings", s.warnings, "how many found something to know");
    v("fixed", s.fixed, "what doctor --fix did, before these checks");
  }

  void add(DoctorCheck c) {
    problems += c.verdict == Verdict::problem ? 1 : 0;
    warnings += c.verdict == Verdict::warning ? 1 : 0;
    checks.push_back(std::move(c));
  }
  const DoctorCheck* find(std::string_view name) const {
    const auto at = std::find_if(checks.begin(), checks.end(),
                                 [name](const DoctorCheck& c) { return c.name == name; });
    return at == checks.end() ? nullptr : &*at;
  }
};

/// What a check makes of facts, without its name.
struct Finding {
  Verdict verdict = Verdict::ok;
  std::string found;
  std::string cause;
  std::vector<std::string> fix;
  bool fixable = false;
};
inline Finding is_ok(std::string found) { return {Verdict::ok, std::move(found), {}, {}, false}; }
inline Finding not_applicable(std::string found) {
  return {Verdict::not_applicable, std::move(found), {}, {}, false};
}
inline Finding warn_of(std::string found, std::string cause, std::vector<std::string> fix) {
  return {Verdict::warning, std::move(found), std::move(cause), std::move(fix), false};
}
inline Finding problem_of(std::string found, std::string cause, std::vector<std::string> fix) {
  return {Verdict::problem, std::move(found), std::move(cause), std::move(fix), false};
}
inline DoctorCheck check_of(std::string_view name, std::string_view about, Finding f) {
  return {std::string(name),  std::string(about), f.verdict, std::move(f.found),
          std::move(f.cause), std::move(f.fix),   f.fixable};
}

}  // namespace codexos::wire

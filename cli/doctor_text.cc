// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "cli/escape.h"

namespace codexos::cli {
namespace {

struct VerdictText {
  wire::Verdict verdict;
  std::string_view word;
  std::string_view sgr;
};
constexpr std::array kVerdicts{VerdictText{wire::Verdict::ok, "ok", "32"},
                               VerdictText{wire::Verdict::warning, "warning", "33"},
                               VerdictText{wire::Verdict::problem, "problem", "31"},
                               VerdictText{wire::Verdict::not_applicable, "-", "2"}};

std::string verdict_cell(wire::Verdict v, bool color) {
  constexpr size_t kWidth = 9;
  for (const VerdictText& t : kVerdicts) {
    if (t.verdict != v) continue;
    const std::string word =
        color ? fmt::format("\x1b[{}m{}\x1b[0m", t.sgr, t.word) : std::string(t.word);
    return word + std::string(kWidth - t.word.size(), ' ');
  }
  return {};
}

std::string count_text(uint64_t n, std::string_view what) {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

}  // namespace

std::string doctor_text(const wire::DoctorReport& r, bool color) {
  size_t width = 0;
  for (const auto& c : r.checks) width = std::max(width, c.name.size());
  std::string out;
  for (const auto& c : r.checks) {
    out += fmt::format("{}{:<{}}  {}\n", verdict_cell(c.verdict, color), printable(c.name), width,
                       printable(c.found));
    if (!c.cause.empty()) out += fmt::format("         why: {}\n", printable(c.cause));
    std::string_view label = "fix: ";
    for (const std::string& line : c.fix) {
      out += fmt::format("         {}{}\n", label, printable(line));
      label = "     ";
    }
  }
  return out + fmt::format("{}: {}, {}\n", count_text(r.checks.size(), "check"),
                           count_text(r.problems, "problem"), count_text(r.warnings, "warning"));
}

}  // namespace codexos::cli

// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/plan_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "cli/escape.h"
#include "cli/render.h"
#include "cli/values.h"

namespace codexos::cli {
namespace {

std::string row(std::string_view name, std::string_view value) {
  return fmt::format("{:<12}{}\n", name, printable(value));
}

// Roles whose rows are the same for every task on this machine.
constexpr std::array<std::string_view, 6> kAlike{"system", "etc",     "dev",
                                                 "proc",   "scratch", "cache"};

bool is_alike(const wire::PlanMount& m) {
  return std::find(kAlike.begin(), kAlike.end(), m.role) != kAlike.end();
}

/// "/usr /bin /opt and 3 more (system)"
std::string alike_line(const wire::PlanView& p, std::string_view role) {
  constexpr size_t kShown = 6;
  std::string out;
  size_t n = 0;
  for (const wire::PlanMount& m : p.mounts)
    if (m.role == role && n++ < kShown) out += m.target + " ";
  if (n > kShown) out += fmt::format("and {} more ", n - kShown);
  return n == 0 ? out : fmt::format("  {}({})\n", printable(out), role);
}

std::string finds(const wire::PlanView& p, bool all) {
  Table mounts({"  PATH", "FROM", "ACCESS", "FOR"});
  for (const wire::PlanMount& m : p.mounts)
    if (all || !is_alike(m))
      mounts.add({"  " + m.target, m.source.empty() ? m.kind : m.source, m.access, m.role});
  std::string out = mounts.text(0, false);
  if (all) return out;
  out += "also, as every task here (-v shows each):\n";
  for (const std::string_view role : kAlike) out += alike_line(p, role);
  return out;
}

}  // namespace

std::string plan_text(const wire::PlanView& p, bool all) {
  std::string out = row("command", quote_words(p.argv));
  out += row("in", p.cwd);
  out += row("workspace",
             p.workspace.empty() ? "none" : fmt::format("{} ({})", p.workspace, name_of(p.mode)));
  out += row("isolation", p.isolation);
  out += row("seccomp", p.seccomp);
  out += row("network", p.network);
  for (const auto& rule : p.allow) out += row("  may reach", rule);
  out += row("user id", std::to_string(p.inside_uid));
  out += row("limits", p.limits.empty() ? "none" : "");
  for (const auto& l : p.limits) out += row("  " + l.name, limit_line(l));
  out += "\nfinds:\n" + finds(p, all);
  out += "\nenvironment:\n";
  for (const std::string& e : p.env) out += fmt::format("  {}\n", printable(e));
  if (!p.hidden.empty()) out += "\nnot shown:\n";
  for (const std::string& h : p.hidden) out += fmt::format("  {}\n", printable(h));
  for (const std::string& n : p.notes) out += fmt::format("\nnote: {}\n", printable(n));
  return out;
}

}  // namespace codexos::cli

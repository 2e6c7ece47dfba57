// SPDX-License-Identifier: Apache-2.0
#include "core/policy/why.h"

#include <algorithm>
#include <array>

#include "core/base/quote.h"
#include "core/policy/limit_keys.h"
#include "core/policy/net_rules.h"
#include "core/policy/policy_text.h"

namespace codexos::policy {
namespace {

constexpr size_t kMaxReasons = 1000;  // of a task that dials a million names

/// A task chooses the names it asks for; what is told of them goes to a terminal.
std::string clean(std::string s) {
  for (char& c : s)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return s;
}

std::string target_of(const wire::Event& e) {
  const std::string name = e.target.value_or("");
  if (!e.port || *e.port == 0) return name;
  const bool v6 = name.find(':') != std::string::npos;
  return (v6 ? "[" + name + "]" : name) + ":" + std::to_string(*e.port);
}

constexpr std::string_view kNested = "--seccomp nested";

std::string plural(uint64_t n) { return n == 1 ? "" : " (" + std::to_string(n) + " times)"; }

std::string path_text(const std::string& path, bool hidden) {
  return path + (hidden ? " is hidden from the task" : " is there, but not shown to the task");
}

std::string list_line(const std::string& key, const std::string& entry) {
  return key + ": [" + yaml_scalar(entry) + "]";
}

std::string who_said(const Known& k, std::string_view key) {
  for (const Source& s : k.sources)
    if (s.key == key) return s.from;
  return {};
}

/// How a limit that ends a task is told. Two limits can have one cause: the shim's detail names the
/// option.
struct EndRow {
  Cause cause;
  uint64_t TaskLimits::*amount;
  const char* text;
  bool named = true;  // the detail names the option
};
constexpr std::array kEnds{
    EndRow{Cause::time_limit, &TaskLimits::cpu_time_ms, "it used its limit of CPU time"},
    EndRow{Cause::time_limit, &TaskLimits::timeout_ms, "it ran longer than its time limit", false},
    EndRow{Cause::idle_limit, &TaskLimits::idle_timeout_ms,
           "it wrote nothing for longer than its limit allows", false},
    EndRow{Cause::oom, &TaskLimits::memory_bytes, "it used more memory than its limit"},
    EndRow{Cause::disk, &TaskLimits::disk_bytes, "it wrote more than its limit"},
};

void add_limits(const Known& k, std::vector<Reason>& out) {
  for (const EndRow& end : kEnds) {
    const LimitRow& row = limit_row(end.amount);
    const uint64_t had = k.rights.limits.*(end.amount);
    if (cause_row(end.cause).name != k.task.cause || had == 0) continue;
    const std::string option = limit_option(row);
    if (end.named && k.task.detail.find(option) == std::string::npos) continue;
    const std::string more = limit_text(row, had * 2);
    Reason r;
    r.what = "limit";
    r.target = row.key;
    r.text = std::string(end.text) + " of " + limit_text(row, had);
    r.rule = who_said(k, row.key);
    r.option = option + " " + more;
    r.policy = "limits: {" + std::string(row.key) + ": " + yaml_scalar(more) + "}";
    out.push_back(std::move(r));
    return;
  }
}

void add_missing(const Known& k, std::vector<Reason>& out) {
  for (const MissingPath& m : k.missing) {
    const bool known = std::any_of(out.begin(), out.end(), [&m](const Reason& r) {
      return r.target == m.path && (r.what == "path" || r.what == "hidden");
    });
    if (known) continue;  // learnt
    Reason r;
    r.what = m.hidden ? "hidden" : m.is_program ? "program" : "path";
    r.target = m.path;
    r.text = path_text(m.path, m.hidden);
    if (m.hidden) {
      for (const Source& s : k.sources)
        if (s.key == "hide" && r.rule.empty()) r.rule = s.from;
    }
    r.option = "--show " + quote_shell(m.path);
    r.policy = list_line("show", m.path);
    out.push_back(std::move(r));
  }
}

void add_left_out(const Known& k, std::vector<Reason>& out) {
  for (const auto& note : k.left_out) {
    Reason r;
    r.what = "ceiling";
    r.text = note;
    out.push_back(std::move(r));
  }
  for (const auto& w : k.widenings) {
    Reason r;
    r.what = "trust";
    r.target = w;
    r.text = ".codexos.yaml is not trusted, so without " + w;
    r.rule = ".codexos.yaml";
    r.policy = "codexos trust";
    out.push_back(std::move(r));
  }
}

}  // namespace

void add_denial(const wire::Event& e, std::vector<Reason>& out) {
  if (e.type != wire::EventType::denied) return;
  const std::string what = e.what.value_or("");
  const std::string target = clean(target_of(e));
  for (Reason& r : out)
    if (r.what == what && r.target == target) {
      ++r.times;
      return;
    }
  if (out.size() >= kMaxReasons) return;
  Reason r;
  r.what = what;
  r.target = target;
  const bool is_path = what == "path" || what == "hidden";
  r.text = is_path ? path_text(target, what == "hidden") : target + " was refused";
  if (e.detail && !e.detail->empty()) r.text += ": " + clean(*e.detail);
  r.rule = clean(e.rule.value_or(""));
  r.option = clean(e.hint.value_or(""));
  constexpr std::string_view kAllow = "--allow ";
  if (r.option.substr(0, kAllow.size()) == kAllow)
    r.policy = list_line("allow", r.option.substr(kAllow.size()));
  if (is_path) r.policy = list_line("show", target);
  if (r.option == kNested) r.policy = "seccomp: nested";
  out.push_back(std::move(r));
}

Why explain(const Known& known, std::vector<Reason> denials) {
  Why out;
  out.task = known.task.id;
  std::stable_sort(denials.begin(), denials.end(),
                   [](const Reason& a, const Reason& b) { return a.times > b.times; });
  out.reasons = std::move(denials);
  add_missing(known, out.reasons);
  add_limits(known, out.reasons);
  add_left_out(known, out.reasons);
  return out;
}

std::string closing_lines(const Why& why, size_t most) {
  std::string out;
  size_t told = 0;
  size_t more = 0;
  for (const Reason& r : why.reasons) {
    // What stderr has said at the start, or says anyway, is not said again.
    if (r.what == "ceiling" || r.what == "trust" || r.what == "limit") continue;
    if (told == most) {
      ++more;
      continue;
    }
    ++told;
    out += (out.empty() ? "" : "\n") + r.text + plural(r.times);
    if (!r.option.empty()) out += " · " + r.option;
  }
  if (more > 0) out += "\nand " + std::to_string(more) + " more · codexos why";
  return out;
}

std::vector<Source> suggest(const Known& known, const Why& why) {
  Inputs in;
  in.options = {{"", cap_of(known.rights)}};
  const auto add = [&in](Policy p) { in.options.push_back({"", std::move(p)}); };
  for (const Reason& r : why.reasons) {
    Policy p;
    constexpr std::string_view kAllow = "--allow ";
    constexpr std::string_view kShow = "--show ";
    if (r.option.substr(0, kAllow.size()) == kAllow) {
      p.allow = Names{r.option.substr(kAllow.size())};
      if (!parse_net_rules(*p.allow).ok()) continue;
    } else if (r.option.substr(0, kShow.size()) == kShow) {
      p.show = Names{r.target};
    } else if (r.option == kNested) {
      p.seccomp = wire::SeccompProfile::nested;
    } else if (r.what == "limit") {
      const std::string text = r.option.substr(r.option.find(' ') + 1);
      for (const LimitKey& key : kLimitKeys)
        if (key.row->key == r.target) key.say(p.limits, text);
    }
    add(std::move(p));
  }
  const auto resolved = resolve(in);
  if (!resolved.ok()) return {};  // no ceiling, no profile: nothing can refuse
  const Names defaults = said(cap_of(Rights{}));
  std::vector<Source> out;
  for (const Source& s : resolved->sources)
    if (std::find(defaults.begin(), defaults.end(), s.key + ": " + s.value) == defaults.end())
      out.push_back(s);
  return out;
}

}  // namespace codexos::policy

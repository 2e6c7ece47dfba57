// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/policy_answers.h"

#include <algorithm>
#include <array>

#include "core/base/path.h"
#include "core/policy/check.h"
#include "core/policy/net_rules.h"
#include "daemon/sandbox/sandbox.h"
#include "daemon/workspace/gate_names.h"

namespace codexos::daemon {
namespace {

using policy::Answer;

struct AnswerSaid {
  Answer answer = Answer::no;
  std::string why;
};

AnswerSaid yes(std::string why) { return {Answer::yes, std::move(why)}; }
AnswerSaid no(std::string why) { return {Answer::no, std::move(why)}; }

std::string absolute(const std::string& path, const Asked& a) {
  if (path == "~") return a.home;
  if (path.substr(0, 2) == "~/") return normal_path(join_path(a.home, path.substr(2)));
  if (path[0] == '/') return normal_path(path);
  return normal_path(join_path(a.workspace, path));
}

AnswerSaid reach(const std::string& target, const Asked& a) {
  if (a.rights.net == wire::Network::host) return yes("net: host");
  if (a.rights.net == wire::Network::none) return no("net: none");
  const auto wanted = parse_net_rule(target);
  if (!wanted.ok()) return no(wanted.error().message);
  for (const auto& text : a.rights.allow) {
    const auto rules = parse_net_rule(text);
    if (rules.ok() && std::all_of(wanted->begin(), wanted->end(),
                                  [&rules](const NetRule& w) { return covers(*rules, w); }))
      return yes("allow: " + text);
  }
  return no("no rule admits all of it");
}

struct SightRow {
  Sight sight;
  bool read, write;
  const char* why;
};
constexpr std::array kSights{
    SightRow{Sight::absent, false, false, "it is not there"},
    SightRow{Sight::not_shown, false, false, "it is not shown"},
    SightRow{Sight::hidden, false, false, "it is hidden"},
    SightRow{Sight::read_only, true, false, "it is shown read-only"},
    SightRow{Sight::writable, true, true, "it is shown"},
};

AnswerSaid see(const std::string& path, bool write, const Asked& a) {
  const Sight sight = a.inside.sight(absolute(path, a));
  for (const SightRow& row : kSights)
    if (row.sight == sight)
      return {(write ? row.write : row.read) ? Answer::yes : Answer::no, row.why};
  return {};
}

AnswerSaid passes(const std::string& name, const Asked& a) {
  for (const auto& pattern : a.rights.env)
    if (policy::fits(pattern, name)) return yes("env: " + pattern);
  return is_passed_on(name) ? yes("every task has it") : no("no entry of env names it");
}

AnswerSaid applies(const std::string& path, const Asked& a) {
  const ProtectedNames names(a.rights.protect);
  ProtectedNames::Steps steps;
  std::string_view rest = path;
  while (!rest.empty()) {
    const size_t slash = std::min(rest.find('/'), rest.size());
    const auto component = rest.substr(0, slash);
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    if (component.empty() || component == ".") continue;
    for (const auto& name : normal_names(component)) {
      if (is_dot_git(name)) return no("git's own files are looked at one by one");
      if (const char* why = names.next(name, steps)) return no(why);
    }
  }
  return yes("it is not protected");
}

}  // namespace

policy::Answered answer_case(const policy::Case& c, const Asked& a) {
  policy::Answered out;
  out.expect = c.expect;
  AnswerSaid said;
  const auto ask = [&](const char* question, const std::optional<std::string>& about, auto answer) {
    if (!about) return;
    out.question = question;
    out.about = *about;
    said = about->empty() ? no("nothing is asked") : answer(*about);
  };
  ask("reach", c.reach, [&a](const std::string& x) { return reach(x, a); });
  ask("read", c.read, [&a](const std::string& x) { return see(x, false, a); });
  ask("write", c.write, [&a](const std::string& x) { return see(x, true, a); });
  ask("env", c.env, [&a](const std::string& x) { return passes(x, a); });
  ask("apply", c.apply, [&a](const std::string& x) { return applies(x, a); });
  out.answer = said.answer;
  out.why = std::move(said.why);
  return out;
}

}  // namespace codexos::daemon

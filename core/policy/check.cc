// SPDX-License-Identifier: Apache-2.0
#include "core/policy/check.h"

#include <algorithm>
#include <array>

#include "core/policy/limit_keys.h"
#include "core/policy/net_rules.h"

namespace codexos::policy {
namespace {

constexpr size_t kMaxEntries = 1000;
constexpr size_t kMaxEntry = 4096;
constexpr size_t kMaxName = 64;

struct Reserved {
  std::string_view name;
  const char* why;
};
// A policy cannot pass these on: a task has its own.
constexpr std::array kReserved{
    Reserved{"PATH", "a task's PATH is the caller's, reduced to what exists inside"},
    Reserved{"HOME", "a task has a home of its own"},
    Reserved{"PWD", "it is where the task starts"},
    Reserved{"USER", "it is who the task is"},
    Reserved{"LOGNAME", "it is who the task is"},
    Reserved{"CODEXOS_TASK", "it is the task's id"},
};

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool has_control(std::string_view s) {
  return std::any_of(s.begin(), s.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool has_dots(std::string_view path) {
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    if (path.substr(0, slash) == "..") return true;
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return false;
}

/// Collects findings below one path.
class Checker {
 public:
  Checker(std::string path, Rank rank) : base_(std::move(path)), rank_(rank) {}
  std::vector<Finding> take() { return std::move(found_); }

  void policy(const Policy& p) {
    each("show", p.show, [this](const std::string& at, const std::string& x) { show(at, x); });
    each("hide", p.hide, [this](const std::string& at, const std::string& x) { hide(at, x); });
    each("allow", p.allow, [this](const std::string& at, const std::string& x) {
      if (auto r = parse_net_rule(x); !r.ok())
        say(at, x + ": " + r.error().message, r.error().hint);
    });
    if (p.allow && !p.allow->empty() && p.net == wire::Network::none)
      say("allow", "nothing can be allowed with net: none", "net: allow");
    for (const LimitKey& key : kLimitKeys) limit(key, p.limits);
    each("env", p.env, [this](const std::string& at, const std::string& x) { variable(at, x); });
    if (p.secrets && !p.secrets->empty())
      say("secrets", "secrets: not available in this version", {});
    each("protect", p.protect,
         [this](const std::string& at, const std::string& x) { protect(at, x); });
  }

 private:
  void say(const std::string& at, std::string message, std::string hint = {}) {
    found_.push_back(
        Finding{base_.empty() ? at : base_ + "." + at, std::move(message), std::move(hint)});
  }

  template <class F>
  void each(const std::string& name, const std::optional<Names>& list, F check_one) {
    if (!list) return;
    if (list->size() > kMaxEntries)
      return say(name, "more than " + std::to_string(kMaxEntries) + " entries");
    for (size_t i = 0; i < list->size(); ++i) {
      const std::string at = name + "[" + std::to_string(i) + "]";
      const std::string& x = (*list)[i];
      if (x.empty()) {
        say(at, "is empty");
      } else if (x.size() > kMaxEntry || has_control(x)) {
        say(at, "is too long, or holds control characters");
      } else {
        check_one(at, x);
      }
    }
  }

  void limit(const LimitKey& key, const Limits& limits) {
    const std::string* const text = key.said(limits);
    if (text == nullptr) return;
    if (auto r = parse_limit(*key.row, *text); !r.ok())
      say("limits." + std::string(key.row->key), r.error().message, r.error().hint);
  }

  void show(const std::string& at, const std::string& x) {
    const bool absolute = x[0] == '/' || x == "~" || x.substr(0, 2) == "~/";
    if (!absolute && rank_ != Rank::project && rank_ != Rank::given)
      say(at, x + ": is not absolute, and this file belongs to no folder", "begin it with / or ~/");
    if (std::count(x.begin(), x.end(), ':') > 2) say(at, x + ": expected SRC[:DST][:ro|rw]");
  }

  void hide(const std::string& at, const std::string& x) {
    if (has_dots(x)) return say(at, x + ": .. leads out of the workspace", "an absolute path");
    if (x == "." || x == "/" || x == "~" || x == "./" || x == "~/")
      return say(at, x + ": all of it cannot be hidden");
    const size_t star = x.find('*');
    const size_t slash = x.rfind('/');
    const bool inside = slash != std::string::npos && star < slash;
    if (star != std::string::npos && (star + 1 != x.size() || inside))
      say(at, x + ": * may stand at the end of the last component only",
          "write the names out, or hide the folder");
  }

  void variable(const std::string& at, const std::string& x) {
    const bool wild = x.back() == '*';
    const std::string_view name = std::string_view(x).substr(0, x.size() - (wild ? 1 : 0));
    if (name.empty()) return say(at, "* would pass on everything, tokens too", "name them");
    if (!std::all_of(name.begin(), name.end(), is_name_char) || (name[0] >= '0' && name[0] <= '9'))
      return say(at, x + ": is not a variable's name", "NAME or PREFIX*, without a value");
    for (const Reserved& r : kReserved)
      if (fits(x, r.name)) return say(at, x + ": " + r.why);
  }

  void protect(const std::string& at, const std::string& x) {
    if (x[0] == '/' || has_dots(x))
      return say(at, x + ": is a path of the workspace, found wherever it lies",
                 "deploy.sh, ci/release, *.tf");
    std::string_view rest = x;
    while (!rest.empty()) {
      const size_t slash = std::min(rest.find('/'), rest.size());
      const auto part = rest.substr(0, slash);
      rest.remove_prefix(std::min(slash + 1, rest.size()));
      const size_t star = part.find('*');
      if (part == "*")
        return say(at, x + ": * alone would protect everything", "name what is to be protected");
      if (star != std::string_view::npos && part.find('*', star + 1) != std::string_view::npos)
        return say(at, x + ": only one * in a component");
    }
  }

  std::string base_;
  Rank rank_;
  std::vector<Finding> found_;
};

void add(std::vector<Finding>& out, std::vector<Finding> more) {
  std::move(more.begin(), more.end(), std::back_inserter(out));
}

bool is_profile_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName && name[0] != '-' &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return is_name_char(c) || c == '-' || c == '.'; });
}

std::vector<Finding> check_case(const Case& c, const std::string& at) {
  int asked = 0;
  for (const auto* question : {&c.reach, &c.read, &c.write, &c.env, &c.apply})
    asked += *question ? 1 : 0;
  if (asked != 1)
    return {
        {at, "a test asks one question: reach, read, write, env or apply", "- reach: HOST:PORT"}};
  if (c.reach)
    if (auto r = parse_net_rule(*c.reach); !r.ok())
      return {{at + ".reach", r.error().message, r.error().hint}};
  return {};
}

}  // namespace

bool fits(std::string_view pattern, std::string_view name) {
  if (pattern.empty() || pattern.back() != '*') return pattern == name;
  pattern.remove_suffix(1);
  return name.substr(0, pattern.size()) == pattern;
}

std::vector<Finding> check(const Policy& p, const std::string& path, Rank rank) {
  Checker c(path, rank);
  c.policy(p);
  return c.take();
}

std::vector<Finding> check(const PolicyFile& file, Rank rank) {
  std::vector<Finding> out;
  if (file.version && *file.version != 1)
    out.push_back({"version", "this version of codexos reads version 1", "version: 1"});
  add(out, check(file.settings, "", rank));
  for (const auto& [name, profile] : file.profiles) {
    const std::string at = "profiles." + name;
    if (!is_profile_name(name))
      out.push_back({at, "a profile's name is made of a-z A-Z 0-9 . _ -, at most 64", {}});
    if (name == "default")
      out.push_back({at, "the profile default is what stands outside of all profiles", {}});
    add(out, check(profile, at, rank));
  }
  if (file.ceiling && rank == Rank::project)
    out.push_back({"ceiling", "a project cannot set a ceiling: it can only narrow itself",
                   "write it into the settings, or into ~/.config/codexos/config.yaml"});
  if (file.ceiling) add(out, check(*file.ceiling, "ceiling", rank));
  for (size_t i = 0; i < file.tests.size(); ++i)
    add(out, check_case(file.tests[i], "tests[" + std::to_string(i) + "]"));
  return out;
}

}  // namespace codexos::policy

// SPDX-License-Identifier: Apache-2.0
#include "core/policy/settings.h"

#include <algorithm>

#include "core/base/text.h"
#include "core/policy/check.h"
#include "core/policy/limit_keys.h"

namespace codexos::policy {
namespace {

/// Separated by commas; a rule's own ",private" and ",terminate" stay with it.
Names split(const std::string& text) {
  Names out;
  std::string_view rest = text;
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string part(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    if ((part == "private" || part == "terminate") && !out.empty())
      out.back() += "," + part;
    else if (!part.empty())
      out.push_back(part);
  }
  return out;
}

template <class E>
Status read_level(const std::string& text, std::optional<E>& out) {
  out = find_enum<E>(text);
  if (out) return {};
  std::string all;
  for (const auto& row : enum_names(E{})) all += (all.empty() ? "" : ", ") + std::string(row.name);
  return Error{Code::invalid, "'" + text + "' is none of " + all, {}};
}

struct Row {
  std::string_view variable;
  Status (*read)(const std::string& text, Policy& out);
};
constexpr std::array kRows{
    Row{"CODEXOS_SHOW",
        [](const std::string& t, Policy& p) {
          p.show = split(t);
          return Status{};
        }},
    Row{"CODEXOS_NET", [](const std::string& t, Policy& p) { return read_level(t, p.net); }},
    Row{"CODEXOS_ALLOW",
        [](const std::string& t, Policy& p) {
          p.allow = split(t);
          return Status{};
        }},
    Row{"CODEXOS_ISOLATION",
        [](const std::string& t, Policy& p) { return read_level(t, p.isolation); }},
    Row{"CODEXOS_SECCOMP",
        [](const std::string& t, Policy& p) { return read_level(t, p.seccomp); }},
    Row{"CODEXOS_ENV",
        [](const std::string& t, Policy& p) {
          p.env = split(t);
          return Status{};
        }},
};

Result<Policy> read_one(const std::string& name, const std::string& value) {
  Policy p;
  const auto row = std::find_if(kRows.begin(), kRows.end(),
                                [&name](const Row& r) { return r.variable == name; });
  const auto limit = std::find_if(kLimitKeys.begin(), kLimitKeys.end(), [&name](const LimitKey& k) {
    return "CODEXOS_" + to_upper(k.row->key) == name;
  });
  if (row != kRows.end())
    CODEXOS_TRY(row->read(value, p));
  else if (limit != kLimitKeys.end())
    limit->say(p.limits, value);
  else
    return Error{Code::invalid, "is no setting", {}};
  const auto findings = check(p, "", Rank::user);
  if (!findings.empty())
    return Error{Code::invalid, findings.front().message, findings.front().hint};
  return p;
}

}  // namespace

Result<Settings> read_settings(const std::map<std::string, std::string>& variables) {
  Settings out;
  for (const auto& [name, value] : variables) {
    if (value.empty()) continue;
    if (name == "CODEXOS_POLICY") {
      out.file = value;
    } else if (name == "CODEXOS_PROFILE") {
      out.profile = value;
    } else {
      auto p = read_one(name, value);
      if (!p.ok()) return std::move(p).error().during(name);
      out.said.push_back({name, *std::move(p)});
    }
  }
  return out;
}

}  // namespace codexos::policy

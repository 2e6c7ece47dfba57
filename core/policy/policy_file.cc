// SPDX-License-Identifier: Apache-2.0
#include "core/policy/policy_file.h"

#include <array>

#include "core/policy/yaml.h"

namespace codexos::policy {
namespace {

struct LaterKey {
  std::string_view name;
  const char* what;
};
// Limits that nothing enforces yet: refused by name, never accepted and ignored.
constexpr std::array kLaterLimits{
    LaterKey{"net_bytes", "traffic"},
    LaterKey{"max_tokens", "tokens"},
    LaterKey{"max_cost", "cost"},
};

/// `at` is the path of a policy: "" or "profiles.x".
void find_later(const yaml::Document& d, const json::Value& policy, const std::string& at,
                std::vector<Error>& out) {
  if (!policy.is_object()) return;
  const auto limits = policy.find("limits");
  if (limits == policy.end() || !limits->is_object()) return;
  for (const LaterKey& k : kLaterLimits) {
    const std::string name(k.name);
    if (!limits->contains(name)) continue;
    const std::string path = (at.empty() ? "" : at + ".") + "limits." + name;
    out.push_back(d.error(path,
                          path + ": a limit of " + k.what + " is not available in this version",
                          "take the line out; what there is: man codexos-policy"));
  }
}

std::vector<Error> later_limits(const yaml::Document& d) {
  std::vector<Error> out;
  find_later(d, d.value, "", out);
  if (!d.value.is_object()) return out;
  if (const auto c = d.value.find("ceiling"); c != d.value.end()) find_later(d, *c, "ceiling", out);
  if (const auto p = d.value.find("profiles"); p != d.value.end() && p->is_object())
    for (auto it = p->begin(); it != p->end(); ++it)
      find_later(d, it.value(), "profiles." + it.key(), out);
  return out;
}

}  // namespace

PolicyText read_policy(std::string_view text, const std::string& name, Rank rank) {
  PolicyText out;
  if (text.size() > kMaxPolicyBytes) {
    out.problems.push_back(
        Error{Code::invalid,
              name + ": larger than " + std::to_string(kMaxPolicyBytes / 1024) + " KiB",
              {}});
    return out;
  }
  const auto document = yaml::parse(text, name);
  if (!document.ok()) {
    out.problems.push_back(document.error());
    return out;
  }
  out.problems = later_limits(*document);
  if (!out.problems.empty()) return out;
  auto file = yaml::decode<PolicyFile>(*document);
  if (!file.ok()) {
    out.problems.push_back(std::move(file).error());
    return out;
  }
  out.file = *std::move(file);
  for (const Finding& f : check(out.file, rank))
    out.problems.push_back(document->error(f.path, f.path + ": " + f.message, f.hint));
  return out;
}

Result<PolicyFile> load_policy(std::string_view text, const std::string& name, Rank rank) {
  PolicyText read = read_policy(text, name, rank);
  if (!read.problems.empty()) return std::move(read.problems.front());
  return std::move(read.file);
}

}  // namespace codexos::policy

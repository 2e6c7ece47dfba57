// SPDX-License-Identifier: Apache-2.0
#include "cli/policy_ask.h"

#include "cli/tasks.h"
#include "cli/values.h"
#include "core/base/text.h"
#include "core/policy/settings.h"

namespace codexos::cli {
namespace {

std::string find(const Variables& env, std::string_view name) {
  const auto it = env.find(std::string(name));
  return it == env.end() ? std::string() : it->second;
}

/// NAME or PREFIX*, as policies have them. Values go as they are, names are keys of JSON.
void add_fitting(const std::string& pattern, const Variables& env, wire::PolicyAsk& ask) {
  if (!pattern.empty() && pattern.back() == '*') {
    const std::string prefix = pattern.substr(0, pattern.size() - 1);
    for (auto it = env.lower_bound(prefix); it != env.end() && it->first.starts_with(prefix); ++it)
      if (is_utf8(it->first)) ask.env.insert(*it);
  } else if (const auto it = env.find(pattern); it != env.end()) {
    ask.env.insert(*it);
  }
  ask.env_asked.push_back(pattern);
}

}  // namespace

Result<wire::PolicyAsk> policy_ask(const Invocation& inv, const Variables& env,
                                   const std::string& cwd) {
  wire::PolicyAsk ask;
  for (const std::string_view key : {"policy", "profile"})
    if (inv.has(key) && inv.value(key).empty())
      return Error{Code::invalid, "--" + std::string(key) + " is empty", {}};
  if (inv.has("policy")) ask.file = absolute_path(inv.value("policy"), cwd, find(env, "HOME"));
  ask.profile = inv.value("profile");
  ask.config_home = find(env, "XDG_CONFIG_HOME");
  if (ask.config_home.empty() || ask.config_home[0] != '/') ask.config_home.clear();
  for (const policy::Setting& s : policy::kSettings)
    if (std::string value = find(env, s.variable); !value.empty())
      ask.settings.emplace(s.variable, std::move(value));
  return ask;
}

Result<policy::PolicyQuery> policy_query(const Invocation& inv) {
  const Variables env = read_environment();
  policy::PolicyQuery query;
  CODEXOS_ASSIGN(query.cwd, current_folder());
  query.caller_env = caller_variables(env);
  CODEXOS_ASSIGN(query.ask, policy_ask(inv, env, query.cwd));
  if (inv.has("workspace"))
    query.workspace = absolute_path(inv.value("workspace"), query.cwd, find(env, "HOME"));
  return query;
}

Result<int> send_with_env(Context& ctx, const Variables& env, wire::PolicyAsk& ask,
                          const std::function<Result<int>()>& send) {
  ctx.problem.reset();
  auto sent = send();
  if (sent.ok() || !ctx.problem || ctx.problem->pass.empty()) return sent;
  for (const std::string& pattern : ctx.problem->pass) add_fitting(pattern, env, ask);
  ctx.problem.reset();
  return send();
}

}  // namespace codexos::cli

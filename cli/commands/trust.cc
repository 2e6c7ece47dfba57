// SPDX-License-Identifier: Apache-2.0
// codexos trust: lets a project's .codexos.yaml, as it is now, widen what tasks may do there.
#include <fmt/core.h>

#include <cstdlib>

#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/environment.h"
#include "cli/escape.h"
#include "cli/policy_ask.h"
#include "cli/render.h"
#include "cli/tasks.h"
#include "cli/values.h"
#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/policy/report.h"

namespace codexos::cli {
namespace {

Result<int> list_trusted(Context& ctx) {
  Client client(ctx);
  CODEXOS_ASSIGN(const std::string reply, client.call(Request{"GET", "/v1/trust", {}, {}}));
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(reply));
    return 0;
  }
  CODEXOS_ASSIGN(const auto list, json::decode<policy::TrustedList>(reply, json::Unknown::ignore));
  if (ctx.globals.quiet) {
    for (const auto& t : list.projects) CODEXOS_TRY(print_line(t.path));
    return 0;
  }
  if (list.projects.empty()) return 0;
  Table table({"FILE", "STATE", "AGE", "WIDENS"});
  for (const auto& t : list.projects) {
    table.add({t.path, t.state, age(t.trusted_at, now_us()),
               t.widens.empty() ? "-" : join_words(t.widens, ", ")});
  }
  CODEXOS_TRY(print(table.text(0, wants_color(ctx, STDOUT_FILENO))));
  return 0;
}

Result<int> revoke(Context& ctx, const std::string& dir) {
  Client client(ctx);
  CODEXOS_ASSIGN(const std::string reply,
                 client.call(Request{"DELETE", "/v1/trust", {{"path", dir}}, {}}));
  CODEXOS_ASSIGN(const auto t, json::decode<policy::Trusted>(reply, json::Unknown::ignore));
  CODEXOS_TRY(ctx.globals.json
                  ? print_line(reply)
                  : print(fmt::format("{} is not trusted any more\n", printable(t.path))));
  return 0;
}

std::string text_of(const policy::Trusted& t, bool dry_run) {
  std::string out;
  if (t.widens.empty()) {
    out = fmt::format("{} widens nothing\n", printable(t.path));
  } else {
    out = fmt::format("{} {}:\n", printable(t.path), dry_run ? "would widen" : "may widen");
    for (const auto& w : t.widens) out += fmt::format("  {}\n", printable(w));
  }
  if (!dry_run) out += "trusted until it changes; codexos trust --revoke takes it back\n";
  return out;
}

Result<int> trust_dir(Context& ctx, const Invocation& inv, const Variables& env,
                      const std::string& dir) {
  policy::TrustBody body;
  body.dir = dir;
  body.dry_run = inv.has("dry-run");
  body.caller_env = caller_variables(env);
  CODEXOS_ASSIGN(const auto ask, policy_ask(inv, env, dir));
  body.config_home = ask.config_home;
  Client client(ctx);
  CODEXOS_ASSIGN(
      const std::string reply,
      client.call(Request{"POST", "/v1/trust", {}, json::encode(body, json::Defaults::omit)}));
  CODEXOS_ASSIGN(const auto t, json::decode<policy::Trusted>(reply, json::Unknown::ignore));
  CODEXOS_TRY(ctx.globals.json ? print_line(reply) : print(text_of(t, body.dry_run)));
  return 0;
}

}  // namespace

Result<int> trust_project(Context& ctx, const Invocation& inv) {
  if (inv.has("list")) {
    if (!inv.words.empty() || inv.has("revoke") || inv.has("dry-run"))
      return Error{Code::invalid, "--list takes nothing else", {}};
    return list_trusted(ctx);
  }
  if (inv.has("revoke") && inv.has("dry-run"))
    return Error{Code::invalid, "only one of --revoke and --dry-run can be given", {}};
  const Variables env = read_environment();
  CODEXOS_ASSIGN(const std::string cwd, current_folder());
  const auto home = env.find("HOME");
  const std::string dir =
      inv.words.empty()
          ? cwd
          : absolute_path(inv.words[0], cwd, home == env.end() ? std::string() : home->second);
  return inv.has("revoke") ? revoke(ctx, dir) : trust_dir(ctx, inv, env, dir);
}

}  // namespace codexos::cli

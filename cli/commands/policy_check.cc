// SPDX-License-Identifier: Apache-2.0
// codexos policy check: what is wrong with policy files.
#include <fmt/core.h>

#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/escape.h"
#include "cli/policy_ask.h"
#include "cli/render.h"
#include "cli/values.h"
#include "core/policy/report.h"

namespace codexos::cli {
namespace {

std::string text_of(const policy::CheckedFile& f, bool quiet) {
  if (f.problems.empty())
    return quiet ? "" : fmt::format("{}: {}\n", printable(f.path), f.found ? "ok" : "absent");
  std::string out;
  for (const auto& p : f.problems) {
    out += printable(p.message) + "\n";
    if (!p.hint.empty()) out += fmt::format("  {}\n", printable(p.hint));
  }
  return out;
}

}  // namespace

Result<int> check_policy(Context& ctx, const Invocation& inv) {
  CODEXOS_ASSIGN(policy::PolicyQuery query, policy_query(inv));
  for (const std::string& file : inv.words)
    query.files.push_back(absolute_path(file, query.cwd, ""));
  Client client(ctx);
  CODEXOS_ASSIGN(const std::string reply,
                 client.call(Request{
                     "POST", "/v1/policy/check", {}, json::encode(query, json::Defaults::omit)}));
  CODEXOS_ASSIGN(const auto checked,
                 json::decode<policy::PolicyCheck>(reply, json::Unknown::ignore));
  bool wrong = false;
  std::string out;
  for (const auto& f : checked.files) {
    wrong = wrong || !f.problems.empty();
    out += text_of(f, ctx.globals.quiet);
  }
  CODEXOS_TRY(ctx.globals.json ? print_line(reply) : print(out));
  return wrong ? kFoundProblems : 0;
}

}  // namespace codexos::cli

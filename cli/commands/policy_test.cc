// SPDX-License-Identifier: Apache-2.0
// codexos policy test: questions to a policy, from its own file or the command line.
#include <fmt/core.h>

#include <array>

#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/escape.h"
#include "cli/policy_ask.h"
#include "cli/render.h"
#include "cli/values.h"
#include "core/policy/report.h"

namespace codexos::cli {
namespace {

struct Question {
  std::string_view option;
  std::optional<std::string> policy::Case::*member;
};
constexpr std::array kQuestions{
    Question{"reach", &policy::Case::reach}, Question{"read", &policy::Case::read},
    Question{"write", &policy::Case::write}, Question{"env", &policy::Case::env},
    Question{"apply", &policy::Case::apply}};

std::string text_of(const policy::TestReport& report, bool quiet) {
  std::string out;
  for (const auto& c : report.cases) {
    const bool right = c.answer == c.expect;
    if (right && quiet) continue;
    out += fmt::format("{} {} {}: {} ({})\n", right ? "ok  " : "FAIL", c.question,
                       printable(c.about), name_of(c.answer), printable(c.why));
  }
  return out;
}

}  // namespace

Result<int> test_policy(Context& ctx, const Invocation& inv) {
  policy::TestBody body;
  CODEXOS_ASSIGN(body.query, policy_query(inv));
  if (!inv.words.empty())
    body.query.ask.file =
        absolute_path(inv.words[0], body.query.cwd, body.query.caller_env["HOME"]);
  for (const Question& q : kQuestions)
    for (const std::string& about : inv.values(q.option)) {
      policy::Case c;
      c.*q.member = about;
      body.cases.push_back(std::move(c));
    }
  Client client(ctx);
  CODEXOS_ASSIGN(const std::string reply,
                 client.call(Request{
                     "POST", "/v1/policy/test", {}, json::encode(body, json::Defaults::omit)}));
  CODEXOS_ASSIGN(const auto report, json::decode<policy::TestReport>(reply, json::Unknown::ignore));
  CODEXOS_TRY(ctx.globals.json ? print_line(reply) : print(text_of(report, ctx.globals.quiet)));
  if (report.cases.empty() && !ctx.globals.quiet)
    say("the policy brings no questions: write them as tests (man codexos-policy)");
  return report.failed > 0 ? kFoundProblems : 0;
}

}  // namespace codexos::cli

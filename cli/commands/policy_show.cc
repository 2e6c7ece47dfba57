// SPDX-License-Identifier: Apache-2.0
// codexos policy show: what a task may do in this folder, or what one may that was started, as a
// policy file with who said so behind each line.
#include <fmt/core.h>

#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/escape.h"
#include "cli/policy_ask.h"
#include "cli/render.h"
#include "cli/tasks.h"
#include "core/policy/report.h"

namespace codexos::cli {
namespace {

std::string comment(std::string_view text) { return fmt::format("# {}\n", printable(text)); }

std::string text_of(const policy::PolicyView& v) {
  std::string out;
  for (const auto& f : v.files) out += comment(fmt::format("{:<14} {}", f.state + ":", f.path));
  if (v.text.empty()) out += comment("nobody says anything: no network, nothing further is shown");
  out += v.text;
  for (const auto& n : v.notes) out += comment(n);
  for (const auto& w : v.widenings) out += comment("not trusted, so without: " + w);
  return out;
}

}  // namespace

Result<int> show_policy(Context& ctx, const Invocation& inv) {
  Client client(ctx);
  std::string reply;
  if (!inv.words.empty()) {
    CODEXOS_ASSIGN(reply, client.call(Request{"GET", task_path(inv.words[0], "policy"), {}, {}}));
  } else {
    CODEXOS_ASSIGN(const policy::PolicyQuery query, policy_query(inv));
    CODEXOS_ASSIGN(reply,
                   client.call(Request{
                       "POST", "/v1/policy/show", {}, json::encode(query, json::Defaults::omit)}));
  }
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(reply));
    return 0;
  }
  CODEXOS_ASSIGN(const auto view, json::decode<policy::PolicyView>(reply, json::Unknown::ignore));
  CODEXOS_TRY(print(text_of(view)));
  return 0;
}

}  // namespace codexos::cli

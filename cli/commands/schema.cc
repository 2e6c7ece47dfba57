// SPDX-License-Identifier: Apache-2.0
// codexos __schema NAME: prints what schema/NAME.schema.json is.
#include "core/json/schema.h"

#include <array>

#include "cli/commands/all.h"
#include "cli/render.h"
#include "core/policy/policy.h"
#include "core/wire/event.h"
#include "core/wire/task.h"

namespace codexos::cli {
namespace {

struct SchemaRow {
  std::string_view name;
  std::string (*text)();
};
constexpr std::array kSchemaRows{
    SchemaRow{"policy",
              [] { return json::schema_text<policy::PolicyFile>("CodexOS policy file"); }},
    SchemaRow{"task", [] { return json::schema_text<wire::Task>("CodexOS task"); }},
    SchemaRow{"event", [] { return json::schema_text<wire::Event>("CodexOS event"); }}};

}  // namespace

Result<int> print_schema(Context&, const Invocation& inv) {
  for (const SchemaRow& row : kSchemaRows) {
    if (row.name != inv.words[0]) continue;
    CODEXOS_TRY(print(row.text()));
    return 0;
  }
  return Error{Code::not_found, "there is no schema " + inv.words[0], {}};
}

}  // namespace codexos::cli

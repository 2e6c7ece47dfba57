// SPDX-License-Identifier: Apache-2.0
// codexos logs: a task's output, from the log. The program's stderr goes to stderr. On a terminal
// only colours pass (cli/escape).
#include <fmt/core.h>
#include <unistd.h>
#include <array>
#include <optional>

#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/escape.h"
#include "cli/render.h"
#include "cli/tasks.h"
#include "cli/values.h"
#include "core/base/base64.h"

namespace codexos::cli {
namespace {

/// stdout and stderr, each with a filter of its own where it is a terminal.
class LogPrinter {
 public:
  LogPrinter(bool raw, bool quiet) : quiet_(quiet) {
    for (const int fd : {1, 2})
      if (!raw && isatty(fd) == 1) filter(fd).emplace();
  }

  Status put(const wire::OutputLine& line) {
    const int fd = line.stream == "stderr" ? 2 : 1;
    if (line.skipped && *line.skipped > 0 && !quiet_)
      say(fmt::format("{} bytes of {} are cut here: only head and tail are kept", *line.skipped,
                      line.stream));
    std::string bytes = line.text;
    if (!line.base64.empty()) {
      CODEXOS_ASSIGN(bytes, decode_base64(line.base64));
    }
    return print_to(fd, filter(fd) ? filter(fd)->feed(bytes) : bytes);
  }
  Status finish() {
    for (const int fd : {1, 2})
      if (filter(fd)) CODEXOS_TRY(print_to(fd, filter(fd)->finish()));
    return {};
  }

 private:
  std::optional<EscapeFilter>& filter(int fd) { return filters_[static_cast<size_t>(fd) - 1]; }
  std::array<std::optional<EscapeFilter>, 2> filters_;
  bool quiet_;
};

}  // namespace

Result<int> show_logs(Context& ctx, const Invocation& inv) {
  std::map<std::string, std::string> query;
  if (inv.has("follow")) query["follow"] = "1";
  if (inv.has("stream")) query["stream"] = inv.value("stream");
  if (inv.has("tail")) {
    auto n = parse_number(inv.value("tail"));
    if (!n.ok()) return std::move(n).error().during("--tail");
    query["tail"] = std::to_string(*n);
  }
  Client client(ctx);
  CODEXOS_ASSIGN(const std::string task, task_or_last(ctx, client, inv));
  LogPrinter printer(inv.has("raw"), ctx.globals.quiet);
  const auto on_line = [&](std::string_view line) -> Status {
    if (ctx.globals.json) return print_line(line);
    CODEXOS_ASSIGN(const auto piece, json::decode<wire::OutputLine>(line, json::Unknown::ignore));
    return printer.put(piece);
  };
  const Status r = client.stream(Request{"GET", task_path(task, "logs"), query, {}}, on_line);
  CODEXOS_TRY(printer.finish());
  if (!r.ok()) return r.error();
  return 0;
}

}  // namespace codexos::cli

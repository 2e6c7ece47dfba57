// SPDX-License-Identifier: Apache-2.0
// codexos wait: ends with the tasks, and exits as the last one's program did. A daemon that goes
// away meanwhile is asked again (and started) until it answers.
#include <poll.h>

#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/render.h"
#include "cli/session.h"
#include "cli/tasks.h"
#include "core/base/clock.h"

namespace codexos::cli {
namespace {

constexpr int kRetryMs = 200;
constexpr int64_t kGiveUpUs = 30000000;  // without any answer

/// One answer of the daemon; `seen` is whether it answered at all.
Result<std::string> wait_once(Client& client, const std::string& task, bool& seen) {
  std::string last;
  CODEXOS_ASSIGN(auto stream, client.open_stream(Request{"GET", task_path(task, "wait"), {}, {}}));
  seen = true;
  const auto keep = [&last](std::string_view line) -> Status {
    last = line;
    return {};
  };
  for (bool more = true; more;) {
    CODEXOS_ASSIGN(more, stream.read(keep));
  }
  if (last.empty())
    return Error{Code::not_found, "the task was removed before it was seen to end", {}};
  return last;
}

Result<std::string> wait_for_end(Client& client, const std::string& task) {
  int64_t give_up = monotonic_us() + kGiveUpUs;
  bool seen_before = false;
  for (;;) {
    bool seen = false;
    auto line = wait_once(client, task, seen);
    if (line.ok() || line.error().code != Code::unavailable) return line;
    seen_before = seen_before || seen;
    if (seen) give_up = monotonic_us() + kGiveUpUs;
    if (!seen_before || monotonic_us() > give_up) return line;
    poll(nullptr, 0, kRetryMs);
  }
}

}  // namespace

Result<int> wait_for_tasks(Context& ctx, const Invocation& inv) {
  Client client(ctx);
  int code = 0;
  for (const std::string& name : inv.words) {
    CODEXOS_ASSIGN(const std::string line, wait_for_end(client, name));
    CODEXOS_ASSIGN(const auto task, json::decode<wire::Task>(line, json::Unknown::ignore));
    if (ctx.globals.json) CODEXOS_TRY(print_line(line));
    code = exit_code_of_task(task);
  }
  return code;
}

}  // namespace codexos::cli

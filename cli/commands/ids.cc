// SPDX-License-Identifier: Apache-2.0
// codexos __ids [agents]: ids and names for the shells' completions. It has 150 ms, never starts a
// daemon and says nothing when there is none.
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "cli/agent_query.h"
#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/render.h"
#include "core/wire/task.h"

namespace codexos::cli {
namespace {

extern "C" void give_up(int) { _exit(0); }

/// The deadline holds for every call, also a connect(2) to a full backlog.
void exit_after_ms(int ms) {
  struct sigaction a {};
  a.sa_handler = give_up;
  sigaction(SIGALRM, &a, nullptr);
  itimerval t{};
  t.it_value.tv_usec = ms * 1000;
  setitimer(ITIMER_REAL, &t, nullptr);
}

}  // namespace

Result<int> print_ids(Context& ctx, const Invocation& inv) {
  constexpr int kDeadlineMs = 150;
  exit_after_ms(kDeadlineMs);
  Client client(ctx);
  client.autostart(Autostart::no);
  std::string out;
  if (!inv.words.empty()) {
    if (inv.words[0] != "agents")
      return Error{Code::invalid, "only agents can be asked for", "codexos __ids agents"};
    const auto found = find_agents(client, "");
    if (!found.ok()) return 0;
    for (const wire::AgentView& a : found->agents) out += a.name + "\n";
    CODEXOS_TRY(print(out));
    return 0;
  }
  const Request r{"GET", "/v1/tasks", {{"all", "1"}, {"limit", "200"}}, {}};
  const auto list = client.fetch<wire::TaskList>(r);
  if (!list.ok()) return 0;
  for (const wire::Task& t : list->tasks) {
    out += t.id + "\n";
    if (!t.name.empty()) out += t.name + "\n";
  }
  CODEXOS_TRY(print(out));
  return 0;
}

}  // namespace codexos::cli

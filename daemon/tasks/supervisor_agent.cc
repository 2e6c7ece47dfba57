// SPDX-License-Identifier: Apache-2.0
// Agents' tasks: their output becomes events while they run, their end is judged, and what they
// refreshed of a shared login goes back to its owner.
#include "core/base/clock.h"
#include "core/base/log.h"
#include "daemon/agents/login.h"
#include "daemon/tasks/agent_start.h"
#include "daemon/tasks/supervisor.h"

namespace codexos::daemon {
namespace {

constexpr int64_t kReadMs = 50;
constexpr int64_t kSyncUs = 2'000'000;
constexpr int kPage = 1000;

}  // namespace

/// Where in its output the last line ends whose events are stored.
Result<uint64_t> Supervisor::stored_offset(const std::string& id) {
  uint64_t offset = 0;
  for (int64_t since = 0;;) {
    CODEXOS_ASSIGN(const auto page, p_.store.events(id, since, kPage));
    for (const auto& e : page) {
      since = e.event.seq;
      offset = std::max(offset, e.event.offset.value_or(0));
    }
    if (page.size() < static_cast<size_t>(kPage)) return offset;
  }
}

void Supervisor::watch_agent(Running& r) {
  if (!r.row.task.agent) return;
  const std::string& id = r.row.task.id;
  if (auto parser = make_event_parser(r.row.task.agent->events)) {
    uint64_t stored = 0;
    if (r.committed) {
      const auto found = stored_offset(id);
      if (!found.ok()) log_line(LogLevel::error, "task " + id, found.error().message);
      stored = found.ok() ? *found : 0;
    }
    r.watch = std::make_unique<AgentWatch>(paths(r.row), id, std::move(parser), stored);
  }
  watch_agents_later();
}

void Supervisor::watch_agents_later() {
  if (agents_timer_ != 0) return;
  agents_timer_ = p_.loop.after_ms(kReadMs, "read agents", [this] {
    agents_timer_ = 0;
    bool any = false;
    for (auto& [id, r] : tasks_) {
      if (!r->row.task.agent || r->finished || r->end_row) continue;
      any = true;
      read_agent(*r, false);
    }
    if (!any) return;
    if (monotonic_us() - logins_synced_us_ > kSyncUs) sync_logins(nullptr);
    watch_agents_later();
  });
}

void Supervisor::read_agent(Running& r, bool final) {
  if (!r.watch || !r.committed) return;
  const auto events = r.watch->read(final);
  if (events.empty()) return;
  const std::string id = r.row.task.id;
  settle();
  // What the turn loses is read again.
  p_.after_commit.add([] {},
                      [this, id](const Error&) {
                        if (Running* x = find_running(id)) watch_agent(*x);
                      });
  auto& record = *r.row.task.agent;
  const AgentProgress& p = r.watch->progress();
  if (!p.session.empty()) record.session = p.session;
  if (p.counted) record.usage = p.usage;
  Status s = p_.store.update_task(r.row);
  for (const auto& said : events) {
    if (!s.ok()) break;
    s = add_event(r.row, said.type, [&said, &r](wire::Event& e) {
      const wire::Event base = e;
      e = said;
      e.v = base.v;
      e.ts = base.ts;
      e.task = base.task;
      e.state.reset();
      if (e.type == wire::EventType::agent_usage) e.state = r.row.task.state;
    });
  }
  if (!s.ok()) log_line(LogLevel::error, "task " + id, "its agent's events: " + s.error().message);
}

void Supervisor::judge(Running& r, Ended& end) {
  if (!r.row.task.agent) return;
  read_agent(r, true);
  if (r.row.task.agent->auth == "login") sync_logins(&r);
  if (r.row.task.agent->use != wire::AgentUse::job) return;
  AgentEnd how;
  how.progress = r.watch ? &r.watch->progress() : nullptr;
  how.interrupted = end.interrupted;
  how.exits = &r.exits;
  end.outcome = judge_agent(std::move(end.outcome), how);
}

/// By a worker: it waits for a lock and for the disk. `ended`: also what its agent left.
void Supervisor::sync_logins(const Running* ended) {
  logins_synced_us_ = monotonic_us();
  std::set<std::pair<std::string, std::string>> due;  // agent, its folders where it has ended
  for (const auto& [id, r] : tasks_)
    if (r->row.task.agent && r->row.task.agent->auth == "login" && !r->finished)
      due.emplace(r->row.task.agent->name, "");
  if (ended != nullptr) {
    const wire::Task& t = ended->row.task;
    due.emplace(t.agent->name, agent_folder(p_.home, t.workspace, t.agent->name));
  }
  for (const auto& row : due)
    p_.worker.submit(
        [this, home = p_.home, agent = row.first, folders = row.second]() -> Worker::Answer {
          const auto s =
              folders.empty() ? sync_login(home, agent, true) : settle_login(home, agent, folders);
          if (!s.ok()) log_line(LogLevel::warning, "agents", s.error().message);
          auto tokens = read_login_tokens(home, agent);
          if (!tokens.ok() || tokens->tokens.empty()) return nullptr;
          return [this, agent, now = std::make_shared<LoginTokens>(*std::move(tokens))] {
            for (const auto& [id, r] : tasks_)
              if (r->row.task.agent && r->row.task.agent->name == agent)
                p_.network.replace_tokens(id, *now);
          };
        });
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// Limits of tasks as their shims tell them, what tasks use now, and the cgroups that go with them.
#include "core/base/binary.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/quote.h"
#include "core/base/text.h"
#include "core/json/json.h"
#include "core/os/disk_use.h"
#include "daemon/tasks/explain.h"
#include "daemon/tasks/limits.h"
#include "daemon/tasks/supervisor.h"

namespace codexos::daemon {
namespace {

constexpr int64_t kMeasureMs = 5000;  // how long a shim may take to answer

wire::TaskStats stats_of(const TaskRow& row) {
  wire::TaskStats s;
  s.task = row.task.id;
  s.name = row.task.name;
  s.state = row.task.state;
  s.limits = row.task.limits;
  if (row.started_at_us != 0) {
    const int64_t until = row.ended_at_us != 0 ? row.ended_at_us : now_us();
    s.wall_us = static_cast<uint64_t>(std::max<int64_t>(0, until - row.started_at_us));
  }
  if (const auto& net = row.task.net; net && net->bytes_in) {
    s.net_bytes_in = net->bytes_in;
    s.net_bytes_out = net->bytes_out;
  }
  return s;
}

wire::TaskStats stats_of_ended(const TaskRow& row) {
  wire::TaskStats s = stats_of(row);
  if (const auto& u = row.task.usage) {
    s.cpu_us = u->cpu_user_us + u->cpu_system_us;
    s.memory_bytes = u->memory_bytes;
    s.pids = u->pids;
    s.disk_bytes = u->disk_bytes;
  }
  return s;
}

}  // namespace

void Supervisor::on_near_limit(Running& r, LinkMessage& m) {
  const auto told = from_binary<NearLimit>(m.payload);
  if (!told.ok() || r.end_row || r.finished) return;
  settle();
  const auto s = add_event(r.row, wire::EventType::task_limit, [&told](wire::Event& e) {
    e.ts = format_time(told->at_us);
    e.limit = told->limit;
    e.used = told->used;
    e.most = told->most;
  });
  if (!s.ok()) log_line(LogLevel::warning, "task " + r.row.task.id, s.error().message);
}

/// A call that the filter refused, with the option under which it would not.
void Supervisor::on_refused(Running& r, LinkMessage& m) {
  const auto told = from_binary<Refused>(m.payload);
  if (!told.ok() || r.end_row || r.finished) return;
  // Nothing of the host is looked at for a task of which nothing is to be learnt.
  if (!told->path.empty() && !r.learns) return;
  const auto call = told_call(told->call, told->flags);
  const auto path = told->path.empty() ? std::nullopt : look_for(told->path, r.row, p_.planner);
  if ((!call && !path) || (path && !is_utf8(path->path))) return;
  settle();
  const auto s = add_event(r.row, wire::EventType::denied, [&](wire::Event& e) {
    e.ts = format_time(told->at_us);
    if (path) {
      e.what = path->hidden ? "hidden" : "path";
      e.target = path->path;
      e.hint = "--show " + quote_shell(path->path);
      return;
    }
    e.what = "call";
    e.target = call->what;
    e.detail = call->why;
    if (is_utf8(told->program) && !told->program.empty())
      e.detail = told->program + ": " + call->why;
    e.hint = "--seccomp nested";
  });
  if (!s.ok()) log_line(LogLevel::warning, "task " + r.row.task.id, s.error().message);
}

/// Asks the shim, then the network, then has the worker look at the layers.
void Supervisor::stats(const std::string& id, OnStats done) {
  const auto row = find(id);
  if (!row.ok()) return done(row.error());
  if (is_terminal(row->task.state)) return done(stats_of_ended(*row));
  Running* r = controllable(id, [&done](Result<wire::Task> t) {
    if (!t.ok()) done(std::move(t).error());
  });
  if (r == nullptr) return;
  if (!r->started)
    return done(Error{Code::conflict, "task " + r->row.task.id + " is starting", "try again"});
  const std::string key = r->row.task.id;
  r->on_measured.push_back([this, key, done = std::move(done)](const Result<Measure>& what) {
    Running* x = find_running(key);
    if (!what.ok() || x == nullptr)
      return done(what.ok() ? Error{Code::conflict, "task " + key + " has ended", {}}
                            : what.error());
    wire::TaskStats s = stats_of(x->row);
    s.memory_bytes = what->memory_bytes;
    s.cpu_us = what->cpu_us;
    s.pids = what->pids;
    s.disk_bytes = what->disk_bytes;
    if (x->row.task.net && p_.network.serves(key)) {
      return p_.network.count(key, [this, s, row = x->row, done](const NetTotals& n) {
        wire::TaskStats counted = s;
        counted.net_bytes_in = counted.net_bytes_in.value_or(0) + n.bytes_in;
        counted.net_bytes_out = counted.net_bytes_out.value_or(0) + n.bytes_out;
        measure_layers(std::move(counted), row, done);
      });
    }
    measure_layers(std::move(s), x->row, done);
  });
  r->helper->link->send(LinkType::measure);
  if (r->measure_timer != 0) return;
  r->measure_timer = p_.loop.after_ms(kMeasureMs, "measure", [this, key] {
    Running* x = find_running(key);
    if (x == nullptr) return;
    x->measure_timer = 0;
    measured(*x, Error{Code::timeout, "task " + key + " does not answer", {}});
  });
}

/// The shim looks at them only where there is a limit; what it told of them is not counted twice.
void Supervisor::measure_layers(wire::TaskStats stats, const TaskRow& row, OnStats done) {
  const auto limited = std::find_if(stats.limits.begin(), stats.limits.end(),
                                    [](const auto& l) { return l.name == "disk"; });
  const auto roots = json::decode<Roots>(row.layers_json, json::Unknown::ignore);
  if (limited != stats.limits.end() || !roots.ok()) return done(std::move(stats));
  p_.worker.submit(
      [roots = roots->roots, stats = std::move(stats), done = std::move(done)]() -> Worker::Answer {
        wire::TaskStats s = stats;
        for (const auto& root : roots)
          if (!root.layer.empty())
            s.disk_bytes = s.disk_bytes.value_or(0) +
                           disk_use((root.layer + (root.copied ? "/copy" : "/upper")).c_str());
        return [s, done] { done(s); };
      });
}

void Supervisor::on_measured(Running& r, LinkMessage& m) {
  measured(r, from_binary<Measure>(m.payload));
}

void Supervisor::measured(Running& r, const Result<Measure>& what) {
  if (r.measure_timer != 0) p_.loop.cancel(std::exchange(r.measure_timer, 0));
  for (const auto& fn : std::exchange(r.on_measured, {})) fn(what);
}

/// Its processes are gone, or are just going.
void Supervisor::drop_cgroup(const std::string& id) {
  p_.worker.submit([folders = p_.cgroups.folders_of(id), id]() -> Worker::Answer {
    if (!remove_cgroups(folders))
      log_line(LogLevel::warning, "task " + id, "its cgroup is not empty and stays");
    return nullptr;
  });
}

/// What is frozen cannot be killed (cgroups of version 1).
void Supervisor::thaw_paused(const Running& r) {
  if (r.in_cgroup && r.row.task.state == TaskState::paused) p_.cgroups.thaw(r.row.task.id);
}

}  // namespace codexos::daemon

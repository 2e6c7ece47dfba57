// SPDX-License-Identifier: Apache-2.0
// Tasks whose changes are held back in a copy (daemon/workspace/copy.h): it is made between the
// commit of the task and its start, and settled between its end and the record of that. Both may
// take long, so a thread does them that nobody else waits for.
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/json/json.h"
#include "daemon/tasks/client_frames.h"
#include "daemon/tasks/supervisor.h"
#include "daemon/workspace/copy.h"

namespace codexos::daemon {
namespace {

std::vector<Root> copied_roots(const TaskRow& row) {
  std::vector<Root> out;
  // Asked three times of each task, and hardly one has a copy: only then is it worth decoding.
  if (row.layers_json.find("\"copied\":true") == std::string::npos) return out;
  const auto roots = json::decode<Roots>(row.layers_json, json::Unknown::ignore);
  if (!roots.ok()) return out;
  for (const auto& root : roots->roots)
    if (root.copied && !root.layer.empty()) out.push_back(root);
  return out;
}

}  // namespace

bool Supervisor::works_on_copy(const TaskRow& row) { return !copied_roots(row).empty(); }

bool Supervisor::copy_first(Running& r, const std::string& waiting) {
  if (r.copied) return false;
  auto roots = copied_roots(r.row);
  if (roots.empty()) return false;
  r.stop_copy = std::make_shared<std::atomic<bool>>(false);
  p_.copier.submit([this, id = r.row.task.id, waiting, roots = std::move(roots),
                    stop = r.stop_copy]() -> Worker::Answer {
    Status made;
    for (const auto& root : roots) {
      CopyOptions o;
      o.stop = stop.get();
      if (made.ok()) made = make_copy(root, o);
    }
    return [this, id, waiting, made] { on_copied(id, waiting, made); };
  });
  return true;
}

void Supervisor::on_copied(const std::string& id, const std::string& waiting, const Status& made) {
  Running* r = find_running(id);
  if (r == nullptr || r->finished || r->end_row) return;
  r->copied = true;
  if (made.ok()) return go(id, waiting);
  if (r->helper && r->helper->link) r->helper->link->send(LinkType::abort);
  Ended end;
  end.at_us = now_us();
  end.outcome.cause = Cause::start_failed;
  end.outcome.detail = made.error().message;
  if (!made.error().hint.empty()) end.outcome.detail += ": " + made.error().hint;
  finish(id, end);
}

bool Supervisor::settle_copies_first(Running& r, const Ended& end) {
  if (r.settling) return true;
  if (r.stop_copy) r.stop_copy->store(true);
  auto roots = copied_roots(r.row);
  roots.erase(
      std::remove_if(roots.begin(), roots.end(), [](const Root& x) { return !has_copy(x); }),
      roots.end());
  // What never ran has changed nothing, and its copy may be half of one.
  if (roots.empty() || r.settled || (!r.started && r.row.started_at_us == 0)) return false;
  r.settling = true;
  p_.copier.submit([this, id = r.row.task.id, roots = std::move(roots), end]() -> Worker::Answer {
    Status done;
    for (const auto& root : roots)
      if (done.ok()) done = settle_copy(root);
    return [this, id, end, done] {
      Running* x = find_running(id);
      if (x == nullptr) return;
      x->settling = false;
      x->settled = true;
      if (!done.ok()) {
        log_line(LogLevel::error, "task " + id, done.error().message);
        x->row.task.notes.push_back(done.error().message);
        x->unsettled = true;
      }
      finish(id, end);
    };
  });
  return true;
}

}  // namespace codexos::daemon

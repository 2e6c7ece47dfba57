// SPDX-License-Identifier: Apache-2.0
// POST /v1/tasks, and looking at tasks.
#include <algorithm>

#include "core/base/hash.h"
#include "daemon/api/api.h"

namespace codexos::daemon {
namespace {

constexpr uint64_t kMaxPage = 1000;

/// Names a request's bytes for Idempotency-Key: the same key with another request is a conflict.
std::string hash_of(const std::string& body) {
  uint64_t b = 0x9e3779b97f4a7c15ULL;
  for (const char c : body) {
    b = (b + static_cast<unsigned char>(c)) * 0xff51afd7ed558ccdULL;
    b ^= b >> 29;
  }
  return to_hex(fnv1a(body)) + to_hex(b) + "-" + std::to_string(body.size());
}

void fail_with(Call& call, const Refusal& refusal) {
  const auto& row = wire::code_row(refusal.error.code);
  wire::Problem p;
  p.code = row.name;
  p.status = row.http_status;
  p.title = row.title;
  p.detail = refusal.error.message;
  p.hint = refusal.error.hint;
  p.cause = cause_row(refusal.cause).name;
  p.pass = refusal.pass;
  call.fail(std::move(p));
}

/// The descriptors after the namespace's: stdout and stderr, each where it is passed.
void take_outputs(Call& call, StartRequest& r) {
  auto& fds = call.fds();
  size_t next = 0;
  if (r.create.stdout_mode == Stdio::passed && next < fds.size())
    r.stdout_fd = std::move(fds[next++]);
  if (r.create.stderr_mode == Stdio::passed && next < fds.size())
    r.stderr_fd = std::move(fds[next++]);
}

Status fill_request(Call& call, StartRequest& r, bool& frames) {
  CODEXOS_ASSIGN(frames, wants_frames(call));
  CODEXOS_ASSIGN(r.create,
                 json::decode<wire::TaskCreate>(call.request().body, json::Unknown::refuse));
  r.uid = call.who().uid;
  r.gid = call.who().gid;
  r.tenant = call.who().tenant;
  r.idempotency_key = call.request().headers.find("idempotency-key");
  if (r.idempotency_key.size() > 255)
    return Error{Code::invalid, "Idempotency-Key: longer than 255 characters", {}};
  r.request_hash = hash_of(call.request().body);
  take_outputs(call, r);
  if (!frames) return {};
  CODEXOS_ASSIGN(r.client, call.duplicate_connection());
  return {};
}

void create(ApiParts& parts, const CallPtr& call) {
  StartRequest request;
  bool frames = false;
  if (auto s = fill_request(*call, request, frames); !s.ok()) return call->fail(s.error());
  if (request.create.plan_only) {
    wire::PlanView view;
    if (const auto refusal = parts.supervisor.plan(std::move(request), view))
      return fail_with(*call, *refusal);
    return call->reply_with(200, view);
  }
  Supervisor::Begun begun;
  if (const auto refusal = parts.supervisor.start(std::move(request), begun))
    return fail_with(*call, *refusal);
  if (begun.repeated) return call->reply_with(200, begun.task);
  if (!frames) return call->reply_with(201, begun.task);
  call->upgraded(nullptr, begun.task.id);
}

void list(ApiParts& parts, const CallPtr& call) {
  TaskQuery q;
  q.all = query_flag(*call, "all");
  q.workspace = call->query("workspace");
  q.cursor = call->query("cursor");
  const auto limit = query_number(*call, "limit", 100);
  if (!limit.ok()) return call->fail(limit.error());
  q.limit = static_cast<int>(std::clamp<uint64_t>(*limit, 1, kMaxPage));
  parts.supervisor.settle();
  auto rows = parts.store.list_tasks(q);
  if (!rows.ok()) return call->fail(rows.error());
  wire::TaskList out;
  for (auto& row : *rows) out.tasks.push_back(std::move(row.task));
  if (out.tasks.size() == static_cast<size_t>(q.limit)) out.next = cursor_after(rows->back());
  call->reply_with(200, out);
}

void show(ApiParts& parts, const CallPtr& call) {
  auto row = parts.supervisor.find(call->param(0));
  if (!row.ok()) return call->fail(row.error());
  call->reply_with(200, row->task);
}

/// The last task of the workspace that a folder lies in: the default TASK of diff, logs, inspect.
void last(ApiParts& parts, const CallPtr& call) {
  const std::string cwd(call->query("cwd"));
  if (cwd.empty() || cwd[0] != '/')
    return call->fail(Error{Code::invalid, "cwd: must be an absolute path", {}});
  const auto root = parts.planner.workspace_of(cwd, call->who().uid, call->who().gid);
  if (!root.ok()) return call->fail(root.error());
  parts.supervisor.settle();
  auto row = parts.store.last_task(root->path, query_flag(*call, "waiting"));
  if (!row.ok()) return call->fail(row.error());
  if (!*row)
    return call->fail(Error{Code::not_found, "there is no task of " + root->path, "codexos ps -a"});
  call->reply_with(200, (*row)->task);
}

}  // namespace

ApiRoutes task_routes() {
  return {
      {"POST",
       "/v1/tasks",
       "Start a task; plan_only: what it would find",
       json_of<wire::TaskCreate>("TaskCreate"),
       json_of<wire::Task>("Task"),
       create,
       "",
       201,
       true,
       false,
       {{200,
         "The plan, with plan_only; the task that was started before with this Idempotency-Key",
         {json_of<wire::PlanView>("PlanView"), json_of<wire::Task>("Task")}}}},
      {"GET", "/v1/tasks", "List tasks, newest first", kNone, json_of<wire::TaskList>("TaskList"),
       list, "all=flag workspace cursor limit=number"},
      {"GET", "/v1/tasks/last", "The last task of a folder's workspace", kNone,
       json_of<wire::Task>("Task"), last, "cwd waiting=flag"},
      {"GET", "/v1/tasks/{id}", "One task", kNone, json_of<wire::Task>("Task"), show},
  };
}

}  // namespace codexos::daemon

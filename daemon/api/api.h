// SPDX-License-Identifier: Apache-2.0
// The routes of the HTTP API, one *_api.cc per resource, put together in routes.cc. Handlers
// decode, call the supervisor, and answer; they decide nothing.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/json/schema.h"
#include "core/os/loop.h"
#include "core/os/place.h"
#include "daemon/api/server.h"
#include "daemon/doctor/gather.h"
#include "daemon/sandbox/helpers.h"
#include "daemon/store/store.h"
#include "daemon/tasks/feed.h"
#include "daemon/tasks/planner.h"
#include "daemon/tasks/snapshots.h"
#include "daemon/tasks/supervisor.h"
#include "daemon/tasks/worker.h"

namespace codexos::daemon {

class Applier;
class Budgets;
class Vault;

/// What the handlers work with; all of it outlives the server.
struct ApiParts {
  Loop& loop;
  Store& store;
  Supervisor& supervisor;
  Applier& applier;
  Planner& planner;
  Snapshots& snapshots;
  Feed& feed;
  Helpers& helpers;
  Worker& worker;
  Vault& vault;
  Budgets& budgets;
  Place place;
  GatherOptions machine;        // what doctor looks at
  int64_t clock_offset_us = 0;  // when the daemon began
  int64_t started_at_us = 0;    // CLOCK_MONOTONIC
  std::function<void()> stop;   // ends the loop after what waits was sent
};

/// What a body is, by the name and the schema of its type. Empty: there is none.
struct BodyType {
  std::string_view name;
  std::string (*schema)() = nullptr;  // JSON, see core/json/schema.h
  std::string_view media = "application/json";
};
inline const BodyType kNone;
template <class T>
BodyType json_of(std::string_view name) {
  return {name, [] { return json::dump(json::schema_of<T>()); }};
}
/// One T a line.
template <class T>
BodyType lines_of(std::string_view name) {
  return {name, [] { return json::dump(json::schema_of<T>()); }, "application/x-ndjson"};
}

/// One more answer than the usual one; its body is one of `gives`.
struct OtherAnswer {
  int status = 200;
  std::string_view when;
  std::vector<BodyType> gives;
};

/// A row of the table that requests are matched with, and that schema/openapi.yaml is drawn from.
struct ApiRoute {
  std::string_view method;
  std::string_view pattern;  // "/v1/tasks/{id}/stop"
  std::string_view summary;
  BodyType takes, gives;
  void (*handler)(ApiParts&, const CallPtr&) = nullptr;
  /// Names separated by spaces; "=number" or "=flag" behind those that are not text.
  std::string_view query = "";
  int status = 200;
  bool frames = false;  // with Upgrade: codexos-frames/1 the connection becomes a task's
  /// Waits while a task that an earlier daemon left is being taken over.
  bool when_reachable = false;
  std::vector<OtherAnswer> also = {};
};
using ApiRoutes = std::vector<ApiRoute>;

ApiRoutes task_routes();
ApiRoutes stream_routes();
ApiRoutes diff_routes();
ApiRoutes control_routes();
ApiRoutes policy_routes();
ApiRoutes snapshot_routes();
ApiRoutes apply_routes();
ApiRoutes agent_routes();
ApiRoutes secret_routes();
ApiRoutes budget_routes();
ApiRoutes daemon_routes();
ApiRoutes doctor_routes();
/// All of them, in the order in which they are matched.
ApiRoutes api_routes();
/// The same for the server. `parts` must stay where it is.
std::vector<Route> make_routes(ApiParts& parts);
/// schema/openapi.yaml (OpenAPI 3.1).
std::string openapi_text();

// What handlers share.

/// The body as a T; an empty body is a default T. Unknown fields are an error.
template <class T>
Result<T> decode_body(const Call& call) {
  if (call.request().body.empty()) return T{};
  return json::decode<T>(call.request().body, json::Unknown::refuse);
}
/// A number in the query; `fallback` when it is absent. Error invalid: not a number.
Result<uint64_t> query_number(const Call& call, const std::string& name, uint64_t fallback);
/// "1" or "true".
bool query_flag(const Call& call, const std::string& name);
/// True with `Upgrade: codexos-frames/1`. Error unsupported: another protocol is asked for.
Result<bool> wants_frames(const Call& call);
/// Answers with the value, or with the problem.
template <class T>
void answer(Call& call, const Result<T>& r, int status = 200) {
  if (r.ok())
    call.reply_with(status, *r);
  else
    call.fail(r.error());
}

}  // namespace codexos::daemon

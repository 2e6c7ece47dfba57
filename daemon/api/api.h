// SPDX-License-Identifier: Apache-2.0
// The routes of the HTTP API, one *_api.cc per resource, put together in routes.cc. Handlers
// decode, call the supervisor, and answer; they decide nothing.
#pragma once

#include <functional>
#include <string>
#include <vector>

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
  Place place;
  GatherOptions machine;        // what doctor looks at
  int64_t clock_offset_us = 0;  // when the daemon began
  int64_t started_at_us = 0;    // CLOCK_MONOTONIC
  std::function<void()> stop;   // ends the loop after what waits was sent
};

void add_task_routes(ApiParts& parts, std::vector<Route>& routes);
void add_stream_routes(ApiParts& parts, std::vector<Route>& routes);
void add_diff_routes(ApiParts& parts, std::vector<Route>& routes);
void add_control_routes(ApiParts& parts, std::vector<Route>& routes);
void add_policy_routes(ApiParts& parts, std::vector<Route>& routes);
void add_snapshot_routes(ApiParts& parts, std::vector<Route>& routes);
void add_apply_routes(ApiParts& parts, std::vector<Route>& routes);
void add_agent_routes(ApiParts& parts, std::vector<Route>& routes);
void add_daemon_routes(ApiParts& parts, std::vector<Route>& routes);
void add_doctor_route(ApiParts& parts, std::vector<Route>& routes);
/// All of them, in the order in which they are matched. `parts` must stay where it is.
std::vector<Route> make_routes(ApiParts& parts);

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

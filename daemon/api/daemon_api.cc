// SPDX-License-Identifier: Apache-2.0
// The daemon about itself: status, health, version, prune, stop.
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/version.h"
#include "core/os/file.h"
#include "core/wire/daemon.h"
#include "daemon/api/api.h"

namespace codexos::daemon {
namespace {

void status(ApiParts& parts, const CallPtr& call) {
  wire::DaemonStatus s;
  s.running = true;
  s.pid = getpid();
  s.version = kVersion;
  s.build_id = kBuildId;
  s.socket = parts.place.socket;
  s.home = parts.place.home;
  s.uptime_ms = static_cast<uint64_t>((monotonic_us() - parts.started_at_us) / 1000);
  s.tasks_running = parts.supervisor.running();
  s.helpers_parked = parts.helpers.parked();
  call->reply_with(200, s);
}

void health(ApiParts& parts, const CallPtr& call) {
  const auto word = [](const Status& s) { return s.ok() ? std::string("ok") : s.error().message; };
  wire::Health h;
  h.database = word(parts.store.check());
  const Status folder = access(parts.place.home.c_str(), R_OK | W_OK | X_OK) == 0
                            ? Status()
                            : Status(errno_error(parts.place.home, errno));
  h.state_folder = word(folder);
  const auto view = parts.planner.likely_view({}, call->who().uid, call->who().gid);
  h.isolation = view.ok() ? word(parts.helpers.last_error()) : view.error().message;
  h.ok = h.database == "ok" && h.state_folder == "ok" && h.isolation == "ok";
  call->reply_with(h.ok ? 200 : 503, h);
}

void version(ApiParts&, const CallPtr& call) {
  wire::Version v;
  v.version = v.daemon_version = kVersion;
  v.build_id = v.daemon_build_id = kBuildId;
  call->reply_with(200, v);
}

void prune(ApiParts& parts, const CallPtr& call) {
  const auto body = decode_body<wire::PruneBody>(*call);
  if (!body.ok()) return call->fail(body.error());
  parts.supervisor.prune(*body, [call](Result<wire::PruneResult> r) { answer(*call, r); });
}

void stop(ApiParts& parts, const CallPtr& call) {
  status(parts, call);
  parts.stop();
}

}  // namespace

ApiRoutes daemon_routes() {
  return {
      {"GET", "/v1/status", "The daemon: pid, version, folder", kNone,
       json_of<wire::DaemonStatus>("DaemonStatus"), status},
      {"GET",
       "/v1/health",
       "Whether tasks can be started; 503 when not",
       kNone,
       json_of<wire::Health>("Health"),
       health,
       "",
       200,
       false,
       false,
       {{503, "No task can be started", {json_of<wire::Health>("Health")}}}},
      {"GET", "/v1/version", "Version and build", kNone, json_of<wire::Version>("Version"),
       version},
      {"POST", "/v1/prune", "Forget ended tasks and give their space back",
       json_of<wire::PruneBody>("PruneBody"), json_of<wire::PruneResult>("PruneResult"), prune},
      {"POST", "/v1/daemon/stop", "End the daemon; tasks go on", kNone,
       json_of<wire::DaemonStatus>("DaemonStatus"), stop},
  };
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <string>

#include "core/base/frames.h"
#include "daemon/api/api.h"

namespace codexos::daemon {

std::vector<Route> make_routes(ApiParts& parts) {
  std::vector<Route> routes;
  add_stream_routes(parts, routes);  // /v1/tasks/last and friends are before /v1/tasks/{id}
  add_task_routes(parts, routes);
  add_diff_routes(parts, routes);
  add_control_routes(parts, routes);
  add_snapshot_routes(parts, routes);
  add_apply_routes(parts, routes);
  add_policy_routes(parts, routes);
  add_agent_routes(parts, routes);
  add_daemon_routes(parts, routes);
  add_doctor_route(parts, routes);
  return routes;
}

Result<uint64_t> query_number(const Call& call, const std::string& name, uint64_t fallback) {
  const std::string_view text = call.query(name);
  if (text.empty()) return fallback;
  uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size())
    return Error{Code::invalid, name + ": not a number: " + std::string(text), {}};
  return n;
}

bool query_flag(const Call& call, const std::string& name) {
  const auto text = call.query(name);
  return text == "1" || text == "true";
}

Result<bool> wants_frames(const Call& call) {
  const auto upgrade = call.request().headers.find("upgrade");
  if (upgrade.empty()) return false;
  const std::string ours = "codexos-frames/" + std::to_string(kFramesVersion);
  if (upgrade == ours) return true;
  return Error{Code::unsupported,
               "Upgrade: " + std::string(upgrade) + ": this daemon speaks " + ours,
               "use a codexos of the same version: codexos version"};
}

}  // namespace codexos::daemon

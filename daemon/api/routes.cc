// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <string>

#include "core/base/frames.h"
#include "daemon/api/api.h"

namespace codexos::daemon {

namespace {

std::function<void(CallPtr)> bind(ApiParts& parts, const ApiRoute& r) {
  if (!r.when_reachable)
    return [&parts, handler = r.handler](const CallPtr& call) { handler(parts, call); };
  return [&parts, handler = r.handler](const CallPtr& call) {
    parts.supervisor.when_reachable(call->param(0), [&parts, handler, call] {
      if (!call->gone()) handler(parts, call);
    });
  };
}

}  // namespace

ApiRoutes api_routes() {
  ApiRoutes out;
  // /v1/tasks/last and friends are before /v1/tasks/{id}
  for (const auto& part : {stream_routes(), task_routes(), diff_routes(), control_routes(),
                           snapshot_routes(), apply_routes(), policy_routes(), agent_routes(),
                           secret_routes(), budget_routes(), daemon_routes(), doctor_routes()})
    out.insert(out.end(), part.begin(), part.end());
  return out;
}

std::vector<Route> make_routes(ApiParts& parts) {
  std::vector<Route> out;
  for (const auto& r : api_routes()) out.push_back(Route{r.method, r.pattern, bind(parts, r)});
  return out;
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

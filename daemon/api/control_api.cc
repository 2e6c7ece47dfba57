// SPDX-License-Identifier: Apache-2.0
// Orders to tasks. stop, and kill with KILL, answer when the task has ended. Each waits while a
// task that an earlier daemon left is being taken over.
#include "daemon/api/api.h"

namespace codexos::daemon {
namespace {

/// The answer of `POST .../exec` without Upgrade.
struct ExecMade {
  int64_t exec_id = 0;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("exec_id", s.exec_id, "number of the session");
  }
};

Supervisor::OnTask reply_later(const CallPtr& call) {
  return [call](Result<wire::Task> r) { answer(*call, r); };
}

void stop(ApiParts& parts, const CallPtr& call) {
  const auto body = decode_body<wire::StopBody>(*call);
  if (!body.ok()) return call->fail(body.error());
  parts.supervisor.stop(call->param(0), *body, reply_later(call));
}

void kill(ApiParts& parts, const CallPtr& call) {
  const auto body = decode_body<wire::StopBody>(*call);
  if (!body.ok()) return call->fail(body.error());
  parts.supervisor.kill(call->param(0), *body, reply_later(call));
}

void pause(ApiParts& parts, const CallPtr& call) {
  parts.supervisor.pause(call->param(0), reply_later(call));
}

void resume(ApiParts& parts, const CallPtr& call) {
  parts.supervisor.resume(call->param(0), reply_later(call));
}

void stats(ApiParts& parts, const CallPtr& call) {
  parts.supervisor.stats(call->param(0),
                         [call](const Result<wire::TaskStats>& r) { answer(*call, r); });
}

void change_network(ApiParts& parts, const CallPtr& call) {
  const auto body = decode_body<wire::NetBody>(*call);
  if (!body.ok()) return call->fail(body.error());
  parts.supervisor.change_network(call->param(0), *body, reply_later(call));
}

void remove(ApiParts& parts, const CallPtr& call) {
  parts.supervisor.remove(call->param(0), query_flag(*call, "force"), reply_later(call));
}

Status require_frames(const Call& call) {
  CODEXOS_ASSIGN(const bool frames, wants_frames(call));
  if (frames) return {};
  return Error{Code::invalid, "attach needs Upgrade: codexos-frames/1", {}};
}

void attach(ApiParts& parts, const CallPtr& call) {
  if (auto s = require_frames(*call); !s.ok()) return call->fail(s.error());
  const auto replay = query_number(*call, "replay_bytes", 0);
  if (!replay.ok()) return call->fail(replay.error());
  const auto row = parts.supervisor.find(call->param(0));
  if (!row.ok()) return call->fail(row.error());
  const std::string id = row->task.id;
  if (auto s = parts.supervisor.can_attach(id); !s.ok()) return call->fail(s.error());
  auto connection = call->duplicate_connection();
  if (!connection.ok()) return call->fail(connection.error());
  AttachClient how;
  how.wants_input = query_flag(*call, "input");
  how.replay_bytes = *replay;
  // std::function copies what it holds, so the descriptor is shared; the last copy closes it.
  auto fd = std::make_shared<Fd>(*std::move(connection));
  call->upgraded([&parts, id, how, fd] { parts.supervisor.attach(id, how, std::move(*fd)); }, id);
}

/// The connection, then stdout and stderr where they are passed.
Result<std::vector<Fd>> exec_descriptors(Call& call, const wire::ExecCreate& body, bool frames) {
  std::vector<Fd> out;
  const size_t wanted =
      (body.stdout_mode == Stdio::passed ? 1U : 0U) + (body.stderr_mode == Stdio::passed ? 1U : 0U);
  if (wanted > call.fds().size())
    return Error{Code::invalid, "a mode is passed, but no descriptor came with the request", {}};
  if (!frames) {
    if (wanted > 0) return Error{Code::invalid, "passed needs Upgrade: codexos-frames/1", {}};
    return out;
  }
  CODEXOS_ASSIGN(Fd connection, call.duplicate_connection());
  out.push_back(std::move(connection));
  for (size_t i = 0; i < wanted; ++i) out.push_back(std::move(call.fds()[i]));
  return out;
}

void exec(ApiParts& parts, const CallPtr& call) {
  const auto body = json::decode<wire::ExecCreate>(call->request().body, json::Unknown::refuse);
  if (!body.ok()) return call->fail(body.error());
  const auto frames = wants_frames(*call);
  if (!frames.ok()) return call->fail(frames.error());
  const auto row = parts.supervisor.find(call->param(0));
  if (!row.ok()) return call->fail(row.error());
  const std::string id = row->task.id;
  auto fds = exec_descriptors(*call, *body, *frames);
  if (!fds.ok()) return call->fail(fds.error());
  const auto number = parts.supervisor.exec(id, *body);
  if (!number.ok()) return call->fail(number.error());
  auto shared = std::make_shared<std::vector<Fd>>(*std::move(fds));
  const auto begin = [&parts, id, n = *number, shared] {
    parts.supervisor.send_exec(id, n, std::move(*shared));
  };
  if (*frames) return call->upgraded(begin, id);
  parts.supervisor.after_commit(begin);
  call->reply_with(201, ExecMade{static_cast<int64_t>(*number)});
}

}  // namespace

ApiRoutes control_routes() {
  ApiRoutes routes = {
      {"GET", "/v1/tasks/{id}/stats", "What it uses now", kNone,
       json_of<wire::TaskStats>("TaskStats"), stats},
      {"POST", "/v1/tasks/{id}/stop", "TERM, after the grace KILL; answers when it has ended",
       json_of<wire::StopBody>("StopBody"), json_of<wire::Task>("Task"), stop},
      {"POST", "/v1/tasks/{id}/kill", "KILL, or send another signal",
       json_of<wire::StopBody>("StopBody"), json_of<wire::Task>("Task"), kill},
      {"POST", "/v1/tasks/{id}/pause", "Stop all processes of a task", kNone,
       json_of<wire::Task>("Task"), pause},
      {"POST", "/v1/tasks/{id}/resume", "Let them go on", kNone, json_of<wire::Task>("Task"),
       resume},
      {"POST", "/v1/tasks/{id}/net", "Change what it may reach", json_of<wire::NetBody>("NetBody"),
       json_of<wire::Task>("Task"), change_network},
      {"POST", "/v1/tasks/{id}/attach", "One more client; only with Upgrade", kNone, kNone, attach,
       "input=flag replay_bytes=number", 101, true},
      {"POST", "/v1/tasks/{id}/exec", "One more program in the task's sandbox",
       json_of<wire::ExecCreate>("ExecCreate"), json_of<ExecMade>("ExecMade"), exec, "", 201, true},
      {"DELETE", "/v1/tasks/{id}", "Forget a task; force: ends it first", kNone,
       json_of<wire::Task>("Task"), remove, "force=flag"},
  };
  for (auto& r : routes) r.when_reachable = true;
  return routes;
}

}  // namespace codexos::daemon

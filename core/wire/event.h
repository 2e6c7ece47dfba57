// SPDX-License-Identifier: Apache-2.0
// Events: the append-only story of a task. `seq` counts the stored events of a task from 1 without
// gaps, `ord` orders the events of all tasks; exactly one `task.ended` per task. Stream lines of
// type `heartbeat` carry neither.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/fields.h"
#include "core/base/outcome.h"
#include "core/wire/agent.h"
#include "core/wire/task.h"

namespace codexos::wire {

enum class EventType : int {
  task_created,
  task_started,
  task_paused,
  task_resumed,
  task_stopping,
  task_detached,
  task_adopted,
  task_limit,
  exec_started,
  exec_ended,
  task_ended,
  task_continued,
  task_expired,
  task_applied,
  task_undone,
  task_discarded,
  task_apply_reverted,
  net_connection,
  net_changed,
  secret_used,
  model_exchange,
  denied,
  agent_text,
  agent_reasoning,
  agent_tool_call,
  agent_tool_result,
  agent_file_change,
  agent_usage,
  agent_cost,
  agent_limit,
  agent_error
};
constexpr auto enum_names(EventType) {
  return std::array{EnumName{EventType::task_created, "task.created"},
                    EnumName{EventType::task_started, "task.started"},
                    EnumName{EventType::task_paused, "task.paused"},
                    EnumName{EventType::task_resumed, "task.resumed"},
                    EnumName{EventType::task_stopping, "task.stopping"},
                    EnumName{EventType::task_detached, "task.detached"},
                    EnumName{EventType::task_adopted, "task.adopted"},
                    EnumName{EventType::task_limit, "task.limit"},
                    EnumName{EventType::exec_started, "exec.started"},
                    EnumName{EventType::exec_ended, "exec.ended"},
                    EnumName{EventType::task_ended, "task.ended"},
                    EnumName{EventType::task_continued, "task.continued"},
                    EnumName{EventType::task_expired, "task.expired"},
                    EnumName{EventType::task_applied, "task.applied"},
                    EnumName{EventType::task_undone, "task.undone"},
                    EnumName{EventType::task_discarded, "task.discarded"},
                    EnumName{EventType::task_apply_reverted, "task.apply_reverted"},
                    EnumName{EventType::net_connection, "net.connection"},
                    EnumName{EventType::net_changed, "net.changed"},
                    EnumName{EventType::secret_used, "secret.used"},
                    EnumName{EventType::model_exchange, "model.exchange"},
                    EnumName{EventType::denied, "denied"},
                    EnumName{EventType::agent_text, "agent.text"},
                    EnumName{EventType::agent_reasoning, "agent.reasoning"},
                    EnumName{EventType::agent_tool_call, "agent.tool_call"},
                    EnumName{EventType::agent_tool_result, "agent.tool_result"},
                    EnumName{EventType::agent_file_change, "agent.file_change"},
                    EnumName{EventType::agent_usage, "agent.usage"},
                    EnumName{EventType::agent_cost, "agent.cost"},
                    EnumName{EventType::agent_limit, "agent.limit"},
                    EnumName{EventType::agent_error, "agent.error"}};
}

struct Event {
  int32_t v = 1;
  int64_t seq = 0;
  std::optional<int64_t> ord;  // given by the store when it is read
  std::string ts;
  std::string task;
  EventType type = EventType::task_created;
  std::optional<TaskState> state;
  std::optional<std::string> cause;
  std::optional<int32_t> exit_code;
  std::optional<int32_t> signal;
  std::optional<std::string> detail;
  std::optional<std::string> isolation;
  std::optional<std::string> seccomp;
  std::optional<std::string> network;
  std::optional<std::vector<std::string>> argv;
  std::optional<std::string> cwd;
  std::optional<std::string> workspace;
  std::optional<int64_t> exec_id;
  std::optional<std::string> by;  // task.continued: the task that took over
  std::optional<Usage> usage;
  std::optional<ChangeCount> changes;
  std::optional<std::string> apply;
  std::optional<int64_t> paths;
  std::optional<std::string> what;    // denied: network, dns, ...
  std::optional<std::string> target;  // a name, an address, a path
  std::optional<int32_t> port;
  std::optional<std::string> rule;
  std::optional<std::string> hint;
  std::optional<std::string> address;
  std::optional<uint64_t> bytes_in, bytes_out;
  std::optional<int64_t> duration_us;
  std::optional<std::vector<std::string>> allow;
  std::optional<std::string> agent;  // task.created: its name
  std::optional<std::string> text;
  std::optional<std::string> tool;
  std::optional<std::string> call;  // joins a tool's call and its result
  std::optional<std::string> input;
  std::optional<std::string> output;
  std::optional<bool> failed;
  std::optional<std::string> path;
  std::optional<std::string> change;
  std::optional<AgentUsage> tokens;
  std::optional<uint64_t> offset;
  std::optional<std::vector<LimitHeld>> limits;
  std::optional<std::string> limit;
  std::optional<uint64_t> used, most;
  std::optional<std::string> secret;
  std::optional<std::string> model, provider;
  std::optional<int32_t> status;
  std::optional<ModelUse> models;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("v", s.v, "version of the event format");
    v("seq", s.seq, "counts the task's events from 1");
    v("ord", s.ord, "its place among the events of all tasks: grows, with gaps");
    v("ts", s.ts, "RFC 3339 with microseconds");
    v("task", s.task, "task id");
    v("type", s.type, "what happened");
    v("state", s.state, "the task's state after it");
    v("cause", s.cause, "task.ended: why");
    v("exit_code", s.exit_code, "task.ended, exec.ended: what the command exits with");
    v("signal", s.signal, "task.ended: signal that ended the program");
    v("detail", s.detail, "reason in words");
    v("isolation", s.isolation, "task.created: isolation in force");
    v("seccomp", s.seccomp, "task.created: syscall filter profile in force");
    v("network", s.network, "task.created: network in force");
    v("argv", s.argv, "task.created, exec.started: program and arguments");
    v("cwd", s.cwd, "task.created: working directory");
    v("workspace", s.workspace, "task.created: workspace");
    v("exec_id", s.exec_id, "exec.started, exec.ended: number of the session");
    v("by", s.by, "task.continued: the task that took over the changes");
    v("usage", s.usage, "task.ended: what it used");
    v("changes", s.changes, "task.ended: what it changed");
    v("apply", s.apply, "task.applied, task.undone: id of the apply or undo");
    v("paths", s.paths, "task.applied, task.undone: how many paths were written");
    v("what", s.what, "denied: what kind of thing: network, dns, call, path, secret, budget");
    v("target", s.target, "denied, net.connection: host name or address");
    v("port", s.port, "denied, net.connection: port, where there is one");
    v("rule", s.rule, "net.connection: the rule that admitted it; denied: the one that did not");
    v("hint", s.hint, "denied: the option that would allow it");
    v("address", s.address, "net.connection: the address that was dialled");
    v("bytes_in", s.bytes_in, "net.connection: bytes that the task got");
    v("bytes_out", s.bytes_out, "net.connection: bytes that the task sent");
    v("duration_us", s.duration_us, "net.connection: how long it lasted, microseconds");
    v("allow", s.allow, "net.changed: what the task may reach from now on");
    v("agent", s.agent, "task.created: the agent that has the job");
    v("text", s.text, "agent.text, .reasoning, .error, .limit: what it said");
    v("tool", s.tool, "agent.tool_call, .tool_result: name of the tool");
    v("call", s.call, "agent.tool_call, .tool_result: the agent's name for the call");
    v("input", s.input, "agent.tool_call: arguments, as JSON");
    v("output", s.output, "agent.tool_result: what the tool answered, at most 16 KiB");
    v("failed", s.failed, "agent.tool_result: whether it failed");
    v("path", s.path, "agent.file_change: which file");
    v("change", s.change, "agent.file_change: add, update or delete");
    v("tokens", s.tokens, "agent.usage, agent.cost, task.ended: tokens and cost so far");
    v("offset", s.offset, "agent.*: where in stdout the line ends that said it, bytes");
    v("limits", s.limits, "task.created: its limits, and what holds each");
    v("limit", s.limit,
      "task.limit: which limit is nearly used up: memory, cpu_time, disk, pids, tokens, cost");
    v("used", s.used, "task.limit: bytes, microseconds or processes that are used");
    v("most", s.most, "task.limit: how many of them there may be");
    v("secret", s.secret, "secret.used, denied: name of the secret, or fingerprint of an SSH key");
    v("model", s.model, "model.exchange: the model that answered");
    v("provider", s.provider, "model.exchange: whose model");
    v("status", s.status, "model.exchange: HTTP status that the task got");
    v("models", s.models, "model.exchange: what it used; task.ended: what all of them used");
  }
};

}  // namespace codexos::wire

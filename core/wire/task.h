// SPDX-License-Identifier: Apache-2.0
// The types of the HTTP API's task resource. Every field is listed once, in fields(); JSON codec,
// validation, OpenAPI and man pages are drawn from there. In requests unknown fields are an error
// (a typo in a security setting must not pass), in responses they are ignored.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/fields.h"
#include "core/base/limits.h"
#include "core/base/outcome.h"
#include "core/base/plan.h"
#include "core/wire/agent.h"
#include "core/wire/budget.h"
#include "core/wire/changes.h"
#include "core/wire/policy_ask.h"
#include "core/wire/secret.h"

namespace codexos::wire {

enum class WorkspaceMode : int { overlay, direct, read_only, none };
constexpr auto enum_names(WorkspaceMode) {
  return std::array{
      EnumName{WorkspaceMode::overlay, "overlay"}, EnumName{WorkspaceMode::direct, "direct"},
      EnumName{WorkspaceMode::read_only, "read-only"}, EnumName{WorkspaceMode::none, "none"}};
}
enum class Isolation : int { full, landlock };
constexpr auto enum_names(Isolation) {
  return std::array{EnumName{Isolation::full, "full"}, EnumName{Isolation::landlock, "landlock"}};
}
enum class SeccompProfile : int { default_, nested };
constexpr auto enum_names(SeccompProfile) {
  return std::array{EnumName{SeccompProfile::default_, "default"},
                    EnumName{SeccompProfile::nested, "nested"}};
}
enum class Network : int { none, allow, host };
constexpr auto enum_names(Network) {
  return std::array{EnumName{Network::none, "none"}, EnumName{Network::allow, "allow"},
                    EnumName{Network::host, "host"}};
}

/// Who has to hold the limits of a task: only what the kernel does in a cgroup counts, or whatever
/// there is.
enum class LimitDriver : int { cgroup, any };
constexpr auto enum_names(LimitDriver) {
  return std::array{EnumName{LimitDriver::cgroup, "cgroup"}, EnumName{LimitDriver::any, "any"}};
}

/// One limit, and who holds it.
struct LimitHeld {
  std::string name;
  std::string value;
  std::string by;   // cgroup v2, cgroup v1, rlimit, sampling, shim; empty: nobody
  std::string why;  // nobody holds it
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("name", s.name, "memory, cpus, ...: as in policies");
    v("value", s.value, "how much: 512MiB, 1.5, 30m");
    v("by", s.by, "what holds it: cgroup v2, cgroup v1, rlimit, sampling, shim; empty: nothing");
    v("why", s.why, "why nothing holds it");
  }
};

/// When a task's changes are applied without being asked for.
enum class ApplyWhen : int { never, always, on_success };
constexpr auto enum_names(ApplyWhen) {
  return std::array{EnumName{ApplyWhen::never, "never"}, EnumName{ApplyWhen::always, "always"},
                    EnumName{ApplyWhen::on_success, "on-success"}};
}

/// A key of the user's SSH agent, and a host that a task may sign in to with it.
struct SshKeyUse {
  std::string key;
  std::string host;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("key", s.key, "the public key as in authorized_keys: type, base64, comment");
    v("host", s.host, "HOST[:PORT], known by known_hosts; port 22 when none is named");
  }
};

/// POST /v1/tasks. Default values are left out of the JSON, so that an older daemon refuses only
/// what it really lacks, by name. With `Upgrade: codexos-frames/1` the reply is 101 and the
/// connection carries frames; else 201 with the Task. Descriptors ride on the request's bytes by
/// SCM_RIGHTS, in this order: the caller's /proc/self/ns/user (always first when any is sent), then
/// stdout when stdout_mode is `passed`, then stderr when stderr_mode is `passed`.
struct TaskCreate {
  std::vector<std::string> argv;
  std::string cwd;                         // the caller's, absolute
  std::map<std::string, std::string> env;  // -e and --env-file, already resolved
  std::map<std::string, std::string>
      caller_env;  // PATH HOME USER LANG LC_* TZ TERM ... of the caller
  uint32_t umask = 022;
  std::string name;
  std::map<std::string, std::string> labels;
  std::string workspace;  // -w, absolute; empty: found from cwd
  WorkspaceMode mode = WorkspaceMode::overlay;
  std::vector<std::string> write;  // --write, relative to the workspace or absolute below it
  std::string from;                // --from: task id, name or "last"; empty: the real folder
  std::vector<std::string> show;   // --show SRC[:DST][:ro|rw]
  Isolation isolation = Isolation::full;
  SeccompProfile seccomp = SeccompProfile::default_;
  Network net = Network::none;
  std::vector<std::string> allow;  // --allow: rules of core/policy/net_rules.h
  std::vector<int32_t> publish;    // --publish
  std::vector<int32_t> reach;      // --reach PORT
  uint64_t net_bytes = 0;
  bool owned = false;  // foreground: the client's end ends the task
  Stdio stdin_mode = Stdio::null;
  Stdio stdout_mode = Stdio::pipe;
  Stdio stderr_mode = Stdio::pipe;
  uint32_t rows = 24;
  uint32_t cols = 80;
  TaskLimits limits;
  LimitDriver limit_driver = LimitDriver::any;
  bool rm = false;  // forget it when ended and nothing waits
  ApplyWhen apply = ApplyWhen::never;
  bool allow_protected = false;
  bool skip_protected = false;
  bool learn = false;      // tell the paths that its programs look for in vain (--learn)
  bool plan_only = false;  // reply 200 with PlanView, run nothing
  PolicyAsk policy;
  // An agent instead of a program: argv is then empty, and made from the agent's preset.
  std::string agent;  // name, or absolute path of a preset; empty with a prompt: the configured one
  std::string prompt;              // the job
  std::vector<std::string> extra;  // further arguments of the agent's command line
  AgentUse agent_use = AgentUse::job;
  std::vector<std::string> key_for;  // --key-for: rules as of allow, or "any"
  std::vector<SecretUse> secrets;    // --secret
  std::vector<SshKeyUse> ssh_keys;   // --ssh-key
  std::string ssh_agent;             // path of the agent that has them
  bool models = false;               // --models: the model gateway
  BudgetLimits budget;               // --max-tokens, --max-cost

  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("argv", s.argv, "program and arguments");
    v("cwd", s.cwd, "absolute working directory of the caller");
    v("env", s.env, "environment variables to set in the task");
    v("caller_env", s.caller_env,
      "the caller's variables from the fixed list that may be passed on");
    v("umask", s.umask, "file mode creation mask of the caller");
    v("name", s.name, "a name for the task: a-z A-Z 0-9 . _ -, at most 64 characters");
    v("labels", s.labels, "labels");
    v("workspace", s.workspace, "the folder the task works on; empty: found from cwd");
    v("mode", s.mode, "how changes to the workspace are held");
    v("write", s.write, "paths inside the workspace that are written through");
    v("from", s.from, "start from the held-back state of this task of the workspace, or last");
    v("show", s.show, "further paths to show, SRC[:DST][:ro|rw]");
    v("isolation", s.isolation, "least isolation that is accepted");
    v("seccomp", s.seccomp, "syscall filter profile");
    v("net", s.net, "network");
    v("allow", s.allow, "what may be reached: HOST[:PORT], *.HOST, CIDR, @GROUP; needs net allow");
    v("publish", s.publish, "ports of the task that are shown on the host's loopback");
    v("reach", s.reach, "ports of the host's loopback that are shown to the task");
    v("net_bytes", s.net_bytes, "limit of bytes to and from the network, 0: none");
    v("owned", s.owned, "the end of the client ends the task");
    v("stdin_mode", s.stdin_mode, "where the program's stdin comes from");
    v("stdout_mode", s.stdout_mode, "where the program's stdout goes");
    v("stderr_mode", s.stderr_mode, "where the program's stderr goes");
    v("rows", s.rows, "terminal rows");
    v("cols", s.cols, "terminal columns");
    TaskLimits::fields(s.limits, v);
    v("limit_driver", s.limit_driver, "who has to hold the limits");
    v("rm", s.rm, "forget the task when it ended and no change waits");
    v("learn", s.learn,
      "tell the paths that its programs look for and do not find, as denied events");
    v("plan_only", s.plan_only, "answer what would run, run nothing");
    v("apply", s.apply, "apply the changes when the task ends: never, always or on-success");
    v("allow_protected", s.allow_protected,
      "with apply: also what a tool outside would later execute or obey");
    v("skip_protected", s.skip_protected, "with apply: leave protected and refused paths out");
    v("policy", s.policy, "what is asked of policies");
    v("agent", s.agent, "name or path of the agent that gets the job, instead of argv");
    v("prompt", s.prompt, "the job");
    v("extra", s.extra, "further arguments of the agent's command line");
    v("agent_use", s.agent_use, "what the agent is started for");
    v("key_for", s.key_for,
      "where an agent's key or login may go beside its provider; any: the key is given as it is");
    v("secrets", s.secrets, "secrets that the task may use");
    v("ssh_keys", s.ssh_keys, "keys of an SSH agent that the task may sign in with");
    v("ssh_agent", s.ssh_agent, "absolute path of that agent's socket");
    v("models", s.models, "show it the model gateway, http://llm.codexos.internal");
    v("budget", s.budget, "the most that its models may use");
  }
};

/// The network of a task that reaches something by name.
struct TaskNet {
  std::vector<std::string> allow;  // in force now
  std::vector<int32_t> publish, reach;
  uint64_t max_bytes = 0;
  bool models = false;
  std::optional<uint64_t> bytes_in, bytes_out, connections, denials;  // at the end
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("allow", s.allow, "rules in force");
    v("publish", s.publish, "ports of the task on the host's loopback");
    v("reach", s.reach, "ports of the host's loopback inside the task");
    v("max_bytes", s.max_bytes, "limit of bytes in both directions together, 0: none");
    v("models", s.models, "whether it finds the model gateway");
    v("bytes_in", s.bytes_in, "bytes that came from the network, at the end");
    v("bytes_out", s.bytes_out, "bytes that went to the network, at the end");
    v("connections", s.connections, "connections that were admitted, at the end");
    v("denials", s.denials, "attempts that were refused, at the end");
  }
};

struct Task {
  std::string id;
  std::string name;
  std::map<std::string, std::string> labels;
  TaskState state = TaskState::queued;
  std::string activity;  // working, idle; empty when ended
  std::vector<std::string> argv;
  std::string cwd;
  std::string workspace;
  WorkspaceMode mode = WorkspaceMode::overlay;
  std::string from;
  std::string isolation;  // in force: "full"
  std::string seccomp;    // in force: "default", "nested"
  std::string network;    // in force: "none", "by name", "host"
  int32_t landlock_abi = 0;
  bool terminal = false;
  std::string cause;                 // empty until the end
  std::optional<int32_t> exit_code;  // what run and wait exit with
  std::optional<int32_t> signal;
  std::string detail;
  std::string created_at;
  std::string started_at;
  std::string ended_at;
  std::optional<int32_t> pid;  // of the shim, on the host, while it lives
  std::optional<Usage> usage;
  std::vector<LimitHeld> limits;
  std::optional<TaskNet> net;  // by name
  std::optional<ChangeCount> changes;
  std::string
      changes_state;  // none, waiting, applied, undone, discarded, expired, continued, direct
  std::vector<std::string> notes;
  std::optional<AgentRecord> agent;
  std::vector<SecretUse> secrets;
  std::vector<SshKeyUse> ssh_keys;
  std::optional<ModelUse> models;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("id", s.id, "12 characters of base32");
    v("name", s.name, "name, or empty");
    v("labels", s.labels, "labels");
    v("state", s.state, "state of the task");
    v("activity", s.activity, "what it is doing: working or idle; empty when ended");
    v("argv", s.argv, "program and arguments");
    v("cwd", s.cwd, "working directory inside");
    v("workspace", s.workspace, "the folder it works on, or empty");
    v("mode", s.mode, "how changes are held");
    v("from", s.from, "the task whose held-back state it started from");
    v("isolation", s.isolation, "isolation in force");
    v("seccomp", s.seccomp, "syscall filter profile in force");
    v("network", s.network, "network in force");
    v("landlock_abi", s.landlock_abi, "Landlock ABI in force, 0: none");
    v("terminal", s.terminal, "whether the program has a terminal");
    v("cause", s.cause, "why it ended; empty until then");
    v("exit_code", s.exit_code, "what run and wait exit with");
    v("signal", s.signal, "signal that ended the program");
    v("detail", s.detail, "reason in words, where there is one");
    v("created_at", s.created_at, "RFC 3339");
    v("started_at", s.started_at, "RFC 3339, empty until started");
    v("ended_at", s.ended_at, "RFC 3339, empty until ended");
    v("pid", s.pid, "process id of the task's shim on the host");
    v("usage", s.usage, "what it used, at the end");
    v("limits", s.limits, "its limits, and what holds each");
    v("net", s.net, "what it may reach, and what went to and fro");
    v("changes", s.changes, "what it changed in the workspace");
    v("changes_state", s.changes_state,
      "none, waiting, applied, undone (and the layers are gone), discarded, expired, continued or "
      "direct");
    v("notes", s.notes, "degradations and remarks");
    v("agent", s.agent, "the agent that was given the job, where it is one");
    v("secrets", s.secrets, "secrets that it may use");
    v("ssh_keys", s.ssh_keys, "keys of an SSH agent that it may sign in with, and where");
    v("models", s.models, "what its models used, through the gateway");
  }
};

/// What a task uses now; of one that has ended, what it used.
struct TaskStats {
  std::string task;
  std::string name;
  TaskState state = TaskState::running;
  uint64_t wall_us = 0;
  std::optional<uint64_t> memory_bytes;
  uint64_t cpu_us = 0;
  std::optional<uint64_t> pids;
  std::optional<uint64_t> disk_bytes;
  std::optional<uint64_t> net_bytes_in, net_bytes_out;
  std::vector<LimitHeld> limits;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("task", s.task, "task id");
    v("name", s.name, "name, or empty");
    v("state", s.state, "state of the task");
    v("wall_us", s.wall_us, "time since it was started, microseconds");
    v("memory_bytes", s.memory_bytes,
      "memory of all its processes with scratch space; after the end the most at once, where it "
      "was measured");
    v("cpu_us", s.cpu_us, "CPU time of all its processes so far, microseconds");
    v("pids", s.pids, "processes and threads; after the end the most at once");
    v("disk_bytes", s.disk_bytes, "held-back changes, scratch space and log");
    v("net_bytes_in", s.net_bytes_in, "bytes that came from the network");
    v("net_bytes_out", s.net_bytes_out, "bytes that went to the network");
    v("limits", s.limits, "its limits, and what holds each");
  }
};

struct TaskList {
  std::vector<Task> tasks;
  std::string next;  // cursor of the next page, empty at the end
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("tasks", s.tasks, "newest first");
    v("next", s.next, "cursor of the next page; empty: this was the last");
  }
};

/// --plan-only: what would run.
struct PlanMount {
  std::string role, kind, source, target, access;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("role", s.role, "what it is for");
    v("kind", s.kind, "bind, overlay, tmpfs, ...");
    v("source", s.source, "path on the host, or empty");
    v("target", s.target, "path inside");
    v("access", s.access, "ro, rw, held back, written through, private");
  }
};
struct PlanView {
  std::vector<std::string> argv;
  std::string cwd;
  std::string workspace;
  WorkspaceMode mode = WorkspaceMode::overlay;
  std::string isolation, seccomp, network;
  std::vector<std::string> allow;
  uint32_t inside_uid = 0;
  uint64_t timeout_ms = 0, idle_timeout_ms = 0;
  std::vector<LimitHeld> limits;
  std::vector<PlanMount> mounts;
  std::vector<std::string> env;
  std::vector<std::string> hidden;  // "~/.ssh: --show ~/.ssh" : what is there on the host and not
                                    // shown, and what would show it
  std::vector<std::string> notes;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("argv", s.argv, "program and arguments");
    v("cwd", s.cwd, "working directory inside");
    v("workspace", s.workspace, "workspace");
    v("mode", s.mode, "how changes are held");
    v("isolation", s.isolation, "isolation");
    v("seccomp", s.seccomp, "syscall filter profile");
    v("network", s.network, "network");
    v("allow", s.allow, "what it may reach by name");
    v("inside_uid", s.inside_uid, "user id inside");
    v("timeout_ms", s.timeout_ms, "time limit in milliseconds, 0: none");
    v("idle_timeout_ms", s.idle_timeout_ms, "idle limit in milliseconds, 0: none");
    v("limits", s.limits, "limits, and what would hold each");
    v("mounts", s.mounts, "what the task finds");
    v("env", s.env, "environment, K=V");
    v("hidden", s.hidden,
      "what exists on the host, is not shown, and the option that would show it");
    v("notes", s.notes, "degradations and remarks");
  }
};

struct ExecCreate {  // POST /v1/tasks/{id}/exec; descriptors as for TaskCreate
  std::vector<std::string> argv;
  std::map<std::string, std::string> env;
  std::string cwd;  // inside; empty: the task's own
  Stdio stdin_mode = Stdio::null;
  Stdio stdout_mode = Stdio::pipe;
  Stdio stderr_mode = Stdio::pipe;
  uint32_t rows = 24;
  uint32_t cols = 80;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("argv", s.argv, "program and arguments");
    v("env", s.env, "further environment variables");
    v("cwd", s.cwd, "working directory inside; empty: the task's");
    v("stdin_mode", s.stdin_mode, "where stdin comes from");
    v("stdout_mode", s.stdout_mode, "where stdout goes");
    v("stderr_mode", s.stderr_mode, "where stderr goes");
    v("rows", s.rows, "terminal rows");
    v("cols", s.cols, "terminal columns");
  }
};

struct StopBody {      // POST /v1/tasks/{id}/stop and /kill
  int32_t signal = 0;  // kill: default KILL
  uint64_t grace_ms = 10000;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("signal", s.signal, "signal number; 0: TERM for stop, KILL for kill");
    v("grace_ms", s.grace_ms, "milliseconds between TERM and KILL");
  }
};

/// One piece of output, from the log. `text` when the bytes are UTF-8, else `base64`.
struct OutputLine {
  std::string type = "output";
  std::string task;
  std::string stream;  // stdout, stderr
  uint64_t offset = 0;
  std::string text;
  std::string base64;
  std::optional<uint64_t> skipped;  // bytes cut from the middle before this piece
  std::optional<std::string> cut;   // the log ends at offset though the stream went on: why
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("type", s.type, "output");
    v("task", s.task, "task id");
    v("stream", s.stream, "stdout or stderr");
    v("offset", s.offset, "byte offset in the stream");
    v("text", s.text, "the bytes as UTF-8");
    v("base64", s.base64, "the bytes where they are not UTF-8");
    v("skipped", s.skipped, "bytes cut from the middle before this piece");
    v("cut", s.cut, "the last line of a log that ends before its stream did: why");
  }
};

}  // namespace codexos::wire

// SPDX-License-Identifier: Apache-2.0
// Agents as the API shows them: what is known about one, what one did in a task, and logins that
// are shared with tasks.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/fields.h"

namespace codexos::wire {

/// What an agent is started for.
enum class AgentUse : int { job, interactive, version };
constexpr auto enum_names(AgentUse) {
  return std::array{EnumName{AgentUse::job, "job"}, EnumName{AgentUse::interactive, "interactive"},
                    EnumName{AgentUse::version, "version"}};
}

/// What an agent says that it used. Tokens in include cached ones, whatever the provider counts.
struct AgentUsage {
  uint64_t input_tokens = 0;
  uint64_t cached_input_tokens = 0;
  uint64_t output_tokens = 0;
  uint64_t reasoning_tokens = 0;
  std::optional<double> cost_usd;  // the agent's own estimate
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("input_tokens", s.input_tokens, "tokens sent to models, cached ones among them");
    v("cached_input_tokens", s.cached_input_tokens, "those that came from a cache");
    v("output_tokens", s.output_tokens, "tokens that models wrote, reasoning among them");
    v("reasoning_tokens", s.reasoning_tokens, "those that were reasoning, where it is told apart");
    v("cost_usd", s.cost_usd, "what the agent says that it cost, US dollars");
  }
};

/// What a task's record says about its agent.
struct AgentRecord {
  std::string name;
  std::string preset;   // where its preset stands: built in, or a file
  std::string program;  // path on the host
  AgentUse use = AgentUse::job;
  std::string prompt;
  std::string auth;           // key (which variable), login, none
  bool placeholders = false;  // the task has those instead of key or tokens
  std::string inner_sandbox;  // the agent's own: off, nested
  std::string events;         // parser of its output; empty: it is text
  std::string session;        // its conversation, as it names it
  bool continued = false;     // the conversation is an earlier task's
  std::optional<AgentUsage> usage;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("name", s.name, "name of the agent");
    v("preset", s.preset, "where its preset stands: built in, or a file");
    v("program", s.program, "its program on the host");
    v("use", s.use, "what it was started for");
    v("prompt", s.prompt, "the job that it was given");
    v("auth", s.auth, "how it authenticates: key NAME, login, none");
    v("placeholders", s.placeholders,
      "whether the task has placeholders instead of its key or tokens");
    v("inner_sandbox", s.inner_sandbox, "its own sandbox inside ours: off or nested");
    v("events", s.events, "how its output is read; empty: as text");
    v("session", s.session, "its name for the conversation");
    v("continued", s.continued, "whether the conversation is an earlier task's");
    v("usage", s.usage, "tokens and cost, as the agent counts them");
  }
};

// ---- /v1/agents

/// Who asks: the presets and programs of which home.
struct AgentQuery {
  std::map<std::string, std::string> caller_env;  // HOME PATH XDG_CONFIG_HOME
  std::string cwd;
  std::string name;  // empty: all; a name, or the path of a preset
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("caller_env", s.caller_env, "HOME, PATH and XDG_CONFIG_HOME of the caller");
    v("cwd", s.cwd, "absolute working directory of the caller");
    v("name", s.name, "name or path of a preset; empty: all");
  }
};

struct AgentLogin {
  std::string agent;
  std::string file;   // the user's own
  std::string state;  // shared, not shared, not there, damaged
  std::string detail;
  std::string shared_at;
  std::string written_back_at;
  bool placeholders = false;  // tasks find those of its tokens
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("agent", s.agent, "name of the agent");
    v("file", s.file, "the user's own credential file");
    v("state", s.state, "shared, not shared, not there or damaged");
    v("detail", s.detail, "why, in words");
    v("shared_at", s.shared_at, "since when it is shared, RFC 3339");
    v("written_back_at", s.written_back_at, "when a refreshed login was last written back");
    v("placeholders", s.placeholders, "whether tasks find placeholders of its tokens");
  }
};

struct AgentView {
  std::string name;
  std::string about;
  std::string preset;
  std::string program;  // empty: not found
  std::vector<std::string> looked_in;
  std::vector<std::string> job, resume, interactive;  // argv templates
  std::map<std::string, std::string> env;
  std::vector<std::string> folders;
  std::vector<std::string> hosts;
  std::vector<std::string> keys;
  std::string events;
  std::string inner_sandbox;
  uint64_t idle_timeout_ms = 0;
  std::optional<AgentLogin> login;
  std::string error;  // the preset cannot be read
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("name", s.name, "name of the agent");
    v("about", s.about, "what it is");
    v("preset", s.preset, "where its preset stands: built in, or a file");
    v("program", s.program, "its program on the host; empty: not found");
    v("looked_in", s.looked_in, "folders that were looked in beside PATH");
    v("job", s.job, "command line for a job");
    v("resume", s.resume, "command line that goes on with the last conversation");
    v("interactive", s.interactive, "command line at a terminal");
    v("env", s.env, "variables that it gets");
    v("folders", s.folders, "its folders below HOME, kept for each workspace");
    v("hosts", s.hosts, "hosts that it needs");
    v("keys", s.keys, "variables that can hold its key");
    v("events", s.events, "how its output is read; empty: as text");
    v("inner_sandbox", s.inner_sandbox, "its own sandbox inside ours: off or nested");
    v("idle_timeout_ms", s.idle_timeout_ms, "idle limit of its jobs in milliseconds");
    v("login", s.login, "its login, where it has one");
    v("error", s.error, "why the preset cannot be used");
  }
};

struct AgentList {
  std::vector<AgentView> agents;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("agents", s.agents, "by name");
  }
};

/// agent check, put together by the command line.
struct AgentCheck {
  std::string agent;
  std::string program;
  std::string version;
  std::vector<std::string> keys;
  std::string login;
  std::vector<std::string> hosts;
  std::vector<std::string> problems;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("agent", s.agent, "name of the agent");
    v("program", s.program, "its program on the host");
    v("version", s.version, "what it prints as its version, inside a task");
    v("keys", s.keys, "variables with a key that are set here");
    v("login", s.login, "state of its login");
    v("hosts", s.hosts, "hosts that it needs");
    v("problems", s.problems, "what stands in the way of a job");
  }
};

struct AgentLoginList {
  std::vector<AgentLogin> logins;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("logins", s.logins, "by agent");
  }
};

}  // namespace codexos::wire

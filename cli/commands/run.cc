// SPDX-License-Identifier: Apache-2.0
// codexos run -- CMD, and run -a AGENT "JOB": fills wire::TaskCreate, sends it with stdio attached,
// and behaves like the program from then on. What an agent says comes as events.
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "cli/agent_text.h"
#include "cli/budget_options.h"
#include "cli/commands/all.h"
#include "cli/commands/plan_text.h"
#include "cli/environment.h"
#include "cli/event_stream.h"
#include "cli/policy_ask.h"
#include "cli/render.h"
#include "cli/session.h"
#include "cli/ssh_keys.h"
#include "cli/tasks.h"
#include "cli/values.h"
#include "core/base/egress_net.h"
#include "core/base/text.h"
#include "core/json/json.h"
#include "core/wire/task.h"

namespace codexos::cli {
namespace {

bool is_program(const std::string& path) {
  struct stat st {};
  return stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode) && access(path.c_str(), X_OK) == 0;
}

bool is_program_on_path(const std::string& word, std::string_view path) {
  if (word.empty() || word.find('/') != std::string::npos) return !word.empty() && is_program(word);
  while (!path.empty()) {
    const size_t colon = path.find(':');
    const std::string dir(path.substr(0, colon));
    path = colon == std::string_view::npos ? std::string_view() : path.substr(colon + 1);
    if (is_program((dir.empty() ? "." : dir) + "/" + word)) return true;
  }
  return false;
}

/// `run` without a command behind `--`, and without -a: a prompt, or what was meant?
Status check_command(const Invocation& inv, const Variables& env) {
  if (inv.words.empty()) {
    if (!inv.payload.empty()) return {};
    return Error{Code::invalid, "no command is given", "codexos run -- CMD [ARG...]"};
  }
  std::vector<std::string> corrected = inv.before;
  corrected.emplace_back("--");
  corrected.insert(corrected.end(), inv.words.begin(), inv.words.end());
  corrected.insert(corrected.end(), inv.payload.begin(), inv.payload.end());
  const std::string line = fmt::format("did you mean: {}", quote_words(corrected));
  if (inv.words.size() > 1 || inv.dashes)
    return Error{Code::invalid, "a command stands behind --", line};
  const auto path = env.find("PATH");
  if (is_program_on_path(inv.words[0], path == env.end() ? std::string_view() : path->second))
    return Error{
        Code::invalid,
        fmt::format("{} is a program; a command stands behind --", quote_word(inv.words[0])), line};
  return {};
}

/// Whether an agent gets the job: by -a, or since all there is is a prompt.
bool is_agent_run(const Invocation& inv) {
  return inv.has("agent") || (inv.words.size() == 1 && !inv.dashes);
}
/// Its output is told as events.
bool is_agent_job(const Invocation& inv) { return is_agent_run(inv) && !inv.has("tty"); }

Status fill_agent(const Invocation& inv, const Variables& env, wire::TaskCreate& c) {
  if (!is_agent_run(inv)) {
    CODEXOS_TRY(check_command(inv, env));
    c.argv = inv.payload;
    return {};
  }
  if (!inv.has("agent")) CODEXOS_TRY(check_command(inv, env));
  if (inv.words.size() > 1) {
    return Error{Code::invalid, "the job is one argument",
                 fmt::format("did you mean: codexos run -a {} {}", quote_word(inv.value("agent")),
                             quote_word(join_words(inv.words, " ")))};
  }
  const auto find = [&env](const char* name) {
    const auto at = env.find(name);
    return at == env.end() ? std::string() : at->second;
  };
  c.agent = inv.value("agent", find("CODEXOS_AGENT"));
  if (inv.has("agent") && c.agent.empty()) return Error{Code::invalid, "--agent is empty", {}};
  const bool is_file = c.agent.ends_with(".yaml") || c.agent.ends_with(".yml");
  if (is_file || c.agent.find('/') != std::string::npos)
    c.agent = absolute_path(c.agent, c.cwd, find("HOME"));
  if (!inv.words.empty()) c.prompt = inv.words[0];
  c.extra = inv.payload;
  c.agent_use = is_agent_job(inv) ? wire::AgentUse::job : wire::AgentUse::interactive;
  if (const std::string folder = find("XDG_CONFIG_HOME"); !folder.empty())
    c.caller_env["XDG_CONFIG_HOME"] = folder;
  return {};
}

/// An agent without a terminal asks nobody and draws nothing: its output is read as events, and it
/// has no stdin unless -i says so (some wait for its end).
StdioChoice stdio_of(const Context& ctx, const Invocation& inv) {
  if (!is_agent_job(inv) || inv.has("detach")) return stdio_for(ctx, inv);
  StdioChoice c = stdio_as_events(ctx, inv);
  if (inv.has("interactive")) return c;
  c.mode[0] = Stdio::null;
  c.forward_input = false;
  return c;
}

uint32_t current_umask() {
  const mode_t m = umask(0);
  umask(m);
  return m;
}

Status fill_labels(const Invocation& inv, wire::TaskCreate& c) {
  for (const std::string& text : inv.values("label")) {
    auto pair = parse_pair(text);
    if (!pair.ok()) return std::move(pair).error().during("--label");
    if (!is_utf8(pair->first))
      return Error{Code::invalid,
                   fmt::format("--label: the key {} is not UTF-8", quote_word(pair->first)),
                   {}};
    c.labels[pair->first] = pair->second;
  }
  return {};
}

Status fill_limits(const Invocation& inv, wire::TaskCreate& c) {
  for (const LimitRow& row : kLimits) {
    const std::string option = limit_option(row);
    const std::string key = option.substr(2);
    if (!inv.has(key)) continue;
    auto amount = parse_limit(row, inv.value(key));
    if (!amount.ok()) return std::move(amount).error().during(option);
    c.limits.*(row.amount) = *amount;
  }
  return {};
}

Result<int32_t> parse_port(const std::string& text) {
  const auto n = parse_number(text);
  constexpr uint64_t kLast = 65535;
  if (n.ok() && *n >= 1 && *n <= kLast) return static_cast<int32_t>(*n);
  return Error{Code::invalid, fmt::format("{} is no port", quote_word(text)), "1 to 65535"};
}

/// A port goes by the relay; a socket is a path that is shown.
Status fill_local_ports(const Invocation& inv, wire::TaskCreate& c) {
  for (const std::string& text : inv.values("publish")) {
    auto port = parse_port(text);
    if (!port.ok()) return std::move(port).error().during("--publish");
    c.publish.push_back(*port);
  }
  for (const std::string& text : inv.values("reach")) {
    if (text.find('/') != std::string::npos) {
      c.show.push_back(text + ":rw");
      continue;
    }
    auto port = parse_port(text);
    if (!port.ok()) return std::move(port).error().during("--reach");
    c.reach.push_back(*port);
  }
  return {};
}

Status fill_network(const Invocation& inv, wire::TaskCreate& c) {
  c.allow = inv.values("allow");
  CODEXOS_TRY(fill_local_ports(inv, c));
  c.models = inv.has("models");
  const bool wanted = !c.allow.empty() || !c.publish.empty() || !c.reach.empty() || c.models;
  if (wanted) c.net = wire::Network::allow;
  // Nothing is allowed by it, but then each name that is asked for is told.
  if (c.learn && !inv.has("net")) c.net = wire::Network::allow;
  if (inv.has("net")) {
    const auto net = *find_enum<wire::Network>(inv.value("net"));
    if (wanted && net != wire::Network::allow)
      return Error{Code::invalid,
                   fmt::format("--allow, --publish, --reach and --models cannot be given with "
                               "--net {}",
                               inv.value("net")),
                   "without --net they are --net allow"};
    c.net = net;
  }
  if (!inv.has("net-bytes")) return {};
  auto bytes = parse_size(inv.value("net-bytes"));
  if (!bytes.ok()) return std::move(bytes).error().during("--net-bytes");
  if (c.net != wire::Network::allow)
    return Error{Code::invalid, "--net-bytes needs a network",
                 "--allow HOST names what is reached"};
  c.net_bytes = *bytes;
  return {};
}

Status fill_secrets(const Invocation& inv, wire::TaskCreate& c) {
  c.key_for = inv.values("key-for");
  struct Row {
    const char* key;
    wire::SecretForm form;
  };
  constexpr Row kRows[] = {{"secret", wire::SecretForm::placeholder},
                           {"secret-file", wire::SecretForm::file},
                           {"secret-value", wire::SecretForm::value}};
  for (const Row& row : kRows)
    for (const std::string& text : inv.values(row.key)) {
      const size_t equals = text.find('=');
      wire::SecretUse use{text.substr(0, equals), row.form, {}};
      if (equals != text.npos) use.target = text.substr(equals + 1);
      if (use.name.empty() || (equals != text.npos && use.target.empty()))
        return Error{
            Code::invalid,
            fmt::format("--{} {}: NAME or NAME=TARGET is expected", row.key, quote_word(text)),
            {}};
      c.secrets.push_back(std::move(use));
    }
  return {};
}

void fill_workspace(const Invocation& inv, const Variables& env, wire::TaskCreate& c) {
  const auto home_at = env.find("HOME");
  const std::string home = home_at == env.end() ? "" : home_at->second;
  if (inv.has("workspace")) c.workspace = absolute_path(inv.value("workspace"), c.cwd, home);
  if (inv.has("mode")) c.mode = *find_enum<wire::WorkspaceMode>(inv.value("mode"));
  if (inv.has("isolation")) c.isolation = *find_enum<wire::Isolation>(inv.value("isolation"));
  if (inv.has("seccomp")) c.seccomp = *find_enum<wire::SeccompProfile>(inv.value("seccomp"));
  // Without -w the workspace is found from the current directory, so paths are meant from there;
  // with -w they are meant inside that folder, which the daemon takes relative ones for.
  for (const std::string& path : inv.values("write"))
    c.write.push_back(
        inv.has("workspace") && !path.starts_with("~") ? path : absolute_path(path, c.cwd, home));
  for (std::string& what : c.show) what = absolute_path(what, c.cwd, home);  // of --reach
  for (const std::string& what : inv.values("show"))
    c.show.push_back(absolute_path(what, c.cwd, home));
  c.from = inv.value("from", inv.has("c") ? "last" : "");
}

/// What is left out of the request because it is the default, and still counts before files.
void fill_given(const Invocation& inv, wire::TaskCreate& c) {
  const auto add = [&](const char* key, bool is_default) {
    if (inv.has(key) && is_default) c.policy.given.emplace_back(key);
  };
  add("net", c.net == wire::Network::none);
  add("isolation", c.isolation == wire::Isolation::full);
  add("seccomp", c.seccomp == wire::SeccompProfile::default_);
  for (const LimitRow& row : kLimits) {
    const std::string key = limit_option(row).substr(2);
    add(key.c_str(), c.limits.*(row.amount) == 0);
  }
}

Result<wire::TaskCreate> make_request(const Context& ctx, const Invocation& inv,
                                      const Variables& env) {
  wire::TaskCreate c;
  CODEXOS_ASSIGN(c.cwd, current_folder());
  CODEXOS_ASSIGN(c.env, task_variables(inv.values("env-file"), inv.values("env"), env));
  c.caller_env = caller_variables(env);
  CODEXOS_TRY(fill_agent(inv, env, c));
  c.umask = current_umask();
  c.name = inv.value("name");
  if (inv.has("name") && c.name.empty()) return Error{Code::invalid, "--name is empty", {}};
  if (inv.has("from") && inv.has("c") && inv.value("from") != "last")
    return Error{Code::invalid, "-c is --from last; only one of them can be given", {}};
  for (const std::string_view key : {"workspace", "write", "show", "from", "env-file"})
    for (const std::string& given : inv.values(key))
      if (given.empty()) return Error{Code::invalid, fmt::format("--{} is empty", key), {}};
  c.learn = inv.has("learn");
  CODEXOS_TRY(fill_labels(inv, c));
  CODEXOS_TRY(fill_limits(inv, c));
  CODEXOS_TRY(fill_network(inv, c));
  CODEXOS_TRY(fill_secrets(inv, c));
  CODEXOS_TRY(fill_ssh_keys(inv, env, c));
  CODEXOS_TRY(fill_budget(inv, c.budget));
  fill_workspace(inv, env, c);
  CODEXOS_ASSIGN(c.policy, policy_ask(inv, env, c.cwd));
  fill_given(inv, c);
  c.rm = inv.has("rm");
  if (inv.has("apply") && inv.has("apply-on-success"))
    return Error{Code::invalid, "only one of --apply and --apply-on-success can be given", {}};
  if (inv.has("apply")) c.apply = wire::ApplyWhen::always;
  if (inv.has("apply-on-success")) c.apply = wire::ApplyWhen::on_success;
  c.allow_protected = inv.has("allow-protected");
  c.skip_protected = inv.has("skip-protected");
  c.plan_only = inv.has("plan-only");
  c.owned = !inv.has("detach") && !c.plan_only;
  const StdioChoice stdio = stdio_of(ctx, inv);
  c.stdin_mode = stdio.mode[0];
  c.stdout_mode = stdio.mode[1];
  c.stderr_mode = stdio.mode[2];
  const TerminalSize size = size_for(stdio);
  c.rows = size.rows;
  c.cols = size.cols;
  return c;
}

Result<int> print_plan(Context& ctx, Client& client, wire::TaskCreate create) {
  // No descriptors go with it: nothing runs.
  for (Stdio* mode : {&create.stdout_mode, &create.stderr_mode})
    if (*mode == Stdio::passed) *mode = Stdio::pipe;
  const Request r{"POST", "/v1/tasks", {}, json::encode(create, json::Defaults::omit)};
  CODEXOS_ASSIGN(const std::string body, client.call(r));
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(body));
    return 0;
  }
  CODEXOS_ASSIGN(const auto plan, json::decode<wire::PlanView>(body, json::Unknown::ignore));
  CODEXOS_TRY(print(plan_text(plan, ctx.globals.verbose)));
  return 0;
}

Result<int> start_detached(Context& ctx, Client& client, const wire::TaskCreate& create) {
  const Request r{"POST", "/v1/tasks", {}, json::encode(create, json::Defaults::omit)};
  CODEXOS_ASSIGN(const std::string body, client.call(r));
  CODEXOS_ASSIGN(const auto task, json::decode<wire::Task>(body, json::Unknown::ignore));
  if (!ctx.globals.quiet)
    for (const std::string& note : task.notes) say(note);
  CODEXOS_TRY(print_line(ctx.globals.json ? body : task.id));
  return 0;
}

/// A task can only start from layers that are there; making them may take a while.
Status open_snapshot(Client& client, const std::string& from) {
  const size_t at = from.find('@');
  if (at == std::string::npos) return {};
  const std::string path = task_path(from.substr(0, at), "snapshots") + "/" +
                           http::percent_encode(from.substr(at + 1)) + "/open";
  auto opened = client.call(Request{"POST", path, {}, {}});
  if (!opened.ok()) return std::move(opened).error().during("start from " + from);
  return {};
}

/// By the option or by a rule.
bool uses_models(const wire::TaskCreate& c) {
  return c.models || std::any_of(c.allow.begin(), c.allow.end(), [](const std::string& rule) {
           return rule.starts_with(kModelsHost);
         });
}

Result<int> run_attached(Context& ctx, Client& client, const Invocation& inv,
                         const wire::TaskCreate& create) {
  Session s;
  s.request = Request{"POST", "/v1/tasks", {}, json::encode(create, json::Defaults::omit)};
  const bool job = is_agent_job(inv);
  s.what = fmt::format("run {}", quote_word(is_agent_run(inv) ? create.agent : create.argv[0]));
  s.owner = true;
  // The daemon judges an agent's end by what it said, and that of a task that uses models by what
  // they were refused.
  s.ends_later = create.apply != wire::ApplyWhen::never || job || uses_models(create);
  s.forgets = create.rm && !job;
  s.relay.stdio = stdio_of(ctx, inv);
  const bool follow = ctx.globals.json || job;
  s.relay.discard_output = follow;
  AgentText text(ctx);
  EventStream events(client, [&](std::string_view line) {
    return ctx.globals.json ? print_line(line) : text.line(line);
  });
  if (follow) {
    s.on_connected = [&events](const std::string& task, RelayOptions& relay) -> Status {
      CODEXOS_TRY(events.open(task));
      relay.extra_fd = [&events] { return events.fd(); };
      relay.on_extra = [&events] { return events.pump(); };
      return {};
    };
    s.before_end = [&events] { return events.finish(); };
  }
  auto code = run_session(ctx, client, std::move(s));
  if (!code.ok() || !follow) return code;
  if (auto r = events.finish(); !r.ok()) {
    report(ctx, Error(r.error()).during("run"));
    constexpr int kOurFault = 125;
    return *code == 0 ? kOurFault : *code;
  }
  return code;
}

}  // namespace

Result<int> run_task(Context& ctx, const Invocation& inv) {
  const Variables env = read_environment();
  CODEXOS_ASSIGN(wire::TaskCreate create, make_request(ctx, inv, env));
  Client client(ctx);
  CODEXOS_TRY(open_snapshot(client, create.from));
  return send_with_env(ctx, env, create.policy, [&]() -> Result<int> {
    if (create.plan_only) return print_plan(ctx, client, create);
    if (inv.has("detach")) return start_detached(ctx, client, create);
    return run_attached(ctx, client, inv, create);
  });
}

}  // namespace codexos::cli

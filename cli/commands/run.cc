// SPDX-License-Identifier: Apache-2.0
// codexos run -- CMD: fills wire::TaskCreate, sends it with stdio attached, and behaves like the
// program from then on.
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "cli/commands/all.h"
#include "cli/commands/plan_text.h"
#include "cli/environment.h"
#include "cli/render.h"
#include "cli/session.h"
#include "cli/tasks.h"
#include "cli/values.h"
#include "core/base/utf8.h"
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

/// `run` without a command behind `--`: what was meant?
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
  return Error{Code::unsupported, "a prompt for an agent is not available in this version",
               "to run a program: codexos run -- CMD [ARG...]"};
}

uint32_t current_umask() {
  const mode_t m = umask(0);
  umask(m);
  return m;
}

Status check_utf8(const wire::TaskCreate& c) {
  const auto wrong = [](std::string_view what) {
    return Error{Code::invalid, fmt::format("{} is not UTF-8", what), {}};
  };
  for (size_t i = 0; i < c.argv.size(); ++i)
    if (!is_utf8(c.argv[i])) return wrong(fmt::format("word {} of the command", i + 1));
  if (!is_utf8(c.cwd)) return wrong("the path of the current directory");
  if (!is_utf8(c.workspace)) return wrong("--workspace");
  for (const std::string& s : c.write)
    if (!is_utf8(s)) return wrong("--write");
  for (const std::string& s : c.show)
    if (!is_utf8(s)) return wrong("--show");
  if (!is_utf8(c.name)) return wrong("--name");
  return {};
}

Status fill_labels(const Invocation& inv, wire::TaskCreate& c) {
  for (const std::string& text : inv.values("label")) {
    auto pair = parse_pair(text);
    if (!pair.ok()) return std::move(pair).error().during("--label");
    c.labels[pair->first] = pair->second;
  }
  return {};
}

Status fill_limits(const Invocation& inv, wire::TaskCreate& c) {
  struct Limit {
    std::string_view key;
    uint64_t& to;
  };
  for (const Limit& l :
       {Limit{"timeout", c.timeout_ms}, Limit{"idle-timeout", c.idle_timeout_ms}}) {
    if (!inv.has(l.key)) continue;
    auto ms = parse_duration(inv.value(l.key));
    if (!ms.ok()) return std::move(ms).error().during(fmt::format("--{}", l.key));
    l.to = *ms;
  }
  return {};
}

void fill_workspace(const Invocation& inv, const Variables& env, wire::TaskCreate& c) {
  const auto home_at = env.find("HOME");
  const std::string home = home_at == env.end() ? "" : home_at->second;
  if (inv.has("workspace")) c.workspace = absolute_path(inv.value("workspace"), c.cwd, home);
  if (inv.has("mode")) c.mode = *find_enum<wire::WorkspaceMode>(inv.value("mode"));
  if (inv.has("seccomp")) c.seccomp = *find_enum<wire::SeccompProfile>(inv.value("seccomp"));
  // Without -w the workspace is found from the current directory, so paths are meant from there;
  // with -w they are meant inside that folder, which the daemon takes relative ones for.
  for (const std::string& path : inv.values("write"))
    c.write.push_back(
        inv.has("workspace") && !path.starts_with("~") ? path : absolute_path(path, c.cwd, home));
  for (const std::string& what : inv.values("show"))
    c.show.push_back(absolute_path(what, c.cwd, home));
  c.from = inv.value("from", inv.has("c") ? "last" : "");
}

Result<wire::TaskCreate> make_request(const Context& ctx, const Invocation& inv,
                                      const Variables& env) {
  wire::TaskCreate c;
  c.argv = inv.payload;
  CODEXOS_ASSIGN(c.cwd, current_folder());
  CODEXOS_ASSIGN(c.env, task_variables(inv.values("env-file"), inv.values("env"), env));
  c.caller_env = caller_variables(env);
  c.umask = current_umask();
  c.name = inv.value("name");
  if (inv.has("name") && c.name.empty()) return Error{Code::invalid, "--name is empty", {}};
  if (inv.has("from") && inv.has("c") && inv.value("from") != "last")
    return Error{Code::invalid, "-c is --from last; only one of them can be given", {}};
  for (const std::string_view key : {"workspace", "write", "show", "from", "env-file"})
    for (const std::string& given : inv.values(key))
      if (given.empty()) return Error{Code::invalid, fmt::format("--{} is empty", key), {}};
  CODEXOS_TRY(fill_labels(inv, c));
  CODEXOS_TRY(fill_limits(inv, c));
  fill_workspace(inv, env, c);
  c.rm = inv.has("rm");
  c.plan_only = inv.has("plan-only");
  c.owned = !inv.has("detach") && !c.plan_only;
  const StdioChoice stdio = stdio_for(ctx, inv);
  c.stdin_mode = stdio.mode[0];
  c.stdout_mode = stdio.mode[1];
  c.stderr_mode = stdio.mode[2];
  const TerminalSize size = size_for(stdio);
  c.rows = size.rows;
  c.cols = size.cols;
  CODEXOS_TRY(check_utf8(c));
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
  CODEXOS_TRY(print_line(ctx.globals.json ? body : task.id));
  return 0;
}

/// run --json: events and output lines come on a second connection, and go on to stdout as they
/// are.
class EventPrinter {
 public:
  explicit EventPrinter(Client& client) : client_(client) {}

  Status open(const std::string& task) {
    CODEXOS_ASSIGN(auto s, client_.open_stream(
                               Request{"GET", task_path(task, "stream"), {{"follow", "1"}}, {}}));
    stream_.emplace(std::move(s));
    return {};
  }
  int fd() const { return stream_->fd(); }
  /// False: there is no more.
  bool pump() {
    const auto r = stream_->read([](std::string_view line) { return print_line(line); });
    if (!r.ok()) failed_ = r.error();
    open_ = r.ok() && *r;
    return open_;
  }
  Status finish() {
    while (open_) pump();
    if (failed_) return *failed_;
    return {};
  }

 private:
  Client& client_;
  std::optional<LineStream> stream_;
  bool open_ = true;
  std::optional<Error> failed_;
};

Result<int> run_attached(Context& ctx, Client& client, const Invocation& inv,
                         const wire::TaskCreate& create) {
  Session s;
  s.request = Request{"POST", "/v1/tasks", {}, json::encode(create, json::Defaults::omit)};
  s.what = fmt::format("run {}", quote_word(create.argv[0]));
  s.owner = true;
  s.relay.stdio = stdio_for(ctx, inv);
  s.relay.discard_output = ctx.globals.json;
  EventPrinter events(client);
  if (ctx.globals.json) {
    s.on_connected = [&events](const std::string& task, RelayOptions& relay) -> Status {
      CODEXOS_TRY(events.open(task));
      relay.extra_fd = events.fd();
      relay.on_extra = [&events] { return events.pump(); };
      return {};
    };
  }
  auto code = run_session(ctx, client, std::move(s));
  if (!code.ok() || !ctx.globals.json) return code;
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
  CODEXOS_TRY(check_command(inv, env));
  CODEXOS_ASSIGN(const wire::TaskCreate create, make_request(ctx, inv, env));
  Client client(ctx);
  if (create.plan_only) return print_plan(ctx, client, create);
  if (inv.has("detach")) return start_detached(ctx, client, create);
  return run_attached(ctx, client, inv, create);
}

}  // namespace codexos::cli

// SPDX-License-Identifier: Apache-2.0
// codexos run -- CMD: fills wire::TaskCreate, sends it with stdio attached, and behaves like the
// program from then on.
#include <fmt/core.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "cli/commands/all.h"
#include "cli/commands/plan_text.h"
#include "cli/environment.h"
#include "cli/render.h"
#include "cli/session.h"
#include "cli/tasks.h"
#include "cli/values.h"
#include "core/base/text.h"
#include "core/json/json.h"
#include "core/wire/event.h"
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
  if (inv.has("apply") && inv.has("apply-on-success"))
    return Error{Code::invalid, "only one of --apply and --apply-on-success can be given", {}};
  if (inv.has("apply")) c.apply = wire::ApplyWhen::always;
  if (inv.has("apply-on-success")) c.apply = wire::ApplyWhen::on_success;
  c.plan_only = inv.has("plan-only");
  c.owned = !inv.has("detach") && !c.plan_only;
  const StdioChoice stdio = stdio_for(ctx, inv);
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

/// run --json: events and output lines come on a second connection, and go on to stdout as they
/// are. A stream that is cut, because the daemon ended, is asked for again from where it was, of a
/// daemon that is started for it: the task's end is printed whoever records it.
class EventPrinter {
 public:
  explicit EventPrinter(Client& client) : client_(client) {}

  Status open(const std::string& task) {
    task_ = task;
    return connect();
  }
  int fd() const { return stream_ ? stream_->fd() : -1; }
  /// False: there is no more.
  bool pump() {
    if (!stream_) return false;
    const auto r = stream_->read([this](std::string_view line) { return take(line); });
    if (r.ok()) return keep(*r);
    failed_ = r.error();
    if (!printed_ || failed_->code != Code::unavailable || ++cuts_ > kMaxCuts) return keep(false);
    // A daemon that cannot be started now may be there for finish().
    if (const auto again = connect_again(); !again.ok()) {
      failed_ = again.error();
      return keep(false);
    }
    failed_.reset();
    return true;
  }
  Status finish() {
    if (failed_ && printed_ && !ended_ && cuts_ <= kMaxCuts && connect().ok()) failed_.reset();
    while (stream_) pump();
    if (failed_) return *failed_;
    return {};
  }

 private:
  static constexpr int kMaxCuts = 5;
  bool keep(bool more) {
    if (!more) stream_.reset();
    return more;
  }
  /// A daemon that is about to be gone may still take the connection, and drop it.
  Status connect_again() {
    constexpr int kTries = 10, kPauseMs = 30;
    Status last = connect();
    for (int n = 1; n < kTries && !last.ok() && last.error().code == Code::unavailable; ++n) {
      poll(nullptr, 0, kPauseMs);
      last = connect();
    }
    return last;
  }
  Status connect() {
    CODEXOS_ASSIGN(auto s, client_.open_stream(Request{"GET",
                                                       task_path(task_, "stream"),
                                                       {{"follow", "1"},
                                                        {"since", std::to_string(seq_)},
                                                        {"from_stdout", std::to_string(next_[0])},
                                                        {"from_stderr", std::to_string(next_[1])}},
                                                       {}}));
    stream_.emplace(std::move(s));
    return {};
  }
  Status take(std::string_view line) {
    CODEXOS_TRY(note_place(line));
    const Status printed = print_line(line);
    printed_ = printed.ok();
    cuts_ = 0;
    return printed;
  }
  /// Where to go on: behind the last event, and behind the last byte of each stream.
  Status note_place(std::string_view line) {
    constexpr std::string_view kOutput = R"({"type":"output")";
    if (!line.starts_with(kOutput)) {
      CODEXOS_ASSIGN(const auto event, json::decode<wire::Event>(line, json::Unknown::ignore));
      seq_ = event.seq;
      ended_ = event.type == wire::EventType::task_ended;
      return {};
    }
    CODEXOS_ASSIGN(const auto piece, json::decode<wire::OutputLine>(line, json::Unknown::ignore));
    CODEXOS_ASSIGN(const std::string bytes, from_base64(piece.base64));
    next_[piece.stream == "stdout" ? 0 : 1] = piece.offset + piece.text.size() + bytes.size();
    return {};
  }

  Client& client_;
  std::string task_;
  std::optional<LineStream> stream_;  // none: there is no more
  std::optional<Error> failed_;
  int64_t seq_ = 0;
  std::array<uint64_t, 2> next_{};  // offsets in stdout and stderr
  bool ended_ = false;
  bool printed_ = true;  // false: our stdout failed
  int cuts_ = 0;         // since the last line
};

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

Result<int> run_attached(Context& ctx, Client& client, const Invocation& inv,
                         const wire::TaskCreate& create) {
  Session s;
  s.request = Request{"POST", "/v1/tasks", {}, json::encode(create, json::Defaults::omit)};
  s.what = fmt::format("run {}", quote_word(create.argv[0]));
  s.owner = true;
  s.ends_later = create.apply != wire::ApplyWhen::never;
  s.relay.stdio = stdio_for(ctx, inv);
  s.relay.discard_output = ctx.globals.json;
  EventPrinter events(client);
  if (ctx.globals.json) {
    s.on_connected = [&events](const std::string& task, RelayOptions& relay) -> Status {
      CODEXOS_TRY(events.open(task));
      relay.extra_fd = [&events] { return events.fd(); };
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
  CODEXOS_TRY(open_snapshot(client, create.from));
  if (create.plan_only) return print_plan(ctx, client, create);
  if (inv.has("detach")) return start_detached(ctx, client, create);
  return run_attached(ctx, client, inv, create);
}

}  // namespace codexos::cli

// SPDX-License-Identifier: Apache-2.0
#include "cli/tasks.h"

#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "cli/escape.h"
#include "cli/render.h"
#include "core/base/clock.h"
#include "core/base/path.h"

namespace codexos::cli {
namespace {

constexpr int kLastEventRetryMs = 200;
constexpr int64_t kGiveUpUs = 30000000;  // without any answer

/// One answer of the daemon; `seen` is whether it answered at all.
Result<std::string> wait_once(Client& client, const std::string& task, bool& seen) {
  std::string last;
  CODEXOS_ASSIGN(auto stream, client.open_stream(Request{"GET", task_path(task, "wait"), {}, {}}));
  seen = true;
  const auto keep = [&last](std::string_view line) -> Status {
    last = line;
    return {};
  };
  for (bool more = true; more;) {
    CODEXOS_ASSIGN(more, stream.read(keep));
  }
  if (last.empty())
    return Error{Code::not_found, "the task was removed before it was seen to end", {}};
  return last;
}

}  // namespace

Result<std::string> wait_for_end(Client& client, const std::string& task) {
  int64_t give_up = monotonic_us() + kGiveUpUs;
  bool seen_before = false;
  for (;;) {
    bool seen = false;
    auto line = wait_once(client, task, seen);
    if (line.ok() || line.error().code != Code::unavailable) return line;
    seen_before = seen_before || seen;
    if (seen) give_up = monotonic_us() + kGiveUpUs;
    if (!seen_before || monotonic_us() > give_up) return line;
    poll(nullptr, 0, kLastEventRetryMs);
  }
}

Result<std::string> current_folder() {
  char buffer[4096];
  if (getcwd(buffer, sizeof buffer) == nullptr) {
    if (errno != ENOENT) return errno_error("getcwd", errno);
    return Error{Code::invalid, "the current directory does not exist any more",
                 "cd to another one"};
  }
  if (buffer[0] != '/')
    return Error{Code::invalid, "the current directory is outside of the root", {}};
  return std::string(buffer);
}

bool can_name_a_task(std::string_view word) {
  constexpr std::string_view kChars =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  return !word.empty() && word.find_first_not_of(kChars) == std::string_view::npos;
}

void say_which(const Context& ctx, const wire::Task& task, std::string_view why) {
  if (ctx.globals.quiet) return;
  const std::string name = task.name.empty() ? "" : fmt::format(" ({})", task.name);
  say(fmt::format("task {}{}, {} {}", task.id, name, why, task.workspace));
}

Result<std::string> task_or_last(Context& ctx, Client& client, const Invocation& inv) {
  if (!inv.words.empty()) return inv.words[0];
  CODEXOS_ASSIGN(const std::string cwd, current_folder());
  CODEXOS_ASSIGN(const auto task,
                 client.fetch<wire::Task>(Request{"GET", "/v1/tasks/last", {{"cwd", cwd}}, {}}));
  say_which(ctx, task, "the last of");
  return task.id;
}

std::string workspace_path(const std::string& path, const std::string& cwd,
                           const std::string& workspace) {
  const std::string from = path_within(cwd, workspace) ? cwd : workspace;
  const std::string whole = normal_path(path.starts_with("/") ? path : join_path(from, path));
  if (!path_within(whole, workspace)) return whole;
  return whole.size() == workspace.size() ? "" : whole.substr(workspace.size() + 1);
}

namespace {

Result<bool> has_changed(Client& client, const wire::Task& task, const std::string& path) {
  CODEXOS_ASSIGN(const auto list, client.fetch<wire::ChangeList>(Request{
                                      "GET", task_path(task.id, "changes"), {{"path", path}}, {}}));
  return !list.changes.empty();
}

}  // namespace

Result<TaskAndPaths> task_and_paths(Context& ctx, Client& client, const Invocation& inv) {
  TaskAndPaths out;
  CODEXOS_ASSIGN(const std::string cwd, current_folder());
  std::vector<std::string> words = inv.words, paths;
  std::optional<Error> unknown;
  if (!words.empty() && can_name_a_task(words[0])) {
    auto task = client.fetch<wire::Task>(Request{"GET", task_path(words[0]), {}, {}});
    if (task.ok()) {
      out.task = std::move(*task);
      words.erase(words.begin());
    } else if (task.error().code != Code::not_found) {
      return std::move(task).error();
    } else {
      unknown = task.error();
    }
  } else if (!words.empty()) {
    unknown =
        Error{Code::not_found, fmt::format("{} is no task", printable(words[0])), "codexos ps -a"};
  }
  if (out.task.id.empty()) {
    Invocation none = inv;
    none.words.clear();
    auto last = task_or_last(ctx, client, none);
    if (!last.ok()) return unknown ? *unknown : std::move(last).error();
    CODEXOS_ASSIGN(out.task, client.fetch<wire::Task>(Request{"GET", task_path(*last), {}, {}}));
  }
  // Words that are left are paths, if they changed.
  for (const std::string& word : words) {
    const std::string path = workspace_path(word, cwd, out.task.workspace);
    CODEXOS_ASSIGN(const bool changed, has_changed(client, out.task, path));
    if (!changed)
      return unknown
                 ? *unknown
                 : Error{Code::not_found, fmt::format("{} did not change", printable(word)), {}};
    if (!ctx.globals.quiet) say(fmt::format("{} is taken as a path: -- {}", word, word));
    paths.push_back(path);
  }
  ctx.problem.reset();
  for (const std::string& p : inv.payload)
    paths.push_back(workspace_path(p, cwd, out.task.workspace));
  // The workspace itself is everything.
  if (std::find(paths.begin(), paths.end(), "") == paths.end()) out.paths = std::move(paths);
  return out;
}

Result<int> for_each_task(Context& ctx, const Invocation& inv,
                          const std::function<Status(const std::string& task)>& fn) {
  int code = 0;
  for (const std::string& task : inv.words) {
    ctx.problem.reset();
    auto r = fn(task);
    if (r.ok()) continue;
    if (inv.words.size() == 1) return std::move(r).error();
    if (code == 0) code = wire::code_row(r.error().code).exit_code;
    report(ctx, Error(r.error()).during(inv.command->name));
  }
  return code;
}

Result<int> post_to_each(Context& ctx, const Invocation& inv, const std::string& verb,
                         const std::string& body) {
  Client client(ctx);
  return for_each_task(ctx, inv, [&](const std::string& name) -> Status {
    CODEXOS_ASSIGN(const std::string reply,
                   client.call(Request{"POST", task_path(name, verb), {}, body}));
    CODEXOS_ASSIGN(const auto task, json::decode<wire::Task>(reply, json::Unknown::ignore));
    constexpr std::string_view kAlready = "had already ended";
    for (const std::string& note : task.notes)
      if (note == kAlready && !ctx.globals.quiet) say(fmt::format("task {} {}", task.id, note));
    return print_line(ctx.globals.json ? reply : task.id);
  });
}

}  // namespace codexos::cli

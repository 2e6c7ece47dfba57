// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/apply_text.h"

#include <fmt/core.h>
#include <unistd.h>

#include "cli/escape.h"
#include "cli/render.h"
#include "cli/tasks.h"
#include "cli/values.h"
#include "core/base/path.h"

namespace codexos::cli {
namespace {

constexpr size_t kListed = 50;  // of a list that a person reads

std::string count_text(size_t n, std::string_view what) {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

std::string line_of(const wire::PathNote& n) {
  std::string out = n.path.empty() ? n.root : printable(n.path);
  if (!n.what.empty() && n.what != n.path) out += fmt::format(" (in {})", printable(n.what));
  return n.why.empty() ? out : fmt::format("{}: {}", out, printable(n.why));
}

void list(const std::vector<wire::PathNote>& notes) {
  std::string out;
  for (size_t i = 0; i < notes.size() && i < kListed; ++i) out += "  " + line_of(notes[i]) + "\n";
  if (notes.size() > kListed) out += fmt::format("  and {} more\n", notes.size() - kListed);
  (void)print_to(2, out);
}

Error refusal_of(std::string_view verb, const wire::ApplyResult& r) {
  const std::string task = r.task;
  switch (r.outcome) {
    case wire::ApplyOutcome::protected_:
      return Error{Code::denied,
                   count_text(r.protected_.size(), "path") +
                       " that other programs execute or obey; nothing was written",
                   fmt::format("codexos {} {} --allow-protected, or --skip-protected", verb, task)};
    case wire::ApplyOutcome::refused:
      return Error{
          Code::denied,
          count_text(r.refused.size(), "path") + " that cannot be applied; nothing was written",
          fmt::format("codexos {} {} --skip-protected takes the rest", verb, task)};
    default:
      return Error{
          Code::conflict, count_text(r.conflicts.size(), "conflict") + "; nothing was written",
          verb == "apply" ? fmt::format("codexos diff {} shows the task's side; --on-conflict "
                                        "ours, theirs or merge decides",
                                        task)
                          : fmt::format("codexos {} {} --on-conflict ours, or theirs", verb, task)};
  }
}

const std::vector<wire::PathNote>& paths_of(const wire::ApplyResult& r) {
  if (r.outcome == wire::ApplyOutcome::protected_) return r.protected_;
  if (r.outcome == wire::ApplyOutcome::refused) return r.refused;
  return r.conflicts;
}

void tell_notes(const Context& ctx, const wire::ApplyResult& r) {
  if (ctx.globals.quiet) return;
  for (const std::string& note : r.notes) say(note);
  if (!r.merged.empty()) {
    say(count_text(r.merged.size(), "path") + " merged with what was changed here:");
    list(r.merged);
  }
  if (!r.kept.empty()) {
    say(count_text(r.kept.size(), "path") + " left as here:");
    list(r.kept);
  }
}

std::string done_text(const Context& ctx, std::string_view verb, const wire::ApplyResult& r) {
  if (ctx.globals.quiet) return r.apply.empty() ? "" : r.apply + "\n";
  std::string out;
  if (r.dry_run)
    for (const wire::Change& c : r.applied)
      out += fmt::format("{}\t{}\n", c.status, printable(c.path));
  if (r.outcome != wire::ApplyOutcome::done) return out;
  const std::string n = count_text(r.applied.size(), "path");
  if (r.dry_run) return out;
  if (verb == "undo") return fmt::format("{} undone\n", n);
  out = fmt::format("{} applied · codexos undo\n", n);
  if (!r.commit.empty()) out += fmt::format("commit {}\n", r.commit);
  return out;
}

}  // namespace

Result<std::string> task_with_changes(Context& ctx, Client& client, const Invocation& inv) {
  if (!inv.words.empty()) return inv.words[0];
  CODEXOS_ASSIGN(const std::string cwd, current_folder());
  auto task = client.fetch<wire::Task>(
      Request{"GET", "/v1/tasks/last", {{"cwd", cwd}, {"waiting", "1"}}, {}});
  if (!task.ok() && task.error().code == Code::not_found) {
    ctx.problem.reset();
    task = client.fetch<wire::Task>(Request{"GET", "/v1/tasks/last", {{"cwd", cwd}}, {}});
  }
  if (!task.ok()) return std::move(task).error();
  say_which(ctx, *task, "the last of");
  return task->id;
}

Result<std::vector<std::string>> given_paths(const Invocation& inv) {
  std::vector<std::string> paths;
  if (inv.payload.empty()) return paths;
  CODEXOS_ASSIGN(const std::string cwd, current_folder());
  for (const std::string& path : inv.payload)
    paths.push_back(normal_path(absolute_path(path, cwd, "")));
  return paths;
}

bool consents(const Context& ctx, const wire::ApplyResult& r) {
  if (ctx.globals.json || ctx.globals.quiet) return false;
  if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1) return false;
  say(count_text(r.protected_.size(), "path") + " that other programs execute or obey:");
  list(r.protected_);
  (void)print_to(2, "apply them as well? [y/N] ");
  char answer = 'n';
  return read(STDIN_FILENO, &answer, 1) == 1 && (answer == 'y' || answer == 'Y');
}

Result<int> tell_outcome(Context& ctx, std::string_view verb, const std::string& reply,
                         const wire::ApplyResult& r) {
  const int code = wire::exit_code_of(r.outcome);
  if (ctx.globals.json) CODEXOS_TRY(print_line(reply));
  if (code != 0) {
    if (r.dry_run && !ctx.globals.json) CODEXOS_TRY(print(done_text(ctx, verb, r)));
    report(ctx, refusal_of(verb, r).during(fmt::format("{} task {}", verb, r.task)));
    list(paths_of(r));
    tell_notes(ctx, r);
    return code;
  }
  tell_notes(ctx, r);
  if (r.outcome == wire::ApplyOutcome::nothing && r.notes.empty() && !ctx.globals.quiet)
    say(fmt::format("task {}: nothing to {}", r.task, verb));
  if (!ctx.globals.json) CODEXOS_TRY(print(done_text(ctx, verb, r)));
  return code;
}

}  // namespace codexos::cli

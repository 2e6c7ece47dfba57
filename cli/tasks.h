// SPDX-License-Identifier: Apache-2.0
// What commands that name tasks share: the default TASK, and doing one thing to each of several.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/client.h"
#include "core/base/error.h"
#include "core/wire/task.h"

namespace codexos::cli {

/// Whether a task's id or name can have these characters (wire::TaskCreate::name).
bool can_name_a_task(std::string_view word);
/// Tells which task a command chose by itself, `why` being "the last of" or the like.
void say_which(const Context& ctx, const wire::Task& task, std::string_view why);

/// The first word, or the id of the last task of this workspace; stderr says which (not with -q).
Result<std::string> task_or_last(Context& ctx, Client& client, const Invocation& inv);

/// The task as JSON when it has ended. A daemon that goes away meanwhile is asked again (and
/// started) until it answers.
Result<std::string> wait_for_end(Client& client, const std::string& task);
/// For commands whose words are [TASK] [-- PATH...]. A first word that is no task, but a path that
/// the last task changed, is taken as a path; stderr says so.
struct TaskAndPaths {
  wire::Task task;
  /// Relative to the workspace, or absolute outside of it; none: everything.
  std::vector<std::string> paths;
};
Result<TaskAndPaths> task_and_paths(Context& ctx, Client& client, const Invocation& inv);
/// A path as the user named it in the folder `cwd`, as TaskAndPaths has them; "": the workspace.
std::string workspace_path(const std::string& path, const std::string& cwd,
                           const std::string& workspace);

/// Getting the current directory; error invalid when it was deleted.
Result<std::string> current_folder();

/// `fn` for each word. An error is told and the next word's turn comes; the exit code is that of
/// the first error, or 0.
Result<int> for_each_task(Context& ctx, const Invocation& inv,
                          const std::function<Status(const std::string& task)>& fn);

/// POST /v1/tasks/{id}/VERB for each word, and the id (with --json the task) on stdout. Notes of
/// the reply, as "had already ended", go to stderr.
Result<int> post_to_each(Context& ctx, const Invocation& inv, const std::string& verb,
                         const std::string& body);

}  // namespace codexos::cli

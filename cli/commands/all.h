// SPDX-License-Identifier: Apache-2.0
// The commands' functions, one file each beside this one. A function gives the exit code, or the
// Error that is told and mapped to one.
#pragma once

#include "cli/args.h"
#include "cli/context.h"
#include "core/base/error.h"

namespace codexos::cli {

/// What a check exits with that ran and found something.
inline constexpr int kFoundProblems = 6;

Result<int> run_task(Context& ctx, const Invocation& inv);
Result<int> examine(Context& ctx, const Invocation& inv);
Result<int> list_agents(Context& ctx, const Invocation& inv);
Result<int> show_agent(Context& ctx, const Invocation& inv);
Result<int> check_agent(Context& ctx, const Invocation& inv);
Result<int> set_secret(Context& ctx, const Invocation& inv);
Result<int> list_secrets(Context& ctx, const Invocation& inv);
Result<int> show_secret(Context& ctx, const Invocation& inv);
Result<int> rotate_secret(Context& ctx, const Invocation& inv);
Result<int> remove_secrets(Context& ctx, const Invocation& inv);
Result<int> show_vault(Context& ctx, const Invocation& inv);
Result<int> unlock_vault(Context& ctx, const Invocation& inv);
Result<int> lock_vault(Context& ctx, const Invocation& inv);
Result<int> protect_vault(Context& ctx, const Invocation& inv);
Result<int> rekey_vault(Context& ctx, const Invocation& inv);
Result<int> accept_vault(Context& ctx, const Invocation& inv);
Result<int> show_budgets(Context& ctx, const Invocation& inv);
Result<int> set_budget(Context& ctx, const Invocation& inv);
Result<int> raise_budget(Context& ctx, const Invocation& inv);
Result<int> explain_budget(Context& ctx, const Invocation& inv);
Result<int> show_usage(Context& ctx, const Invocation& inv);
Result<int> share_login(Context& ctx, const Invocation& inv);
Result<int> list_tasks(Context& ctx, const Invocation& inv);
Result<int> inspect_task(Context& ctx, const Invocation& inv);
Result<int> show_logs(Context& ctx, const Invocation& inv);
Result<int> attach_task(Context& ctx, const Invocation& inv);
Result<int> wait_for_tasks(Context& ctx, const Invocation& inv);
Result<int> show_stats(Context& ctx, const Invocation& inv);
Result<int> show_events(Context& ctx, const Invocation& inv);
Result<int> exec_in_task(Context& ctx, const Invocation& inv);
Result<int> stop_tasks(Context& ctx, const Invocation& inv);
Result<int> kill_tasks(Context& ctx, const Invocation& inv);
Result<int> pause_tasks(Context& ctx, const Invocation& inv);
Result<int> resume_tasks(Context& ctx, const Invocation& inv);
Result<int> allow_network(Context& ctx, const Invocation& inv);
Result<int> deny_network(Context& ctx, const Invocation& inv);
Result<int> list_network(Context& ctx, const Invocation& inv);
Result<int> remove_tasks(Context& ctx, const Invocation& inv);
Result<int> prune(Context& ctx, const Invocation& inv);
Result<int> diff_task(Context& ctx, const Invocation& inv);
Result<int> create_snapshot(Context& ctx, const Invocation& inv);
Result<int> list_snapshots(Context& ctx, const Invocation& inv);
Result<int> restore_snapshot(Context& ctx, const Invocation& inv);
Result<int> remove_snapshots(Context& ctx, const Invocation& inv);
Result<int> apply_task(Context& ctx, const Invocation& inv);
Result<int> undo_task(Context& ctx, const Invocation& inv);
Result<int> discard_task(Context& ctx, const Invocation& inv);
Result<int> show_policy(Context& ctx, const Invocation& inv);
Result<int> check_policy(Context& ctx, const Invocation& inv);
Result<int> test_policy(Context& ctx, const Invocation& inv);
Result<int> explain_task(Context& ctx, const Invocation& inv);
Result<int> suggest_policy(Context& ctx, const Invocation& inv);
Result<int> trust_project(Context& ctx, const Invocation& inv);
Result<int> show_status(Context& ctx, const Invocation& inv);
Result<int> show_health(Context& ctx, const Invocation& inv);
Result<int> start_daemon(Context& ctx, const Invocation& inv);
Result<int> stop_daemon(Context& ctx, const Invocation& inv);
Result<int> daemon_status(Context& ctx, const Invocation& inv);
Result<int> print_completion(Context& ctx, const Invocation& inv);
Result<int> print_version(Context& ctx, const Invocation& inv);
Result<int> print_help(Context& ctx, const Invocation& inv);
// Hidden.
Result<int> print_man(Context& ctx, const Invocation& inv);
Result<int> print_schema(Context& ctx, const Invocation& inv);
Result<int> print_ids(Context& ctx, const Invocation& inv);

}  // namespace codexos::cli

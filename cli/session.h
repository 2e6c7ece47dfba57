// SPDX-License-Identifier: Apache-2.0
// One program that this terminal is connected to: the common part of run, exec and attach. From the
// request to the exit code, with what has to be said at the end.
#pragma once

#include <string>

#include "cli/client.h"
#include "cli/relay.h"
#include "core/base/error.h"
#include "core/wire/task.h"

namespace codexos::cli {

struct Session {
  Request request;
  std::string what;  // "run make": how errors begin
  RelayOptions relay;
  bool owner = false;       // a lost connection is looked up at the daemon
  bool ends_later = false;  // --apply: what the daemon says after it counts, not the shim's exit
  bool forgets = false;     // --rm: a task that is not there any more ended, and nothing waits
  /// Called when the task has ended, before anything is said about that.
  std::function<Status()> before_end;
  /// Called with the task's id after the 101 and before the relay; may set extra_fd and on_extra.
  std::function<Status(const std::string& task, RelayOptions& relay)> on_connected;
};

/// The exit code that the command has.
Result<int> run_session(Context& ctx, Client& client, Session session);

/// An ended task's own words: error: or note: on stderr where its cause needs one.
void tell_outcome(Context& ctx, const std::string& what, const std::string& task,
                  const Outcome& outcome);

/// What `wait` and a lost connection end with.
int exit_code_of_task(const wire::Task& t);
Outcome outcome_of(const wire::Task& t);

/// Each of -i, -t, -d, --json with what our descriptors are.
StdioChoice stdio_for(const Context& ctx, const Invocation& inv);
/// Its output is read as events, whatever our descriptors are.
StdioChoice stdio_as_events(const Context& ctx, const Invocation& inv);
/// Rows and columns for the request.
TerminalSize size_for(const StdioChoice& stdio);

}  // namespace codexos::cli

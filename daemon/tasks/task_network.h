// SPDX-License-Identifier: Apache-2.0
// The networks of tasks, as the daemon's own thread sees them: makes policies from what a task's
// request and its owner say, hands sockets to the egress, and gets its reports. What they mean for
// the task's events is the supervisor's business.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "core/os/link.h"
#include "core/os/loop.h"
#include "core/wire/task.h"
#include "daemon/egress/egress.h"
#include "daemon/tasks/task_secrets.h"

namespace codexos::daemon {

class TaskNetwork {
 public:
  using OnReport = std::function<void(const std::string& task, const NetReport& report)>;

  TaskNetwork(Loop& loop, EgressOptions options)
      : egress_(
            loop, std::move(options),
            [this](const std::string& task, const std::vector<NetReport>& reports) {
              for (const auto& r : reports)
                if (on_report_) on_report_(task, r);
            },
            [this](const std::string& task, uint64_t number, int32_t port) {
              if (on_dial_) on_dial_(task, number, port);
            }) {}
  void on_report(OnReport fn) { on_report_ = std::move(fn); }
  /// Called when somebody connects to a port that the task shows; dialled() is the answer.
  using OnDial = std::function<void(const std::string& task, uint64_t number, int32_t port)>;
  void on_dial(OnDial fn) { on_dial_ = std::move(fn); }
  /// A socket that is connected inside; none: it could not be.
  void dialled(const std::string& task, uint64_t number, Fd socket);

  /// Before the task's sandbox is asked for. Error unavailable: there is no thread or resolver;
  /// conflict: a port to show is in use.
  Status begin(const std::string& task, const wire::TaskNet& net, NetSecrets secrets);
  /// What comes to this listener finds an SSH agent, until the network ends.
  void serve_ssh(const std::string& task, SshAccessPtr access, Fd listener) {
    egress_.serve_ssh(task, std::move(access), std::move(listener));
  }
  bool serves(const std::string& task) const { return tasks_.count(task) != 0; }
  /// A `network` message of the task's helper or shim. Text: what is less than it should be.
  Result<std::string> take(const std::string& task, LinkMessage& m);
  /// Error unavailable: other rules would need ports that this task cannot be served on.
  Status check_change(const std::string& task, const wire::TaskNet& net) const;
  /// Other rules from now on, all at once. Error invalid: one of them is wrong, nothing changed.
  Status change(const std::string& task, const wire::TaskNet& net);
  /// Other values of its secrets from its next request on.
  Status change(const std::string& task, const wire::TaskNet& net, InjectionSetPtr injections);
  /// The tokens of its shared login as they are now; what is connected goes on.
  void replace_tokens(const std::string& task, const LoginTokens& tokens);
  /// What went to and fro so far; only of a task that is served.
  void count(const std::string& task, std::function<void(NetTotals)> done);
  /// Cuts what there is. `done` comes after the last report; at once for a task without a network.
  void end(const std::string& task, std::function<void(NetTotals)> done);

 private:
  Egress egress_;
  OnReport on_report_;
  OnDial on_dial_;
  /// Of a task without redirection: those it is served on.
  using Ports = std::optional<std::set<int32_t>>;
  struct Known {
    Ports ports;
    NetSecrets secrets;
  };
  std::map<std::string, Known> tasks_;
};

/// The rules as a value. Error invalid: which one is wrong.
Result<NetPolicyPtr> make_net_policy(const wire::TaskNet& net, const NetSecrets& secrets);
/// What the daemon's environment says: CODEXOS_RESOLVER, HTTPS_PROXY, HTTP_PROXY, NO_PROXY.
Result<EgressOptions> read_egress_options(const std::function<const char*(const char*)>& get);

}  // namespace codexos::daemon

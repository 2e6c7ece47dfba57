// SPDX-License-Identifier: Apache-2.0
// The egress: what tasks reach by name goes through here, on a loop and a thread of its own, so
// that a commit on a slow disk never stalls bytes and bytes never stall the API. The thread owns
// sockets and counters and asks nothing of the daemon's state; policies go in as immutable values,
// reports come back as messages. It is started with the first task that has a network.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/os/loop.h"
#include "core/os/mailbox.h"
#include "daemon/egress/internal_service.h"
#include "daemon/egress/net_policy.h"
#include "daemon/egress/proxy.h"
#include "daemon/egress/relay_task.h"

namespace codexos::daemon {

struct EgressOptions {
  std::string resolver;        // ADDRESS[:PORT] instead of the host's servers; empty: those
  std::optional<Proxy> proxy;  // the host's
  MakeInternalService models;  // null: there is no model gateway
};

/// Runs in the loop that the egress was made with.
using OnNetReports =
    std::function<void(const std::string& task, const std::vector<NetReport>& reports)>;

/// Somebody connected to a port that the task shows: it is to be dialled inside.
using OnDialInside = std::function<void(const std::string& task, uint64_t number, int32_t port)>;

class Egress {
 public:
  Egress(Loop& loop, EgressOptions options, OnNetReports on_reports, OnDialInside on_dial);
  ~Egress();

  /// Error unavailable: there is no thread, resolver or descriptor for it.
  Status start();
  void add(const std::string& task, NetPolicyPtr policy);
  /// Sockets of its network namespace; again when there are others.
  void serve(const std::string& task, TaskSockets sockets);
  void change(const std::string& task, NetPolicyPtr policy);
  /// A listener on the host whose connections go to this port of the task.
  void publish(const std::string& task, int32_t port, Fd listener);
  /// A listener that the task is shown, and what an SSH agent is for it.
  void serve_ssh(const std::string& task, SshAccessPtr access, Fd listener);
  /// The answer to OnDialInside; no socket: it could not be dialled.
  void dialled(const std::string& task, uint64_t number, Fd socket);
  /// What went to and fro so far.
  void count(const std::string& task, std::function<void(NetTotals)> done);
  /// Ends all of the task's connections; `done` comes after its last report: at the end of this
  /// turn when nothing ever came, since nothing of the task lives any more.
  void remove(const std::string& task, std::function<void(NetTotals)> done);

 private:
  struct Thread;
  void run(Thread& t);
  struct Known {
    Touched touched;
    TaskSocketsPtr sockets;
  };
  /// What is posted in a turn goes to the thread at its end, together.
  void post(std::function<void(Thread&)> fn);
  static bool was_touched(const Known& k);
  /// In the thread: the gateway, made when it is first needed.
  Result<InternalService*> models(Thread& t);
  /// In the thread, while it has this task.
  void with_task(const std::string& task, std::function<void(RelayTask&)> fn);

  Loop& loop_;
  EgressOptions options_;
  OnNetReports on_reports_;
  OnDialInside on_dial_;
  std::unique_ptr<Mailbox> in_;  // of the daemon's loop
  std::unique_ptr<Thread> thread_;
  std::map<std::string, Known> known_;
  std::vector<std::function<void(Thread&)>> orders_;  // of this turn
};

}  // namespace codexos::daemon

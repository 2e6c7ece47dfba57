// SPDX-License-Identifier: Apache-2.0
// A task's SSH agent: listens on a socket that the task is shown, answers by AgentSession, and has
// the user's own agent sign. Runs in the relay's loop and never waits: each connection is read no
// further while its request is with the agent.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/base/fd.h"
#include "core/os/loop.h"
#include "daemon/ssh/access.h"
#include "daemon/ssh/agent_session.h"

namespace codexos::daemon {

class SshBroker {
 public:
  /// Of a signature, `why` is empty, or of what was refused.
  using Tell = std::function<void(const AgentSession::Answer&)>;

  SshBroker(Loop& loop, SshAccessPtr access, Fd listener, Tell tell);
  ~SshBroker();
  SshBroker(const SshBroker&) = delete;
  SshBroker& operator=(const SshBroker&) = delete;

 private:
  struct Client;
  void on_accept();
  void on_client(int fd, uint32_t events);
  void on_upstream(int fd);
  void advance(Client& c);
  bool take_messages(Client& c);
  void refuse(Client& c, const AgentSession::Answer& what);
  void ask_agent(Client& c, AgentSession::Answer answer);
  void finish(Client& c, std::string signature, std::string why);
  void drop(int fd);

  Loop& loop_;
  SshAccessPtr access_;
  Fd listener_;
  Tell tell_;
  Loop::TimerId pause_ = 0;
  std::map<int, std::unique_ptr<Client>> clients_;
};

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// One connection of a task to what it takes for an SSH agent (draft-ietf-sshm-ssh-agent), judged
// message by message. It lists the task's keys, and lets one of them sign only what signs in to a
// host that the key is for:
//   - the connection was bound to a session (session-bind@openssh.com, OpenSSH 8.9 on,
//   PROTOCOL.agent):
//     a key that the user has for the host in known_hosts has signed the session's id, which no one
//     but the host can make; what is bound to be forwarded is refused;
//   - what is to be signed is the userauth request (RFC 4252, 7) of that very session by that key.
// Everything else is refused: other keys, other data, adding, removing, locking. Pure, but for the
// signature's check.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/ssh/access.h"

namespace codexos::daemon {

/// Longer ones are no message of an SSH client.
inline constexpr size_t kMaxAgentMessage = 64 << 10;

/// A message with its length in front.
std::string agent_frame(std::string_view message);
/// SSH_AGENT_FAILURE, framed.
std::string agent_failure();
/// Whether an agent's answer (without its length) is a signature.
bool is_agent_signature(std::string_view message);

class AgentSession {
 public:
  struct Answer {
    std::string reply;    // framed; empty: `forward` is to be answered by the user's agent
    std::string forward;  // framed
    std::string key;      // fingerprint of the key in question, or empty
    std::string host;     // that it is bound to, or empty
    uint16_t port = 0;
    std::string user;  // forward: who signs in
    std::string why;   // not empty: it was refused
  };

  explicit AgentSession(SshAccessPtr access) : access_(std::move(access)) {}
  /// `message`: without its length.
  Answer on_message(std::string_view message);

 private:
  struct Bound {
    std::string session_id;
    std::string host_key;
  };
  Answer list() const;
  Answer bind(std::string_view body);
  Answer sign(std::string_view body) const;
  bool knows(std::string_view host_key) const;

  SshAccessPtr access_;
  std::optional<Bound> bound_;
};

}  // namespace codexos::daemon

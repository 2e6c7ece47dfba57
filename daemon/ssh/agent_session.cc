// SPDX-License-Identifier: Apache-2.0
#include "daemon/ssh/agent_session.h"

#include <algorithm>

#include "core/base/ssh_wire.h"
#include "daemon/trust/ssh_signature.h"

namespace codexos::daemon {
namespace {

// draft-ietf-sshm-ssh-agent, section 6.1
constexpr uint8_t kFailure = 5, kSuccess = 6, kRequestIdentities = 11, kIdentitiesAnswer = 12,
                  kSignRequest = 13, kSignResponse = 14, kExtension = 27;
constexpr uint8_t kUserauthRequest = 50;  // RFC 4252
constexpr uint32_t kRsaFlags = 2 | 4;     // SSH_AGENT_RSA_SHA2_256, SSH_AGENT_RSA_SHA2_512
constexpr std::string_view kBind = "session-bind@openssh.com";
constexpr std::string_view kPublicKey = "publickey";
constexpr std::string_view kHostBound = "publickey-hostbound-v00@openssh.com";
constexpr size_t kMaxSessionId = 128;  // OpenSSH's
constexpr size_t kMaxUser = 256;

/// What a client signs to sign in.
struct Userauth {
  std::string_view session_id, user, key;
  std::optional<std::string_view> host_key;  // of the host-bound method
};

/// Nothing: it is something else.
std::optional<Userauth> parse_userauth(std::string_view data) {
  SshReader r(data);
  Userauth u;
  u.session_id = r.string();
  const uint8_t type = r.byte();
  u.user = r.string();
  const std::string_view service = r.string(), method = r.string();
  const bool is_signed = r.byte() != 0;
  const std::string_view algorithm = r.string();
  u.key = r.string();
  if (method == kHostBound) u.host_key = r.string();
  const bool fits = r.at_end() && type == kUserauthRequest && service == "ssh-connection" &&
                    (method == kPublicKey || method == kHostBound) && is_signed &&
                    algorithm != "ssh-rsa" && u.user.size() <= kMaxUser;
  return fits ? std::optional(u) : std::nullopt;
}

AgentSession::Answer success() {
  AgentSession::Answer a;
  a.reply = agent_frame(std::string(1, static_cast<char>(kSuccess)));
  return a;
}

AgentSession::Answer refusal(std::string why) {
  AgentSession::Answer a;
  a.reply = agent_failure();
  a.why = std::move(why);
  return a;
}

bool holds(const SshHost& host, std::string_view host_key) {
  return std::find(host.host_keys.begin(), host.host_keys.end(), host_key) != host.host_keys.end();
}

/// The host of `key` that has this host key, or null.
const SshHost* host_with(const SshKey& key, std::string_view host_key) {
  const auto at = std::find_if(key.hosts.begin(), key.hosts.end(),
                               [&](const SshHost& h) { return holds(h, host_key); });
  return at == key.hosts.end() ? nullptr : &*at;
}

}  // namespace

std::string agent_frame(std::string_view message) {
  std::string out;
  put_ssh_string(out, message);
  return out;
}

std::string agent_failure() { return agent_frame(std::string(1, static_cast<char>(kFailure))); }

bool is_agent_signature(std::string_view message) {
  SshReader r(message);
  const bool is_answer = r.byte() == kSignResponse;
  const bool has_bytes = !r.string().empty();
  return is_answer && has_bytes && r.at_end();
}

AgentSession::Answer AgentSession::on_message(std::string_view message) {
  if (message.empty()) return refusal("an empty message");
  const auto type = static_cast<uint8_t>(message[0]);
  const std::string_view body = message.substr(1);
  if (type == kRequestIdentities && body.empty()) return list();
  if (type == kSignRequest) {
    Answer a = sign(body);
    if (a.why.empty()) a.forward = agent_frame(message);
    return a;
  }
  if (type == kExtension) return bind(body);
  return refusal("an agent's message of type " + std::to_string(type) +
                 ": a task may list its keys and sign in with them");
}

AgentSession::Answer AgentSession::list() const {
  std::string message(1, static_cast<char>(kIdentitiesAnswer));
  put_ssh_number(message, static_cast<uint32_t>(access_->keys.size()));
  for (const SshKey& key : access_->keys) {
    put_ssh_string(message, key.blob);
    put_ssh_string(message, key.comment);
  }
  Answer a;
  a.reply = agent_frame(message);
  return a;
}

bool AgentSession::knows(std::string_view host_key) const {
  return std::any_of(access_->keys.begin(), access_->keys.end(),
                     [&](const SshKey& key) { return host_with(key, host_key) != nullptr; });
}

AgentSession::Answer AgentSession::bind(std::string_view body) {
  SshReader r(body);
  if (r.string() != kBind) {
    Answer unknown;  // clients ask what there is: nothing was refused that counts
    unknown.reply = agent_failure();
    return unknown;
  }
  const std::string_view host_key = r.string(), session_id = r.string(), signature = r.string();
  const bool is_forwarding = r.byte() != 0;
  if (!r.at_end() || session_id.empty() || session_id.size() > kMaxSessionId)
    return refusal("a session-bind that is malformed");
  if (is_forwarding) return refusal("the agent is not forwarded to another host");
  if (!knows(host_key))
    return refusal("the session is with a host that none of its keys is for (host key " +
                   ssh_fingerprint(host_key) + ")");
  if (bound_ && (bound_->session_id != session_id || bound_->host_key != host_key))
    return refusal("the connection is bound to another session already");
  if (!is_ssh_signature(host_key, signature, session_id))
    return refusal("the host has not signed the session that was to be bound");
  bound_ = Bound{std::string(session_id), std::string(host_key)};
  return success();
}

AgentSession::Answer AgentSession::sign(std::string_view body) const {
  SshReader r(body);
  const std::string_view blob = r.string(), data = r.string();
  const uint32_t flags = r.number();
  if (!r.at_end() || (flags & ~kRsaFlags) != 0) return refusal("a sign request that is malformed");
  const auto key = std::find_if(access_->keys.begin(), access_->keys.end(),
                                [&blob](const SshKey& k) { return k.blob == blob; });
  if (key == access_->keys.end()) {
    Answer a = refusal("the task was not given this key");
    a.key = ssh_fingerprint(blob);
    return a;
  }
  const SshHost* host = bound_ ? host_with(*key, bound_->host_key) : nullptr;
  const auto refuse = [&](std::string why) {
    Answer a = refusal(std::move(why));
    a.key = key->fingerprint;
    if (host != nullptr) a.host = host->name;
    if (host != nullptr) a.port = host->port;
    return a;
  };
  if (!bound_) return refuse("nobody said which session it is for (ssh does, from OpenSSH 8.9 on)");
  if (host == nullptr) return refuse("the session is with a host that this key is not for");
  const auto asked = parse_userauth(data);
  if (!asked || asked->key != blob) return refuse("what is to be signed does not sign in by it");
  if (asked->session_id != bound_->session_id)
    return refuse("what is to be signed is for another session");
  if (asked->host_key && *asked->host_key != bound_->host_key)
    return refuse("what is to be signed is for another host");
  Answer a;
  a.key = key->fingerprint;
  a.host = host->name;
  a.port = host->port;
  a.user = std::string(asked->user);
  return a;
}

}  // namespace codexos::daemon

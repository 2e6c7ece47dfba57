// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/link.h"

#include <sys/socket.h>

#include <algorithm>
#include <limits>

#include "core/base/binary.h"

namespace codexos::exec {
namespace {

constexpr int64_t kGreetingUs = 5'000'000;

}  // namespace

bool same_secret(std::string_view given, std::string_view secret) {
  if (secret.empty() || given.size() != secret.size()) return false;
  unsigned char differs = 0;
  for (size_t i = 0; i < secret.size(); ++i)
    differs = static_cast<unsigned char>(differs | (given[i] ^ secret[i]));
  return differs == 0;
}

void DaemonLink::send(LinkType type, std::string_view payload, const std::vector<int>& fds) {
  if (link_ && !try_send_link(link_.get(), type, payload, fds)) link_.reset();
}

void DaemonLink::watch(PollSet& polls) {
  link_poll_ = polls.add(link_.get(), POLLIN);
  const bool full = std::all_of(newcomers_.begin(), newcomers_.end(),
                                [](const Newcomer& n) { return static_cast<bool>(n.fd); });
  listener_poll_ = full ? -1 : polls.add(listener_.get(), POLLIN);
  for (auto& n : newcomers_) n.poll = polls.add(n.fd.get(), POLLIN);
}

void DaemonLink::accept_one(int64_t now_us) {
  Fd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) return;
  for (auto& n : newcomers_) {
    if (n.fd) continue;
    n.fd = std::move(fd);
    n.until_us = now_us + kGreetingUs;
    return;
  }
}

// The first message must be a hello with the secret; anything else ends the connection.
bool DaemonLink::greet(Newcomer& n) {
  auto message = try_recv_link(n.fd.get());
  if (message.ok() && !message->has_value()) return false;
  Fd fd = std::move(n.fd);
  if (!message.ok() || (*message)->type != LinkType::hello) return false;
  const auto hello = from_binary<Hello>((*message)->payload);
  if (!hello.ok() || !same_secret(hello->secret, secret_)) return false;
  link_ = std::move(fd);
  return true;
}

bool DaemonLink::react(const PollSet& polls, int64_t now_us) {
  readable_ = link_ && polls.ready(link_poll_) != 0;
  bool adopted = false;
  for (auto& n : newcomers_) {
    if (!n.fd) continue;
    if (polls.ready(n.poll) != 0 && greet(n)) {
      adopted = true;
      readable_ = true;
    } else if (now_us >= n.until_us) {
      n.fd.reset();
    }
  }
  if (polls.ready(listener_poll_) != 0) accept_one(now_us);
  return adopted;
}

std::optional<LinkMessage> DaemonLink::next() {
  if (!link_ || !readable_) return std::nullopt;
  auto message = try_recv_link(link_.get());
  if (!message.ok()) {
    link_.reset();
    return std::nullopt;
  }
  if (!message->has_value()) readable_ = false;
  return std::move(*message);
}

int64_t DaemonLink::next_deadline() const {
  int64_t at = std::numeric_limits<int64_t>::max();
  for (const auto& n : newcomers_)
    if (n.fd) at = std::min(at, n.until_us);
  return at;
}

}  // namespace codexos::exec

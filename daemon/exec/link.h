// SPDX-License-Identifier: Apache-2.0
// The shim's side of the link: the connection it was started with, and after a daemon's death the
// next daemon that comes to shim.sock and shows the task's secret. Never waits: a daemon that does
// not read loses its link and can come again.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/fd.h"
#include "core/os/link.h"
#include "daemon/exec/poll_set.h"

namespace codexos::exec {

class DaemonLink {
 public:
  DaemonLink(Fd link, Fd listener, std::string secret)
      : link_(std::move(link)), listener_(std::move(listener)), secret_(std::move(secret)) {}

  bool up() const { return static_cast<bool>(link_); }
  int fd() const { return link_.get(); }
  /// The descriptors stay the caller's.
  void send(LinkType type, std::string_view payload, const std::vector<int>& fds = {});

  void watch(PollSet& polls);
  /// True when a daemon has just adopted the task: it wants the state.
  bool react(const PollSet& polls, int64_t now_us);
  /// The next message, if one is there; a broken link is closed.
  std::optional<LinkMessage> next();
  /// When a newcomer that says nothing must go, CLOCK_MONOTONIC microseconds; INT64_MAX: none.
  int64_t next_deadline() const;

 private:
  struct Newcomer {
    Fd fd;
    int64_t until_us = 0;
    int poll = -1;
  };
  void accept_one(int64_t now_us);
  bool greet(Newcomer& n);

  Fd link_;
  Fd listener_;
  std::string secret_;
  std::array<Newcomer, 4> newcomers_;
  int link_poll_ = -1;
  int listener_poll_ = -1;
  bool readable_ = false;
};

/// Takes the same time for every `given` of the same length, so that it cannot be guessed byte by
/// byte.
bool same_secret(std::string_view given, std::string_view secret);

}  // namespace codexos::exec

// SPDX-License-Identifier: Apache-2.0
// The daemon's end of a link to a helper or shim, in the event loop (core/os/link is the packet,
// core/base/frames.h the messages). Never blocks: what the socket does not take at once waits in
// order. The peer is a program of ours that a task may have broken: a bad message closes the link.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/binary.h"
#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/frames.h"
#include "core/os/link.h"
#include "core/os/loop.h"

namespace codexos::daemon {

class Link {
 public:
  using OnMessage = std::function<void(LinkMessage&)>;
  using OnClosed = std::function<void()>;

  /// Takes a connected SOCK_SEQPACKET socket and watches it. Handlers are set before the next turn.
  static Result<std::unique_ptr<Link>> make(Loop& loop, Fd fd);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  /// The link may be destroyed from within either handler. `closed` is called once when the peer is
  /// gone, and never after the destructor.
  void handle(OnMessage message, OnClosed closed);

  /// Descriptors are duplicated if they must wait, so the caller may close its own right after.
  template <class T>
  void send(LinkType type, const T& body, const std::vector<int>& fds = {}) {
    send_raw(type, to_binary(body), fds);
  }
  void send(LinkType type) { send_raw(type, {}, {}); }

  /// False once the peer is gone, as far as the kernel knows right now.
  bool alive() const;

 private:
  Link(Loop& loop, Fd fd) : loop_(loop), fd_(std::move(fd)) {}
  struct Waiting {
    LinkType type;
    std::string body;
    std::vector<Fd> fds;
  };
  void send_raw(LinkType type, std::string body, const std::vector<int>& fds);
  /// False: the socket is full and nothing was taken.
  bool try_send(LinkType type, const std::string& body, const std::vector<int>& fds);
  void on_ready(uint32_t events);
  void flush();
  void on_broken();
  void close_and_tell();

  Loop& loop_;
  Fd fd_;
  OnMessage message_;
  OnClosed closed_;
  std::deque<Waiting> waiting_;
  bool broken_ = false;
  // Tells a callback that its own link was destroyed meanwhile.
  std::shared_ptr<bool> exists_ = std::make_shared<bool>(true);
};

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// One outgoing connection: the name is resolved here, the *result* is looked at, and exactly that
// address is dialled, so that a name which changes its address between the look and the dialling
// (DNS rebinding) gains nothing. Addresses are tried one after the other, the next when one has not
// answered for a moment (RFC 8305).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/os/loop.h"
#include "core/policy/net_rules.h"
#include "daemon/egress/proxy.h"
#include "daemon/egress/resolver.h"

namespace codexos::daemon {

struct DialTarget {
  std::string name;  // clean; empty: `address` is dialled
  std::optional<IpAddress> address;
  uint16_t port = 0;
  NetRule rule;           // that admits it
  bool own_host = false;  // --reach: this machine's loopback, by the user's word
};

struct Reached {
  Fd socket;
  std::string address;  // of the other side, or of the proxy
};

struct DialParts {
  Loop& loop;
  Resolver& resolver;
  const std::optional<Proxy>& proxy;
};

class Dialer {
 public:
  /// Error denied: the name leads to where this rule does not; unavailable, timeout: nobody
  /// answered.
  using Done = std::function<void(Result<Reached>)>;

  Dialer(const DialParts& parts, DialTarget target, Done done);
  ~Dialer();  // nothing is told after it
  Dialer(const Dialer&) = delete;
  Dialer& operator=(const Dialer&) = delete;
  /// Once: `done` is called from the loop.
  void start();

 private:
  struct Attempt {
    Fd socket;
    std::string address;
  };
  void resolve(const std::string& name);
  void on_addresses(const Result<Resolver::Addresses>& found);
  void try_next();
  void on_ready(int fd);
  void on_connected(Attempt a);
  void speak_to_proxy();
  void drop(int fd);
  void finish(Result<Reached> result);

  DialParts p_;
  DialTarget target_;
  Done done_;
  bool by_proxy_ = false;
  std::vector<IpAddress> waiting_;  // the next at the back
  uint16_t port_ = 0;
  std::vector<Attempt> attempts_;
  Attempt proxy_;
  std::string proxy_reply_;
  std::string last_error_;
  Loop::TimerId next_ = 0, deadline_ = 0;
  std::shared_ptr<bool> exists_ = std::make_shared<bool>(true);
};

}  // namespace codexos::daemon

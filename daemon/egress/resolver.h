// SPDX-License-Identifier: Apache-2.0
// Names to addresses, as the host does it (its /etc/hosts and DNS servers), without waiting: this
// is the home of c-ares. Answers are kept for as long as their TTL says, a minute at most; what
// they are good for is judged by who asked, each time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/error.h"
#include "core/os/loop.h"
#include "core/policy/ip_address.h"

struct ares_addrinfo;
struct ares_channeldata;

namespace codexos::daemon {

class Resolver {
 public:
  using Addresses = std::vector<IpAddress>;
  using Done = std::function<void(const Result<Addresses>&)>;

  /// `servers`: "ADDRESS[:PORT][,...]" instead of the host's; empty: the host's.
  static Result<std::unique_ptr<Resolver>> make(Loop& loop, std::string servers);
  ~Resolver();

  /// `done` is called once, never from within this call, and not after the resolver is gone.
  void resolve(const std::string& name, Done done);

 private:
  struct Query {
    Resolver* self = nullptr;
    std::string name;
    std::vector<Done> waiting;
  };
  struct Known {
    Addresses addresses;
    int64_t until_us = 0;
  };
  Resolver(Loop& loop, std::string servers) : loop_(loop), servers_(std::move(servers)) {}
  Status open();
  Status keep_up();
  static void on_socket(void* self, int fd, int readable, int writable);
  static void on_answer(void* query, int status, int timeouts, ares_addrinfo* info);
  void finish(Query& q, const Result<Addresses>& answer);
  void process(int readable, int writable);
  void arm();

  Loop& loop_;
  std::string servers_;
  ares_channeldata* channel_ = nullptr;
  std::map<std::string, std::unique_ptr<Query>> queries_;
  std::unordered_map<std::string, Known> known_;
  std::map<int, bool> sockets_;  // watched
  Loop::TimerId timer_ = 0;
  int64_t config_ns_ = -1;  // of resolv.conf when the channel was opened
  bool closing_ = false;
};

}  // namespace codexos::daemon

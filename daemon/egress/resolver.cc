// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/resolver.h"

#include <ares.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <mutex>

#include "core/base/clock.h"

namespace codexos::daemon {
namespace {

constexpr int kTimeoutMs = 2000, kTries = 3;
constexpr int64_t kMaxKeepUs = 60'000'000;
constexpr size_t kMaxKnown = 4096;

/// When the host's configuration was changed; 0: it has none.
int64_t config_changed_ns() {
  struct stat st {};
  if (stat("/etc/resolv.conf", &st) != 0) return 0;
  return ns_of(st.st_mtim);
}

IpAddress address_of(const ares_addrinfo_node& n) {
  IpAddress a;
  a.v6 = n.ai_family == AF_INET6;
  if (a.v6) {
    sockaddr_in6 s{};
    std::memcpy(&s, n.ai_addr, sizeof s);
    std::memcpy(a.bytes.data(), &s.sin6_addr, 16);
  } else {
    sockaddr_in s{};
    std::memcpy(&s, n.ai_addr, sizeof s);
    std::memcpy(a.bytes.data(), &s.sin_addr, 4);
  }
  return a;
}

}  // namespace

Result<std::unique_ptr<Resolver>> Resolver::make(Loop& loop, std::string servers) {
  static const int kReady = ares_library_init(ARES_LIB_INIT_ALL);
  if (kReady != ARES_SUCCESS) return Error{Code::unavailable, ares_strerror(kReady), {}};
  std::unique_ptr<Resolver> r(new Resolver(loop, std::move(servers)));
  CODEXOS_TRY(r->open());
  return r;
}

Resolver::~Resolver() {
  closing_ = true;
  if (timer_ != 0) loop_.cancel(timer_);
  if (channel_ != nullptr) ares_destroy(channel_);
  for (const auto& [fd, watched] : sockets_)
    if (watched) loop_.forget(fd);
}

Status Resolver::open() {
  ares_options o{};
  o.sock_state_cb = &Resolver::on_socket;
  o.sock_state_cb_data = this;
  o.timeout = kTimeoutMs;
  o.tries = kTries;
  o.flags = ARES_FLAG_NOSEARCH;  // a rule names the whole name
  const int mask = ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_FLAGS;
  config_ns_ = config_changed_ns();
  if (const int rc = ares_init_options(&channel_, &o, mask); rc != ARES_SUCCESS)
    return Error{Code::unavailable, std::string("resolver: ") + ares_strerror(rc), {}};
  if (servers_.empty()) return {};
  if (const int rc = ares_set_servers_ports_csv(channel_, servers_.c_str()); rc != ARES_SUCCESS)
    return Error{Code::invalid, "resolver " + servers_ + ": " + ares_strerror(rc),
                 "CODEXOS_RESOLVER=ADDRESS[:PORT]"};
  return {};
}

/// A laptop that has moved to another network has other servers.
Status Resolver::keep_up() {
  if (!servers_.empty() || !queries_.empty() || config_changed_ns() == config_ns_) return {};
  ares_destroy(channel_);
  channel_ = nullptr;
  known_.clear();
  return open();
}

void Resolver::resolve(const std::string& name, Done done) {
  const auto known = known_.find(name);
  if (known != known_.end() && known->second.until_us > monotonic_us()) {
    loop_.defer([answer = Result<Addresses>(known->second.addresses), done = std::move(done)] {
      done(answer);
    });
    return;
  }
  if (const auto asked = queries_.find(name); asked != queries_.end()) {
    asked->second->waiting.push_back(std::move(done));
    return;
  }
  if (auto s = keep_up(); !s.ok()) {
    loop_.defer([e = Result<Addresses>(s.error()), done = std::move(done)] { done(e); });
    return;
  }
  auto q = std::make_unique<Query>();
  q->self = this;
  q->name = name;
  q->waiting.push_back(std::move(done));
  Query* raw = q.get();
  queries_[name] = std::move(q);
  // Later: c-ares may answer at once, from /etc/hosts.
  loop_.defer([this, raw] {
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = ARES_AI_NOSORT;
    ares_getaddrinfo(channel_, raw->name.c_str(), nullptr, &hints, &Resolver::on_answer, raw);
    arm();
  });
}

void Resolver::on_answer(void* query, int status, int, ares_addrinfo* info) {
  auto* q = static_cast<Query*>(query);
  if (q->self->closing_) return;
  if (status != ARES_SUCCESS) {
    q->self->finish(*q, Error{Code::unavailable, q->name + ": " + ares_strerror(status), {}});
    return;
  }
  Addresses found;
  int64_t keep_us = kMaxKeepUs;
  // IPv4 first: many hosts have IPv6 addresses and no way out by them.
  for (const int family : {AF_INET, AF_INET6})
    for (const ares_addrinfo_node* n = info->nodes; n != nullptr; n = n->ai_next)
      if (n->ai_family == family) {
        found.push_back(address_of(*n));
        keep_us = std::min(keep_us, int64_t{n->ai_ttl} * 1'000'000);
      }
  ares_freeaddrinfo(info);
  Resolver& self = *q->self;
  if (self.known_.size() >= kMaxKnown) self.known_.clear();
  if (keep_us > 0) self.known_[q->name] = {found, monotonic_us() + keep_us};
  self.finish(*q, found);
}

void Resolver::finish(Query& q, const Result<Addresses>& answer) {
  const auto it = queries_.find(q.name);
  const std::unique_ptr<Query> held = std::move(it->second);
  queries_.erase(it);
  for (const auto& done : held->waiting) done(answer);
}

void Resolver::on_socket(void* data, int fd, int readable, int writable) {
  auto& self = *static_cast<Resolver*>(data);
  bool& watched = self.sockets_[fd];
  if (watched) self.loop_.forget(fd);
  watched = false;
  if (readable == 0 && writable == 0) {
    self.sockets_.erase(fd);
    return;
  }
  const uint32_t events = (readable != 0 ? EPOLLIN : 0U) | (writable != 0 ? EPOLLOUT : 0U);
  watched = self.loop_
                .watch(fd, events, "resolver",
                       [&self, fd](uint32_t e) {
                         self.process((e & ~EPOLLOUT) != 0 ? fd : ARES_SOCKET_BAD,
                                      (e & EPOLLOUT) != 0 ? fd : ARES_SOCKET_BAD);
                       })
                .ok();
}

void Resolver::process(int readable, int writable) {
  ares_process_fd(channel_, readable, writable);
  arm();
}

void Resolver::arm() {
  if (timer_ != 0) loop_.cancel(std::exchange(timer_, 0));
  timeval room{};
  const timeval* left = ares_timeout(channel_, nullptr, &room);
  if (left == nullptr) return;
  const int64_t ms = int64_t{left->tv_sec} * 1000 + left->tv_usec / 1000 + 1;
  timer_ = loop_.after_ms(ms, "resolver", [this] {
    timer_ = 0;
    process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  });
}

}  // namespace codexos::daemon

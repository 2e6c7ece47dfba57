// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/relay_task.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/clock.h"
#include "core/base/egress_net.h"
#include "core/base/log.h"
#include "core/base/quote.h"
#include "core/policy/host_name.h"
#include "daemon/egress/refused_packet.h"

namespace codexos::daemon {
namespace {

constexpr int kOriginalDst =
    80;  // SO_ORIGINAL_DST, IP6T_SO_ORIGINAL_DST: headers that fit no others
constexpr size_t kMaxConnections = 4096;
constexpr int kAcceptBatch = 64, kPacketBatch = 64;
constexpr int64_t kPauseMs = 100;  // when descriptors or connections are used up
constexpr int64_t kDnsClientMs = 10'000;
constexpr size_t kMaxDnsClients = 64;
constexpr size_t kMaxDnsMessage = 4096;
constexpr size_t kMaxTold = 4096;        // different refusals of one task
constexpr uint64_t kMaxEvents = 20'000;  // of one task
constexpr uint16_t kDnsPort = 53;

struct Destination {
  IpAddress address;
  uint16_t port = 0;
};

Destination destination_of(const sockaddr_storage& at) {
  Destination d;
  if (at.ss_family == AF_INET) {
    sockaddr_in a{};
    std::memcpy(&a, &at, sizeof a);
    std::memcpy(d.address.bytes.data(), &a.sin_addr, sizeof a.sin_addr);
    d.port = ntohs(a.sin_port);
    return d;
  }
  sockaddr_in6 a{};
  std::memcpy(&a, &at, sizeof a);
  d.address.v6 = true;
  std::memcpy(d.address.bytes.data(), &a.sin6_addr, sizeof a.sin6_addr);
  d.port = ntohs(a.sin6_port);
  return d;
}

/// The task's own addresses, the listener's among them.
bool is_own(const IpAddress& a) {
  if (a.v6) return std::memcmp(a.bytes.data(), &in6addr_loopback, sizeof in6addr_loopback) == 0;
  const uint32_t v4 = ipv4_value(a);
  return v4 == kNetOwn || v4 == INADDR_ANY || v4 >> 24 == IN_LOOPBACKNET;
}

/// What was dialled: without redirection the address that it was accepted on. Nothing: the task's
/// own, so the listener itself.
std::optional<Destination> original_destination(int fd, bool redirected) {
  sockaddr_storage at{};
  socklen_t size = sizeof at;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) < 0) return std::nullopt;
  size = sizeof at;
  const int level = at.ss_family == AF_INET ? SOL_IP : SOL_IPV6;
  if (redirected && getsockopt(fd, level, kOriginalDst, &at, &size) < 0) return std::nullopt;
  const Destination d = destination_of(at);
  return is_own(d.address) ? std::nullopt : std::optional(d);
}

void reset_and_close(Fd fd) {
  const linger l{1, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &l, sizeof l);
}

bool is_of_names(const IpAddress& a) {
  return !a.v6 && (ipv4_value(a) & ~(~0U >> kNetNamesBits)) == kNetNames;
}

/// A port that an option shows, of the host's loopback or of the task's.
DialTarget own_loopback(const char* option, int32_t port) {
  DialTarget target;
  target.address = ipv4(INADDR_LOOPBACK);
  target.port = static_cast<uint16_t>(port);
  target.rule.text = option + std::to_string(port);
  target.own_host = true;
  return target;
}

}  // namespace

RelayTask::~RelayTask() {
  *exists_ = false;
  close();
}

// ---- sockets ----------------------------------------------------------------------------------

void RelayTask::serve(TaskSocketsPtr sockets) {
  for (const auto& fd : sockets_->fds) p_.dial.loop.forget(fd.get());
  paused_.clear();
  sockets_ = std::move(sockets);
  for (size_t i = 0; i < sockets_->fds.size(); ++i)
    watch(sockets_->what.kinds[i], sockets_->fds[i].get(), sockets_->what.ports[i]);
}

void RelayTask::watch(NetSocket kind, int fd, int32_t port) {
  const auto ready = [&]() -> Loop::OnReady {
    switch (kind) {
      case NetSocket::tcp:
        return [this, fd](uint32_t) { on_accept(fd); };
      case NetSocket::dns_tcp:
        return [this, fd](uint32_t) { on_dns_accept(fd); };
      case NetSocket::dns_udp:
        return [this, fd](uint32_t) { on_dns_packet(fd); };
      case NetSocket::refused:
        return [this, fd](uint32_t) { on_refused_packet(fd); };
      case NetSocket::reach:
        return [this, fd, port](uint32_t) { on_reach(fd, port); };
    }
    return nullptr;
  }();
  const auto noted = [touched = touched_, ready](uint32_t events) {
    *touched = true;
    ready(events);
  };
  if (auto s = p_.dial.loop.watch(fd, EPOLLIN, "task's network", noted); !s.ok())
    log_line(LogLevel::error, "egress", s.error().message);
}

void RelayTask::pause_accepting() {
  if (resume_timer_ != 0) return;
  for (size_t i = 0; i < sockets_->fds.size(); ++i) {
    const NetSocket kind = sockets_->what.kinds[i];
    if (kind != NetSocket::tcp && kind != NetSocket::reach) continue;
    (void)p_.dial.loop.modify(sockets_->fds[i].get(), 0);
  }
  resume_timer_ = p_.dial.loop.after_ms(kPauseMs, "accept again", [this] {
    resume_timer_ = 0;
    resume_accepting();
  });
}

void RelayTask::resume_accepting() {
  for (const auto& fd : sockets_->fds) (void)p_.dial.loop.modify(fd.get(), EPOLLIN);
}

void RelayTask::on_accept(int listener) {
  for (int i = 0; i < kAcceptBatch; ++i) {
    if (connections_.size() >= kMaxConnections) return pause_accepting();
    Fd client(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        pause_accepting();
      return;
    }
    const auto to = original_destination(client.get(), sockets_->what.redirected);
    if (!to) {
      reset_and_close(std::move(client));
      deny("network", "127.255.255.77", kNetPort, "the relay itself was dialled", "");
    } else if (is_of_names(to->address)) {
      const std::string* name = names_.name_of(ipv4_value(to->address));
      if (name != nullptr) {
        open_by_name(std::move(client), *name, to->port);
      } else {
        reset_and_close(std::move(client));
        deny("network", to_text(to->address), to->port, "no name has this address", "");
      }
    } else if (to->address.v6 && to->port == kDnsPort) {
      // DNS over TCP to a server of IPv6 comes here: there is no redirection into IPv4.
      begin_dns(std::move(client));
    } else {
      open_by_address(std::move(client), to->address, to->port);
    }
  }
}

void RelayTask::on_reach(int listener, int32_t port) {
  for (int i = 0; i < kAcceptBatch; ++i) {
    if (connections_.size() >= kMaxConnections) return pause_accepting();
    Fd client(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client) return;
    begin(std::move(client), own_loopback("--reach ", port));
  }
}

void RelayTask::publish(int32_t port, Fd listener) {
  const int fd = listener.get();
  published_[port] = std::move(listener);
  if (auto s = p_.dial.loop.watch(fd, EPOLLIN, "published port",
                                  [this, fd, port](uint32_t) { on_published(fd, port); });
      !s.ok())
    log_line(LogLevel::error, "egress", s.error().message);
}

void RelayTask::on_published(int listener, int32_t port) {
  for (int i = 0; i < kAcceptBatch; ++i) {
    Fd client(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client) return;
    if (connections_.size() + outside_.size() >= kMaxConnections) continue;  // it is closed
    const uint64_t number = next_outside_++;
    outside_[number] = {std::move(client), port};
    dial_(number, port);
  }
}

void RelayTask::dialled(uint64_t number, Fd socket) {
  const auto it = outside_.find(number);
  if (it == outside_.end()) return;
  Outside o = std::move(it->second);
  outside_.erase(it);
  if (!socket) return reset_and_close(std::move(o.client));
  auto c = std::make_unique<Connection>(p_, std::move(o.client), own_loopback("--publish ", o.port),
                                        Treatment(), *this);
  c->connect_to(std::move(socket));
  add(std::move(c));
}

void RelayTask::serve_ssh(SshAccessPtr access, Fd listener) {
  ssh_ = std::make_unique<SshBroker>(p_.dial.loop, std::move(access), std::move(listener),
                                     [this](const AgentSession::Answer& what) { on_ssh(what); });
}

// ---- decisions --------------------------------------------------------------------------------

void RelayTask::open_by_address(Fd client, const IpAddress& to, uint16_t port) {
  const NetRule* rule = match_address(policy_->rules, to, port);
  if (rule == nullptr) {
    const IpAddress reached = effective(to);
    const AddressKind kind = kind_of(reached);
    const std::string text = to_text(reached);
    std::string hint;
    if (kind.reach == Reach::everywhere) hint = allow_option(text, port);
    if (kind.reach == Reach::near) hint = allow_option(text, port) + ",private";
    reset_and_close(std::move(client));
    return deny("network", to_text(to), port,
                kind.reach == Reach::everywhere ? "no rule admits this address"
                                                : std::string("the address is ") + kind.why,
                hint);
  }
  DialTarget target;
  target.address = effective(to);
  target.port = port;
  target.rule = *rule;
  begin(std::move(client), std::move(target));
}

/// The model gateway: its bytes are no part of the task's traffic.
void RelayTask::open_models(Fd client, uint16_t port) {
  std::string why = "the model gateway is at port 80";
  if (port == kModelsPort) {
    const Status s = models_(std::move(client));
    if (s.ok()) return;
    why = s.error().message;
  } else {
    reset_and_close(std::move(client));
  }
  deny("network", std::string(kModelsHost), port, why, "");
}

void RelayTask::open_by_name(Fd client, const std::string& name, uint16_t port) {
  if (is_models(name)) return open_models(std::move(client), port);
  const NetRule* rule = match_name(policy_->rules, name, port);
  if (rule == nullptr) {
    reset_and_close(std::move(client));
    const bool other_port = match_name(policy_->rules, name, 0) != nullptr;
    return deny("network", name, port,
                other_port ? "no rule admits this port" : "no rule admits this host",
                "--allow " + name + ":" + std::to_string(port));
  }
  DialTarget target;
  target.name = name;
  target.port = port;
  target.rule = *rule;
  begin(std::move(client), std::move(target));
}

void RelayTask::begin(Fd client, DialTarget target) {
  if (used_up()) {
    reset_and_close(std::move(client));
    return;
  }
  Treatment t = treatment_of(target);
  add(std::make_unique<Connection>(p_, std::move(client), std::move(target), std::move(t), *this));
}

/// The trust store is read before a connection waits for it.
void RelayTask::prepare_tls() {
  if (!policy_->ca) return leaves_.reset();
  if (!leaves_ || leaves_->ca() != policy_->ca) leaves_ = std::make_shared<TlsLeaves>(policy_->ca);
  if (auto c = p_.servers.context(); !c.ok())
    log_line(LogLevel::error, "egress", c.error().message);
}

Treatment RelayTask::treatment_of(const DialTarget& target) const {
  Treatment t;
  if (target.own_host) return t;
  t.injections = policy_->injections;
  t.leaves = leaves_;
  t.metering = metering_;
  if (target.name.empty()) return t;
  t.bound = t.injections && t.injections->binds(target.name, target.port);
  t.terminate = terminates(policy_->rules, target.name, target.port);
  return t;
}

void RelayTask::add(std::unique_ptr<Connection> c) {
  Connection* raw = c.get();
  connections_[raw] = std::move(c);
  ++totals_.connections;
  raw->start();
}

bool RelayTask::on_bytes(uint64_t in, uint64_t out) {
  totals_.bytes_in += in;
  totals_.bytes_out += out;
  if (!used_up()) return true;
  // Not from within the connection that is running: it goes with the others in a moment.
  if (!std::exchange(limit_told_, true)) {
    deny("network", "all", 0,
         "the limit of " + std::to_string(policy_->max_bytes) + " bytes is used up", "--net-bytes");
    p_.dial.loop.defer([this, exists = exists_] {
      if (!*exists) return;
      std::vector<Connection*> all;
      for (const auto& [c, owned] : connections_) all.push_back(owned.get());
      for (Connection* c : all) {
        c->cut("the limit of bytes is used up");
        on_end(*c);
      }
    });
  }
  return true;
}

void RelayTask::on_end(Connection& c) {
  const auto it = connections_.find(&c);
  if (it == connections_.end()) return;
  NetReport r = c.report();
  if (r.kind == NetReport::Kind::denied) {
    deny(r.what, r.target, r.port, r.detail, r.hint);
  } else {
    report(std::move(r));
  }
  over_.push_back(std::move(it->second));
  connections_.erase(it);
  if (over_.size() == 1)
    p_.dial.loop.defer([this, exists = exists_] {
      if (*exists) over_.clear();
    });
}

void RelayTask::change(NetPolicyPtr policy) {
  policy_ = std::move(policy);
  prepare_tls();
  denied_.clear();
  limit_told_ = false;
  std::vector<Connection*> lost;
  for (const auto& [key, c] : connections_) {
    const DialTarget& t = c->target();
    if (t.own_host) continue;
    const NetRule* rule = t.name.empty() ? match_address(policy_->rules, *t.address, t.port)
                                         : match_name(policy_->rules, t.name, t.port);
    // Nor may one go on with secrets that it should not have any more, or hide what is to be seen.
    const Treatment now = treatment_of(t), &then = c->treatment();
    const bool other = then.ends_tls() && then.injections != now.injections;
    if (rule == nullptr || other || (now.terminate && !then.terminate)) lost.push_back(c.get());
  }
  for (Connection* c : lost) {
    c->cut("it is not allowed any more");
    on_end(*c);
  }
}

void RelayTask::close() {
  if (resume_timer_ != 0) p_.dial.loop.cancel(std::exchange(resume_timer_, 0));
  // What it tried in its last moment is told too.
  for (size_t i = 0; i < sockets_->fds.size(); ++i) {
    if (sockets_->what.kinds[i] == NetSocket::tcp) on_accept(sockets_->fds[i].get());
    if (sockets_->what.kinds[i] == NetSocket::refused) on_refused_packet(sockets_->fds[i].get());
  }
  if (resume_timer_ != 0) p_.dial.loop.cancel(std::exchange(resume_timer_, 0));
  for (const auto& fd : sockets_->fds) p_.dial.loop.forget(fd.get());
  sockets_ = std::make_shared<TaskSockets>();
  for (const auto& [port, fd] : published_) p_.dial.loop.forget(fd.get());
  published_.clear();
  ssh_.reset();
  outside_.clear();
  while (!dns_clients_.empty()) drop_dns_client(dns_clients_.begin()->first);
  while (!connections_.empty()) {
    Connection& c = *connections_.begin()->second;
    c.cut("the task ended");
    on_end(c);
  }
}

// ---- DNS --------------------------------------------------------------------------------------

/// 0 and `why`: not now.
uint32_t RelayTask::address_for(const std::string& name, const NetRule& rule, std::string& why) {
  if (rule.kind == NetRule::Kind::below && !names_.known(name) && !labels_.take(monotonic_us())) {
    why = "too many different names below " + rule.name;
    return 0;
  }
  const uint32_t address = names_.address_of(name);
  if (address == 0) why = "too many different names";
  return address;
}

std::string RelayTask::answer_dns(std::string_view message) {
  const auto q = parse_dns(message);
  if (!q) return {};
  if (!q->query)
    return dns_reply(*q, q->question.empty() ? DnsCode::format_error : DnsCode::not_implemented, 0);
  const auto refuse = [&](const std::string& why, const std::string& hint) {
    deny("dns", quote_git(q->name.substr(0, 253)), 0, why, hint);
    return dns_reply(*q, DnsCode::refused, 0);
  };
  const auto name = clean_host_name(q->name);
  if (!name.ok()) return refuse(name.error().message, "");
  if (*name == "localhost" ||
      (name->size() > 10 && name->compare(name->size() - 10, 10, ".localhost") == 0)) {
    return dns_reply(*q, DnsCode::ok, asks_for_a(*q) ? INADDR_LOOPBACK : 0);  // RFC 6761
  }
  if (is_models(*name)) {
    const bool for_a = q->internet && asks_for_a(*q);
    const uint32_t own = for_a ? names_.address_of(*name) : 0;
    return dns_reply(*q, DnsCode::ok, own);
  }
  const NetRule* rule = match_name(policy_->rules, *name, 0);
  if (rule == nullptr) return refuse("no rule admits this host", allow_option(*name, 0));
  if (!q->internet || !asks_for_a(*q)) return dns_reply(*q, DnsCode::ok, 0);
  std::string why;
  const uint32_t address = address_for(*name, *rule, why);
  if (address == 0) return refuse(why, allow_option(*name, 0));
  return dns_reply(*q, DnsCode::ok, address);
}

void RelayTask::on_dns_packet(int fd) {
  for (int i = 0; i < kPacketBatch; ++i) {
    char buffer[kMaxDnsMessage];
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    const ssize_t n = recvfrom(fd, buffer, sizeof buffer, MSG_DONTWAIT | MSG_TRUNC,
                               reinterpret_cast<sockaddr*>(&from), &size);
    if (n < 0) return;
    if (static_cast<size_t>(n) > sizeof buffer) continue;
    const std::string reply = answer_dns({buffer, static_cast<size_t>(n)});
    if (!reply.empty())
      (void)sendto(fd, reply.data(), reply.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                   reinterpret_cast<sockaddr*>(&from), size);
  }
}

void RelayTask::on_dns_accept(int listener) {
  for (int i = 0; i < kAcceptBatch; ++i) {
    Fd client(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client) return;
    begin_dns(std::move(client));
  }
}

void RelayTask::begin_dns(Fd client) {
  if (dns_clients_.size() >= kMaxDnsClients) return;
  const int fd = client.get();
  DnsClient& d = dns_clients_[fd];
  d.socket = std::move(client);
  d.timer = p_.dial.loop.after_ms(kDnsClientMs, "dns client", [this, fd] {
    dns_clients_[fd].timer = 0;
    drop_dns_client(fd);
  });
  (void)p_.dial.loop.watch(fd, EPOLLIN, "dns client",
                           [this, fd](uint32_t e) { on_dns_client(fd, e); });
}

/// Messages with two bytes of length in front (RFC 1035, 4.2.2).
void RelayTask::on_dns_client(int fd, uint32_t) {
  DnsClient& d = dns_clients_[fd];
  char buffer[kMaxDnsMessage];
  const ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return drop_dns_client(fd);
  d.in.append(buffer, static_cast<size_t>(n));
  while (d.in.size() >= 2) {
    const size_t size =
        static_cast<size_t>(static_cast<uint8_t>(d.in[0])) << 8 | static_cast<uint8_t>(d.in[1]);
    if (size > kMaxDnsMessage) return drop_dns_client(fd);
    if (d.in.size() < size + 2) break;
    const std::string reply = answer_dns(std::string_view(d.in).substr(2, size));
    d.in.erase(0, size + 2);
    if (reply.empty()) return drop_dns_client(fd);
    std::string framed{static_cast<char>(reply.size() >> 8), static_cast<char>(reply.size())};
    framed += reply;
    // Whoever does not read its answers gets no more.
    if (send(fd, framed.data(), framed.size(), MSG_DONTWAIT | MSG_NOSIGNAL) !=
        static_cast<ssize_t>(framed.size()))
      return drop_dns_client(fd);
  }
}

void RelayTask::drop_dns_client(int fd) {
  const auto it = dns_clients_.find(fd);
  if (it == dns_clients_.end()) return;
  p_.dial.loop.forget(fd);
  if (it->second.timer != 0) p_.dial.loop.cancel(it->second.timer);
  dns_clients_.erase(it);
}

// ---- reports ----------------------------------------------------------------------------------

void RelayTask::on_refused_packet(int fd) {
  for (int i = 0; i < kPacketBatch; ++i) {
    char buffer[16 << 10];
    const ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n <= 0) return;
    for (const auto& packet : parse_refused({buffer, static_cast<size_t>(n)}))
      deny("network", to_text(packet.to), packet.port,
           packet.protocol + " is not relayed, only TCP is", "");
  }
}

/// Programs try again and again: each thing is told once.
bool RelayTask::is_news(const std::string& key) {
  if (denied_.count(key) != 0) return false;
  if (denied_.size() >= kMaxTold) {
    ++totals_.unreported;
    return false;
  }
  denied_.insert(key);
  return true;
}

void RelayTask::on_secret(const Connection& c, const char* what, const std::string& secret,
                          std::string where) {
  const DialTarget& t = c.target();
  NetReport r;
  r.kind = NetReport::Kind::secret;
  r.at_us = now_us();
  r.what = what;
  r.secret = secret;
  r.target = t.address ? to_text(*t.address) : t.name;
  r.port = t.port;
  r.rule = t.rule.text;
  r.detail = std::move(where);
  if (!is_news("secret" + ('\0' + r.what) + '\0' + secret + '\0' + r.target + '\0' +
               std::to_string(r.port) + '\0' + r.detail))
    return;
  report(std::move(r));
}

void RelayTask::on_ssh(const AgentSession::Answer& what) {
  if (!what.why.empty())
    return deny("ssh-key", what.host.empty() ? what.key : what.host, what.port, what.why, "");
  NetReport r;
  r.kind = NetReport::Kind::secret;
  r.at_us = now_us();
  r.what = "signed";
  r.secret = what.key;
  r.target = what.host;
  r.port = what.port;
  r.detail = "as user " + quote_git(what.user);
  report(std::move(r));
}

void RelayTask::deny(std::string what, std::string target, uint16_t port, std::string why,
                     std::string hint) {
  ++totals_.denials;
  if (!is_news(what + '\0' + target + '\0' + std::to_string(port) + '\0' + why)) return;
  NetReport r;
  r.at_us = now_us();
  r.what = std::move(what);
  r.target = std::move(target);
  r.port = port;
  r.detail = std::move(why);
  r.hint = std::move(hint);
  report(std::move(r));
}

void RelayTask::report(NetReport r) {
  if (++told_ > kMaxEvents) {
    ++totals_.unreported;
    return;
  }
  tell_(std::move(r));
}

}  // namespace codexos::daemon

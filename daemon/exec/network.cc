// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "core/base/egress_net.h"

namespace codexos::exec {
namespace {

constexpr int kBacklog = 4096;
constexpr int kFullQueueMs = 20;
constexpr size_t kReplies = 32 << 10;

/// How many messages of `bytes` ask for an acknowledgement.
size_t wanted_acks(const std::string& bytes) {
  size_t n = 0;
  for (size_t at = 0; at + sizeof(nlmsghdr) <= bytes.size();) {
    nlmsghdr h{};
    std::memcpy(&h, bytes.data() + at, sizeof h);
    if (h.nlmsg_len < sizeof h) break;
    if ((h.nlmsg_flags & NLM_F_ACK) != 0) ++n;
    at += NLMSG_ALIGN(h.nlmsg_len);
  }
  return n;
}

/// Reads acknowledgements until there are `wanted`; the first error ends it.
Status read_acks(int fd, size_t wanted) {
  std::string reply(kReplies, '\0');
  while (wanted > 0) {
    const ssize_t n = recv(fd, reply.data(), reply.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return errno_error("netlink", n < 0 ? errno : EPIPE);
    const auto got = static_cast<size_t>(n);
    for (size_t at = 0; at + sizeof(nlmsghdr) <= got;) {
      nlmsghdr h{};
      std::memcpy(&h, reply.data() + at, sizeof h);
      if (h.nlmsg_len < sizeof h || h.nlmsg_len > got - at) break;
      if (h.nlmsg_type == NLMSG_ERROR && h.nlmsg_len >= sizeof h + sizeof(int)) {
        int error = 0;
        std::memcpy(&error, reply.data() + at + sizeof h, sizeof error);
        if (error != 0) {
          errno = -error;
          return errno_error("netlink", -error);
        }
        if (wanted > 0) --wanted;
      }
      at += NLMSG_ALIGN(h.nlmsg_len);
    }
  }
  return {};
}

Status send_batch(const NetlinkBatch& b) {
  const Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, b.protocol));
  if (!fd) return errno_error("netlink socket", errno);
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (sendto(fd.get(), b.bytes.data(), b.bytes.size(), 0, reinterpret_cast<sockaddr*>(&kernel),
             sizeof kernel) < 0)
    return errno_error("netlink", errno);
  return read_acks(fd.get(), wanted_acks(b.bytes));
}

template <class Address>
Result<Fd> bound(int type, const Address& address) {
  const auto* a = reinterpret_cast<const sockaddr*>(&address);
  Fd fd(socket(a->sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno_error("socket", errno);
  const int one = 1;
  if (a->sa_family == AF_INET6) setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
  if (bind(fd.get(), a, sizeof address) < 0) return errno_error("bind", errno);
  if (type == SOCK_STREAM && listen(fd.get(), kBacklog) < 0) return errno_error("listen", errno);
  return fd;
}

sockaddr_in at4(uint32_t address, uint16_t port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(address);
  a.sin_port = htons(port);
  return a;
}
sockaddr_in6 at6(uint16_t port, const in6_addr& address = in6addr_loopback) {
  sockaddr_in6 a{};
  a.sin6_family = AF_INET6;
  a.sin6_addr = address;
  a.sin6_port = htons(port);
  return a;
}

bool no_ipv6(const Error&) {
  return errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL || errno == ENETUNREACH;
}

template <class Address>
Status add_bound(Network& out, NetSocket kind, int type, const Address& address, int32_t port = 0) {
  auto fd = bound(type, address);
  if (!fd.ok()) {
    if (sizeof address == sizeof(sockaddr_in6) && no_ipv6(fd.error())) return {};
    return std::move(fd).error();
  }
  out.add(kind, port, *std::move(fd));
  return {};
}

/// One attribute of nfnetlink behind a message's headers.
template <class T>
void put_attribute(std::string& m, uint16_t type, const T& value) {
  nlattr a{};
  a.nla_len = static_cast<uint16_t>(NLA_HDRLEN + sizeof value);
  a.nla_type = type;
  m.append(reinterpret_cast<const char*>(&a), sizeof a);
  m.append(reinterpret_cast<const char*>(&value), sizeof value);
  m.resize(NLMSG_ALIGN(m.size()));
}

/// Asks for the packets of the rules' log group (linux/netfilter/nfnetlink_log.h).
Status listen_to_refusals(Network& out) {
  Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!fd) return errno_error("netlink socket", errno);
  std::string m(sizeof(nlmsghdr) + sizeof(nfgenmsg), '\0');
  nfulnl_msg_config_cmd command{NFULNL_CFG_CMD_BIND};
  put_attribute(m, NFULA_CFG_CMD, command);
  nfulnl_msg_config_mode mode{};
  constexpr uint32_t kHeaders = 64;
  mode.copy_range = htonl(kHeaders);
  mode.copy_mode = NFULNL_COPY_PACKET;
  put_attribute(m, NFULA_CFG_MODE, mode);
  put_attribute(m, NFULA_CFG_QTHRESH, htonl(1U));  // each at once: a task may end within a second
  nlmsghdr h{};
  h.nlmsg_len = static_cast<uint32_t>(m.size());
  h.nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
  h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  nfgenmsg g{};
  g.nfgen_family = AF_UNSPEC;
  g.version = NFNETLINK_V0;
  g.res_id = htons(kNetLogGroup);
  std::memcpy(m.data(), &h, sizeof h);
  std::memcpy(m.data() + sizeof h, &g, sizeof g);
  if (send(fd.get(), m.data(), m.size(), 0) < 0) return errno_error("nflog", errno);
  CODEXOS_TRY(read_acks(fd.get(), 1));
  out.add(NetSocket::refused, 0, std::move(fd));
  return {};
}

}  // namespace

void Network::add(NetSocket kind, int32_t port, Fd fd) {
  sockets.kinds.push_back(kind);
  sockets.ports.push_back(port);
  fds.push_back(std::move(fd));
}

std::vector<int> Network::numbers() const {
  std::vector<int> out;
  for (const auto& fd : fds) out.push_back(fd.get());
  return out;
}

Status set_network_defaults(int sysctl) {
  const auto set = [sysctl](const char* name, std::string_view value) {
    const Fd fd(openat(sysctl, name, O_WRONLY | O_CLOEXEC));
    return fd && write(fd.get(), value.data(), value.size()) > 0;
  };
  (void)set("net/ipv4/tcp_congestion_control", "reno");
  (void)set("net/ipv4/tcp_rmem", "4096 131072 1048576");
  (void)set("net/ipv4/tcp_wmem", "4096 131072 1048576");
  if (!set("net/ipv4/ip_unprivileged_port_start", "0") && errno != ENOENT)  // else without IPv4
    return errno_error("write ip_unprivileged_port_start", errno);
  return {};
}

Status raise_loopback() {
  const Fd sock(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!sock) return errno_error("socket", errno);
  ifreq r{};
  std::strncpy(r.ifr_name, "lo", sizeof r.ifr_name - 1);
  r.ifr_flags = IFF_UP | IFF_RUNNING;
  if (ioctl(sock.get(), SIOCSIFFLAGS, &r) < 0) return errno_error("raise lo", errno);
  return {};
}

Status send_batches(const std::vector<NetlinkBatch>& batches, Redirection& out) {
  Status last;
  for (const auto& b : batches) {
    const bool rules = b.protocol == NETLINK_NETFILTER;
    if (b.fallback && last.ok()) continue;
    last = send_batch(b);
    if (last.ok() && rules) out = {true, !b.fallback};
    if (last.ok() || rules) continue;
    if (!b.may_fail) return std::move(last).error().during(b.what);
    last = Status();
  }
  return {};
}

Status open_sockets(const Redirection& r, Network& out) {
  constexpr uint16_t kDnsPort = 53;
  out.sockets.redirected = r.works;
  CODEXOS_TRY(add_bound(out, NetSocket::dns_udp, SOCK_DGRAM, at4(kNetDns, kDnsPort)));
  CODEXOS_TRY(add_bound(out, NetSocket::dns_tcp, SOCK_STREAM, at4(kNetDns, kDnsPort)));
  if (!r.works) return {};
  CODEXOS_TRY(add_bound(out, NetSocket::tcp, SOCK_STREAM, at4(kNetListener, kNetPort)));
  CODEXOS_TRY(add_bound(out, NetSocket::tcp, SOCK_STREAM, at6(kNetPort)));
  CODEXOS_TRY(add_bound(out, NetSocket::dns_udp, SOCK_DGRAM, at6(kNetPort)));
  // Only that there are no events of refused packets; they are refused all the same.
  if (r.logs) (void)listen_to_refusals(out);
  return {};
}

Status set_up_network(const std::vector<NetlinkBatch>& batches, Network& out) {
  Redirection r;
  CODEXOS_TRY(send_batches(batches, r));
  return open_sockets(r, out);
}

Status listen_for_names(int32_t port, Network& out) {
  const auto p = static_cast<uint16_t>(port);
  CODEXOS_TRY(add_bound(out, NetSocket::tcp, SOCK_STREAM, at4(INADDR_ANY, p), port));
  return add_bound(out, NetSocket::tcp, SOCK_STREAM, at6(p, in6addr_any), port);
}

Status listen_for_reach(int32_t port, Network& out) {
  const auto p = static_cast<uint16_t>(port);
  CODEXOS_TRY(add_bound(out, NetSocket::reach, SOCK_STREAM, at4(INADDR_LOOPBACK, p), port));
  return add_bound(out, NetSocket::reach, SOCK_STREAM, at6(p), port);
}

int dial_inside(int32_t port, Fd& out) {
  const auto p = static_cast<uint16_t>(port);
  const auto dial = [&out](const auto& address) {
    const auto* a = reinterpret_cast<const sockaddr*>(&address);
    out.reset(socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!out) return errno;
    if (connect(out.get(), a, sizeof address) == 0) return 0;
    if (errno != EINPROGRESS) return errno;
    // On the loopback it is connected or refused at once, unless the server's queue is full.
    pollfd ready{out.get(), POLLOUT, 0};
    if (poll(&ready, 1, kFullQueueMs) <= 0) return ETIMEDOUT;
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(out.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    return error;
  };
  const int error = dial(at4(INADDR_LOOPBACK, p));
  if (error == 0) return 0;
  if (dial(at6(p)) == 0) return 0;
  out.reset();
  return error;
}

}  // namespace codexos::exec

// SPDX-License-Identifier: Apache-2.0
#include "daemon/sandbox/network.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include <array>
#include <memory>

#include "core/base/egress_net.h"

namespace codexos::daemon {
namespace {

constexpr size_t kBuffer = 64 << 10;
constexpr uint32_t kLoopback = 1;  // the index of lo in every namespace
constexpr char kTable[] = "codexos";
constexpr uint16_t kDnsPort = 53;
constexpr int kBefore = -100, kFilter = 0;  // priorities: NF_IP_PRI_NAT_DST, NF_IP_PRI_FILTER

// ---- addresses and routes (rtnetlink(7))

class Messages {
 public:
  Messages() : bytes_(kBuffer, '\0') {}
  nlmsghdr* begin(uint16_t type, uint16_t flags) {
    head_ = mnl_nlmsg_put_header(bytes_.data() + used_);
    head_->nlmsg_type = type;
    head_->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    head_->nlmsg_seq = ++sequence_;
    return head_;
  }
  void end() { used_ += NLMSG_ALIGN(head_->nlmsg_len); }
  std::string take() {
    bytes_.resize(used_);
    return std::move(bytes_);
  }

 private:
  std::string bytes_;
  size_t used_ = 0;
  uint32_t sequence_ = 0;
  nlmsghdr* head_ = nullptr;
};

void raise_loopback(Messages& m) {
  nlmsghdr* h = m.begin(RTM_NEWLINK, 0);
  auto* link = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(h, sizeof(ifinfomsg)));
  link->ifi_family = AF_UNSPEC;
  link->ifi_index = static_cast<int>(kLoopback);
  link->ifi_flags = IFF_UP;
  link->ifi_change = IFF_UP;
  m.end();
}

void add_own_address(Messages& m) {
  nlmsghdr* h = m.begin(RTM_NEWADDR, NLM_F_CREATE);
  auto* a = static_cast<ifaddrmsg*>(mnl_nlmsg_put_extra_header(h, sizeof(ifaddrmsg)));
  a->ifa_family = AF_INET;
  a->ifa_prefixlen = 32;
  a->ifa_scope = RT_SCOPE_UNIVERSE;
  a->ifa_index = kLoopback;
  mnl_attr_put_u32(h, IFA_LOCAL, htonl(kNetOwn));
  mnl_attr_put_u32(h, IFA_ADDRESS, htonl(kNetOwn));
  m.end();
}

/// Every address is on this machine.
void add_local_route(Messages& m, uint8_t family) {
  nlmsghdr* h = m.begin(RTM_NEWROUTE, NLM_F_CREATE);
  auto* r = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(h, sizeof(rtmsg)));
  r->rtm_family = family;
  r->rtm_table = RT_TABLE_LOCAL;
  r->rtm_protocol = RTPROT_BOOT;
  r->rtm_scope = family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
  r->rtm_type = RTN_LOCAL;
  mnl_attr_put_u32(h, RTA_OIF, kLoopback);
  if (family == AF_INET) mnl_attr_put_u32(h, RTA_PREFSRC, htonl(kNetOwn));
  m.end();
}

NetlinkBatch loopback_batch() {
  Messages m;
  raise_loopback(m);
  add_own_address(m);
  add_local_route(m, AF_INET);
  return {NETLINK_ROUTE, m.take(), false, false, "addresses and routes"};
}

NetlinkBatch ipv6_batch() {
  Messages m;
  add_local_route(m, AF_INET6);
  return {NETLINK_ROUTE, m.take(), false, true, "IPv6 route"};
}

// ---- rules (nf_tables, as nft(8) compiles them)

/// One rule under construction: conditions first, then what happens.
class Rule {
 public:
  explicit Rule(const char* chain) : rule_(nftnl_rule_alloc()) {
    if (!rule_) return;
    nftnl_rule_set_str(rule_.get(), NFTNL_RULE_TABLE, kTable);
    nftnl_rule_set_str(rule_.get(), NFTNL_RULE_CHAIN, chain);
    nftnl_rule_set_u32(rule_.get(), NFTNL_RULE_FAMILY, NFPROTO_INET);
  }
  bool ok() const { return rule_ && ok_; }
  nftnl_rule* get() const { return rule_.get(); }

  Rule& family(uint8_t wanted) { return meta(NFT_META_NFPROTO, wanted); }
  Rule& protocol(uint8_t wanted) { return meta(NFT_META_L4PROTO, wanted); }
  Rule& port(uint16_t wanted) {
    const uint16_t net = htons(wanted);
    return payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, &net, sizeof net);
  }
  Rule& icmp_type(uint8_t wanted) {
    return payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, &wanted, sizeof wanted);
  }
  /// Destination, IPv4; `bits` of it.
  Rule& to4(uint32_t address, int bits) {
    family(NFPROTO_IPV4);
    const uint32_t mask = htonl(bits == 32 ? ~0U : ~(~0U >> bits)), net = htonl(address);
    load(NFT_PAYLOAD_NETWORK_HEADER, 16, sizeof net);
    if (bits < 32) {
      const uint32_t none = 0;
      nftnl_expr* e = add("bitwise");
      u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
      u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
      u32(e, NFTNL_EXPR_BITWISE_LEN, sizeof net);
      data(e, NFTNL_EXPR_BITWISE_MASK, &mask, sizeof mask);
      data(e, NFTNL_EXPR_BITWISE_XOR, &none, sizeof none);
    }
    return compare(&net, sizeof net);
  }
  Rule& to6(const in6_addr& address) {
    family(NFPROTO_IPV6);
    return payload(NFT_PAYLOAD_NETWORK_HEADER, 24, &address, sizeof address);
  }

  Rule& verdict(uint32_t v) {
    nftnl_expr* e = add("immediate");
    u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    u32(e, NFTNL_EXPR_IMM_VERDICT, v);
    return *this;
  }
  /// To another address and port of IPv4.
  Rule& dnat(uint32_t address, uint16_t to_port) {
    const uint32_t net = htonl(address);
    value(NFT_REG_1, &net, sizeof net);
    const uint16_t net_port = htons(to_port);
    value(NFT_REG_2, &net_port, sizeof net_port);
    nftnl_expr* e = add("nat");
    u32(e, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
    u32(e, NFTNL_EXPR_NAT_FAMILY, NFPROTO_IPV4);
    u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
    u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN, NFT_REG_2);
    return *this;
  }
  /// To a port of the loopback.
  Rule& redirect(uint16_t to_port) {
    const uint16_t net_port = htons(to_port);
    value(NFT_REG_1, &net_port, sizeof net_port);
    u32(add("redir"), NFTNL_EXPR_REDIR_REG_PROTO_MIN, NFT_REG_1);
    return *this;
  }
  Rule& reject(uint8_t icmpx_code) {
    nftnl_expr* e = add("reject");
    u32(e, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH);
    if (e != nullptr) nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, icmpx_code);
    return *this;
  }
  /// Some packets a second are shown to the daemon, from the network header on.
  Rule& log() {
    constexpr uint64_t kPackets = 10;
    constexpr uint32_t kBurst = 50, kHeaders = 64;
    nftnl_expr* limit = add("limit");
    if (limit != nullptr) {
      nftnl_expr_set_u64(limit, NFTNL_EXPR_LIMIT_RATE, kPackets);
      nftnl_expr_set_u64(limit, NFTNL_EXPR_LIMIT_UNIT, 1);
    }
    u32(limit, NFTNL_EXPR_LIMIT_BURST, kBurst);
    u32(limit, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
    nftnl_expr* e = add("log");
    if (e != nullptr) nftnl_expr_set_u16(e, NFTNL_EXPR_LOG_GROUP, kNetLogGroup);
    u32(e, NFTNL_EXPR_LOG_SNAPLEN, kHeaders);
    return *this;
  }

 private:
  struct Free {
    void operator()(nftnl_rule* r) const { nftnl_rule_free(r); }
  };
  nftnl_expr* add(const char* name) {
    nftnl_expr* e = rule_ ? nftnl_expr_alloc(name) : nullptr;
    if (e == nullptr)
      ok_ = false;
    else
      nftnl_rule_add_expr(rule_.get(), e);
    return e;
  }
  static void u32(nftnl_expr* e, uint16_t what, uint32_t v) {
    if (e != nullptr) nftnl_expr_set_u32(e, what, v);
  }
  static void data(nftnl_expr* e, uint16_t what, const void* from, uint32_t size) {
    if (e != nullptr) nftnl_expr_set(e, what, from, size);
  }
  Rule& meta(uint32_t key, uint8_t wanted) {
    nftnl_expr* e = add("meta");
    u32(e, NFTNL_EXPR_META_KEY, key);
    u32(e, NFTNL_EXPR_META_DREG, NFT_REG_1);
    return compare(&wanted, sizeof wanted);
  }
  void load(uint32_t base, uint32_t offset, uint32_t size) {
    nftnl_expr* e = add("payload");
    u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
    u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
    u32(e, NFTNL_EXPR_PAYLOAD_LEN, size);
    u32(e, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
  }
  Rule& payload(uint32_t base, uint32_t offset, const void* wanted, uint32_t size) {
    load(base, offset, size);
    return compare(wanted, size);
  }
  Rule& compare(const void* wanted, uint32_t size) {
    nftnl_expr* e = add("cmp");
    u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
    u32(e, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
    data(e, NFTNL_EXPR_CMP_DATA, wanted, size);
    return *this;
  }
  void value(uint32_t reg, const void* from, uint32_t size) {
    nftnl_expr* e = add("immediate");
    u32(e, NFTNL_EXPR_IMM_DREG, reg);
    data(e, NFTNL_EXPR_IMM_DATA, from, size);
  }

  std::unique_ptr<nftnl_rule, Free> rule_;
  bool ok_ = true;
};

/// One transaction: all of it, or nothing.
class Batch {
 public:
  Batch() : bytes_(kBuffer, '\0') { used_ += nftnl_batch_begin(at(), ++sequence_)->nlmsg_len; }

  bool add_table() {
    const std::unique_ptr<nftnl_table, void (*)(nftnl_table*)> t(
        nftnl_table_alloc(), [](nftnl_table* x) { nftnl_table_free(x); });
    if (!t) return false;
    nftnl_table_set_str(t.get(), NFTNL_TABLE_NAME, kTable);
    nftnl_table_set_u32(t.get(), NFTNL_TABLE_FAMILY, NFPROTO_INET);
    nlmsghdr* h = begin(NFT_MSG_NEWTABLE);
    nftnl_table_nlmsg_build_payload(h, t.get());
    used_ += h->nlmsg_len;
    return true;
  }
  bool add_chain(const char* name, const char* type, uint32_t hook, int priority) {
    const std::unique_ptr<nftnl_chain, void (*)(nftnl_chain*)> c(
        nftnl_chain_alloc(), [](nftnl_chain* x) { nftnl_chain_free(x); });
    if (!c) return false;
    nftnl_chain_set_str(c.get(), NFTNL_CHAIN_TABLE, kTable);
    nftnl_chain_set_str(c.get(), NFTNL_CHAIN_NAME, name);
    nftnl_chain_set_str(c.get(), NFTNL_CHAIN_TYPE, type);
    nftnl_chain_set_u32(c.get(), NFTNL_CHAIN_FAMILY, NFPROTO_INET);
    nftnl_chain_set_u32(c.get(), NFTNL_CHAIN_HOOKNUM, hook);
    nftnl_chain_set_s32(c.get(), NFTNL_CHAIN_PRIO, priority);
    nftnl_chain_set_u32(c.get(), NFTNL_CHAIN_POLICY, NF_ACCEPT);
    nlmsghdr* h = begin(NFT_MSG_NEWCHAIN);
    nftnl_chain_nlmsg_build_payload(h, c.get());
    used_ += h->nlmsg_len;
    return true;
  }
  void add(const Rule& r) {
    if (!r.ok()) {
      ok_ = false;
      return;
    }
    nlmsghdr* h = begin(NFT_MSG_NEWRULE);
    nftnl_rule_nlmsg_build_payload(h, r.get());
    used_ += h->nlmsg_len;
  }
  Result<std::string> take() {
    used_ += nftnl_batch_end(at(), ++sequence_)->nlmsg_len;
    if (!ok_) return Error{Code::unavailable, "libnftnl does not know an expression", {}};
    bytes_.resize(used_);
    return std::move(bytes_);
  }

 private:
  char* at() { return bytes_.data() + used_; }
  nlmsghdr* begin(uint16_t type) {
    return nftnl_nlmsg_build_hdr(at(), type, NFPROTO_INET, NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK,
                                 ++sequence_);
  }
  std::string bytes_;
  size_t used_ = 0;
  uint32_t sequence_ = 0;
  bool ok_ = true;
};

void add_own(Batch& b, const char* chain, uint32_t verdict) {
  b.add(Rule(chain).to4(0x7f000000, 8).verdict(verdict));
  b.add(Rule(chain).to4(0, 32).verdict(verdict));
  b.add(Rule(chain).to4(kNetOwn, 32).verdict(verdict));
  b.add(Rule(chain).to6(in6addr_loopback).verdict(verdict));
  b.add(Rule(chain).to6(in6addr_any).verdict(verdict));
}

void add_redirects(Batch& b) {
  constexpr char kChain[] = "redirect";
  add_own(b, kChain, static_cast<uint32_t>(NFT_RETURN));
  for (const uint8_t protocol : {IPPROTO_UDP, IPPROTO_TCP})
    b.add(Rule(kChain)
              .family(NFPROTO_IPV4)
              .protocol(protocol)
              .port(kDnsPort)
              .dnat(kNetDns, kDnsPort));
  b.add(Rule(kChain).family(NFPROTO_IPV6).protocol(IPPROTO_UDP).port(kDnsPort).redirect(kNetPort));
  b.add(Rule(kChain).family(NFPROTO_IPV4).protocol(IPPROTO_TCP).dnat(kNetListener, kNetPort));
  b.add(Rule(kChain).family(NFPROTO_IPV6).protocol(IPPROTO_TCP).redirect(kNetPort));
}

enum class Logging { no, yes };

// On the way in, which everything takes, since every address is local: on the way out the sender
// would get EPERM instead of the unreachable port that makes QUIC fall back.

void add_refusals(Batch& b, Logging logging) {
  constexpr char kChain[] = "refuse";
  add_own(b, kChain, NF_ACCEPT);
  b.add(Rule(kChain).protocol(IPPROTO_TCP).verdict(NF_ACCEPT));
  const bool log = logging == Logging::yes;
  if (log) b.add(Rule(kChain).protocol(IPPROTO_UDP).log());
  b.add(Rule(kChain).protocol(IPPROTO_UDP).reject(NFT_REJECT_ICMPX_PORT_UNREACH));
  struct Echo {
    uint8_t protocol, type;
  };
  for (const Echo& e : {Echo{IPPROTO_ICMP, ICMP_ECHO}, Echo{IPPROTO_ICMPV6, ICMP6_ECHO_REQUEST}}) {
    if (log) b.add(Rule(kChain).protocol(e.protocol).icmp_type(e.type).log());
    b.add(Rule(kChain)
              .protocol(e.protocol)
              .icmp_type(e.type)
              .reject(NFT_REJECT_ICMPX_ADMIN_PROHIBITED));
    b.add(Rule(kChain).protocol(e.protocol).verdict(NF_ACCEPT));
  }
  if (log) b.add(Rule(kChain).log());
  b.add(Rule(kChain).verdict(NF_DROP));
}

Result<NetlinkBatch> rules_batch(Logging logging) {
  Batch b;
  if (!b.add_table() || !b.add_chain("redirect", "nat", NF_INET_LOCAL_OUT, kBefore) ||
      !b.add_chain("refuse", "filter", NF_INET_LOCAL_IN, kFilter))
    return Error{Code::unavailable, "libnftnl: out of memory", {}};
  add_redirects(b);
  add_refusals(b, logging);
  CODEXOS_ASSIGN(std::string bytes, b.take());
  return NetlinkBatch{NETLINK_NETFILTER, std::move(bytes), logging == Logging::no, false,
                      "redirection by nf_tables"};
}

Result<std::vector<NetlinkBatch>> make() {
  std::vector<NetlinkBatch> out{loopback_batch(), ipv6_batch()};
  // The second only where the kernel cannot log: the same without events for UDP and ICMP.
  for (const Logging logging : {Logging::yes, Logging::no}) {
    CODEXOS_ASSIGN(NetlinkBatch rules, rules_batch(logging));
    out.push_back(std::move(rules));
  }
  return out;
}

}  // namespace

Result<std::vector<NetlinkBatch>> network_batches() {
  static const Result<std::vector<NetlinkBatch>> made = make();
  return made;
}

}  // namespace codexos::daemon

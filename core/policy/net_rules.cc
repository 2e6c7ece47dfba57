// SPDX-License-Identifier: Apache-2.0
#include "core/policy/net_rules.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "core/base/quote.h"
#include "core/policy/host_name.h"
#include "core/policy/net_groups.h"

namespace codexos {
namespace {

constexpr char kForms[] =
    "a rule is HOST[:PORT], *.HOST[:PORT], CIDR[:PORT] or @GROUP, with ,private behind it for "
    "names in a private network and ,terminate to look into TLS";

/// What may follow a rule, in this order when it is written normalised.
struct Mark {
  std::string_view name;
  bool NetRule::*flag;
};
constexpr Mark kMarks[] = {{"private", &NetRule::admits_near}, {"terminate", &NetRule::terminate}};

Error bad_rule(std::string why, std::string hint = kForms) {
  return {Code::invalid, std::move(why), std::move(hint)};
}

std::vector<PortRange> web_ports() { return {{80, 80}, {443, 443}}; }

std::optional<uint16_t> port_number(std::string_view digits) {
  uint16_t n = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
  if (error != std::errc() || end != digits.data() + digits.size() || n == 0) return std::nullopt;
  return n;
}

Result<std::vector<PortRange>> parse_ports(std::string_view text) {
  if (text == "*") return std::vector<PortRange>{{1, 65535}};
  const size_t dash = text.find('-');
  const auto first = port_number(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : port_number(text.substr(dash + 1));
  if (!first || !last || *last < *first)
    return bad_rule(quote_git(text) + " is no port (1 to 65535, a range FIRST-LAST, or *)");
  return std::vector<PortRange>{{*first, *last}};
}

/// HOST and PORT of a rule. An IPv6 address with a port stands in brackets.
struct Split {
  std::string_view target;
  std::optional<std::string_view> port;
};

Result<Split> split_port(std::string_view text) {
  if (!text.empty() && text.front() == '[') {
    const size_t close = text.find(']');
    if (close == std::string_view::npos) return bad_rule("a bracket is not closed");
    const std::string_view rest = text.substr(close + 1);
    // [2001:db8::]/32 means the same as [2001:db8::/32]; only the second is read
    if (!rest.empty() && rest.front() != ':') return bad_rule("only :PORT may follow the bracket");
    Split s{text.substr(1, close - 1), std::nullopt};
    if (!rest.empty()) s.port = rest.substr(1);
    return s;
  }
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return Split{text, std::nullopt};
  if (text.find(':', colon + 1) != std::string_view::npos) return Split{text, std::nullopt};
  return Split{text.substr(0, colon), text.substr(colon + 1)};
}

bool is_address_like(std::string_view target) {
  return target.find(':') != std::string_view::npos || parse_ip(target.substr(0, target.find('/')));
}

// What people paste instead of a host.
Status refuse_urls(std::string_view text) {
  const size_t scheme = text.find("://");
  if (scheme == std::string_view::npos) return {};
  const std::string_view rest = text.substr(scheme + 3);
  return bad_rule("it is a URL", "leave out all but the host: " +
                                     quote_git(rest.substr(0, rest.find_first_of("/?#"))));
}

Result<NetRule> parse_target(std::string_view target) {
  NetRule r;
  if (is_address_like(target)) {
    r.kind = NetRule::Kind::network;
    CODEXOS_ASSIGN(r.network, parse_network(target));
    return r;
  }
  if (target.find('/') != std::string_view::npos)
    return bad_rule("a path cannot be part of a rule: " + quote_git(target));
  const bool below = target.substr(0, 2) == "*.";
  r.kind = below ? NetRule::Kind::below : NetRule::Kind::host;
  const std::string_view name = below ? target.substr(2) : target;
  if (name.find('*') != std::string_view::npos)
    return bad_rule("* stands only at the front, as in *.example.org: " + quote_git(target));
  auto clean = host_name_from_user(name);
  if (!clean.ok()) return std::move(clean).error().with_hint(kForms);
  r.name = *std::move(clean);
  if (below && r.name.find('.') == std::string::npos)
    return bad_rule("*." + r.name + " is a whole top-level domain",
                    "name the domain that is meant");
  if (!below && (r.name == "localhost" || r.name == "localhost.localdomain"))
    return bad_rule("inside a task " + r.name + " is the task itself",
                    "use --reach PORT for a server on this machine");
  return r;
}

bool in_ranges(const std::vector<PortRange>& ports, uint16_t port) {
  return std::any_of(ports.begin(), ports.end(),
                     [port](const PortRange& p) { return p.first <= port && port <= p.last; });
}

bool is_below(std::string_view name, std::string_view parent) {
  return name.size() > parent.size() + 1 && name.substr(name.size() - parent.size()) == parent &&
         name[name.size() - parent.size() - 1] == '.';
}

bool fits_name(const NetRule& r, std::string_view name, uint16_t port) {
  const bool fits = (r.kind == NetRule::Kind::host && r.name == name) ||
                    (r.kind == NetRule::Kind::below && is_below(name, r.name));
  return fits && (port == 0 || in_ranges(r.ports, port));
}

/// Whether all of the network is private: whoever names 10.1.0.0/16 means it.
bool lies_in_private(const IpNetwork& n) {
  static constexpr const char* kPrivate[] = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
                                             "100.64.0.0/10", "fc00::/7"};
  return std::any_of(std::begin(kPrivate), std::end(kPrivate), [&n](const char* text) {
    const auto wide = parse_network(text);
    return wide.ok() && contains(*wide, n);
  });
}

bool covers_target(const NetRule& wide, const NetRule& narrow) {
  using Kind = NetRule::Kind;
  if (narrow.admits_near && !wide.admits_near) return false;
  if (wide.terminate && !narrow.terminate) return false;  // it would admit what is hidden in TLS
  if (narrow.kind == Kind::network)
    return wide.kind == Kind::network && contains(wide.network, narrow.network);
  if (wide.kind == Kind::host) return narrow.kind == Kind::host && wide.name == narrow.name;
  if (wide.kind != Kind::below) return false;
  return is_below(narrow.name, wide.name) ||
         (narrow.kind == Kind::below && narrow.name == wide.name);
}

/// ",private,terminate": each at most once.
Status parse_marks(std::string_view text, NetRule& out) {
  while (!text.empty()) {
    const size_t end = std::min(text.find(',', 1), text.size());
    const std::string_view one = text.substr(1, end - 1);
    const auto* mark = std::find_if(std::begin(kMarks), std::end(kMarks),
                                    [one](const Mark& m) { return m.name == one; });
    if (mark == std::end(kMarks) || out.*mark->flag)
      return bad_rule(quote_git(text) + " cannot follow a rule",
                      "one rule each; only ,private and ,terminate may follow");
    out.*mark->flag = true;
    text.remove_prefix(end);
  }
  return {};
}

std::string ports_text(const std::vector<PortRange>& ports) {
  if (ports == web_ports()) return "";
  const PortRange p = ports.front();
  if (p.first == 1 && p.last == 65535) return ":*";
  return ":" + std::to_string(p.first) + (p.first == p.last ? "" : "-" + std::to_string(p.last));
}

}  // namespace

Result<std::vector<NetRule>> parse_net_rule(std::string_view text) {
  CODEXOS_TRY(refuse_urls(text));
  const size_t comma = std::min(text.find(','), text.size());
  const std::string_view rest = text.substr(0, comma);
  NetRule marks;
  CODEXOS_TRY(parse_marks(text.substr(comma), marks));
  if (rest.empty()) return bad_rule("an empty rule");
  if (rest.front() == '@') {
    const NetGroup* g = find_net_group(rest.substr(1));
    if (g == nullptr)
      return bad_rule("there is no group " + quote_git(rest), "groups: " + net_group_names());
    if (comma != text.size()) return bad_rule("nothing may follow a group");
    std::vector<NetRule> out;
    for (const char* one : g->rules) {
      CODEXOS_ASSIGN(auto rules, parse_net_rule(one));
      out.push_back(std::move(rules.front()));
      out.back().text = std::string(rest);
    }
    return out;
  }
  CODEXOS_ASSIGN(const Split split, split_port(rest));
  CODEXOS_ASSIGN(NetRule rule, parse_target(split.target));
  rule.ports = web_ports();
  if (split.port) {
    CODEXOS_ASSIGN(rule.ports, parse_ports(*split.port));
  }
  rule.text = std::string(text);
  const bool network = rule.kind == NetRule::Kind::network;
  if (network && marks.terminate)
    return bad_rule("TLS is terminated for names, not for addresses", "name the host");
  rule.admits_near = marks.admits_near || (network && lies_in_private(rule.network));
  rule.terminate = marks.terminate;
  return std::vector<NetRule>{std::move(rule)};
}

Result<std::vector<NetRule>> parse_net_rules(const std::vector<std::string>& texts) {
  std::vector<NetRule> out;
  for (const auto& text : texts) {
    auto rules = parse_net_rule(text);
    if (!rules.ok()) return std::move(rules).error().during("network rule " + quote_git(text));
    for (auto& r : *rules) out.push_back(std::move(r));
  }
  return out;
}

const NetRule* match_name(const std::vector<NetRule>& rules, std::string_view name, uint16_t port) {
  for (const auto& r : rules)
    if (fits_name(r, name, port)) return &r;
  return nullptr;
}

bool terminates(const std::vector<NetRule>& rules, std::string_view name, uint16_t port) {
  return std::any_of(rules.begin(), rules.end(),
                     [&](const NetRule& r) { return r.terminate && fits_name(r, name, port); });
}

const NetRule* match_address(const std::vector<NetRule>& rules, const IpAddress& a, uint16_t port) {
  const IpAddress reached = effective(a);
  for (const auto& r : rules)
    if (r.kind == NetRule::Kind::network && contains(r.network, reached) &&
        in_ranges(r.ports, port) && admits_resolved(r, reached))
      return &r;
  return nullptr;
}

bool admits_resolved(const NetRule& rule, const IpAddress& a) {
  const Reach reach = kind_of(a).reach;
  return reach == Reach::everywhere || (reach == Reach::near && rule.admits_near);
}

bool covers(const std::vector<NetRule>& wide, const NetRule& narrow) {
  return std::all_of(narrow.ports.begin(), narrow.ports.end(), [&](const PortRange& p) {
    return std::any_of(wide.begin(), wide.end(), [&](const NetRule& w) {
      return covers_target(w, narrow) &&
             std::any_of(w.ports.begin(), w.ports.end(), [p](const PortRange& o) {
               return o.first <= p.first && p.last <= o.last;
             });
    });
  });
}

std::optional<std::vector<int32_t>> ports_of(const std::vector<NetRule>& rules, size_t most) {
  std::set<int32_t> out;
  for (const NetRule& r : rules)
    for (const PortRange& range : r.ports)
      for (int32_t port = range.first; port <= range.last; ++port) {
        out.insert(port);
        if (out.size() > most) return std::nullopt;
      }
  return std::vector<int32_t>(out.begin(), out.end());
}

std::string rule_for(const std::string& target, uint16_t port) {
  if (port == 0 || port == 80 || port == 443) return target;
  const std::string host = target.find(':') == std::string::npos ? target : "[" + target + "]";
  return host + ":" + std::to_string(port);
}

std::string to_text(const NetRule& rule) {
  const std::string ports = ports_text(rule.ports);
  std::string target;
  if (rule.kind == NetRule::Kind::network) {
    target = to_text(rule.network);
    if (rule.network.base.v6 && !ports.empty()) target = "[" + target + "]";
  } else {
    target = (rule.kind == NetRule::Kind::below ? "*." : "") + rule.name;
  }
  const bool implied = rule.kind == NetRule::Kind::network && lies_in_private(rule.network);
  std::string text = target + ports;
  for (const Mark& m : kMarks)
    if (rule.*m.flag && !(implied && m.flag == &NetRule::admits_near))
      text.append(",").append(m.name);
  return text;
}

}  // namespace codexos

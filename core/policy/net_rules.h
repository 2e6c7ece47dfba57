// SPDX-License-Identifier: Apache-2.0
// What a task may reach, as rules: parsed from what users, policies and presets write, and matched
// by the egress. Pure: nothing is resolved here. A list admits what one of its rules admits, and
// an empty list nothing.
//
//   HOST[:PORT]     registry.npmjs.org   git.example.org:22   [ports: 443 and 80 when none is
//   named]
//   *.HOST[:PORT]   every name below HOST, at any depth, not HOST itself
//   CIDR[:PORT]     203.0.113.0/24:5432   [2001:db8::/32]:443   203.0.113.7   (dialled as an
//   address)
//   @GROUP          a list of hosts that belong together (net_groups.h)
//
// PORT is a number, a range (8000-8010) or `*` for every port. `,private` behind a rule also admits
// names that resolve into this machine or the network around it (a registry of one's company), and
// such addresses of a CIDR; a CIDR that lies within a private network needs no mark. Link-local,
// cloud metadata, multicast and reserved addresses are admitted by no rule (ip_address.h).
//
// `,terminate` behind a rule for a name: its TLS ends at the daemon, which speaks TLS with the
// server itself, so that every request inside is seen to be for this name (no domain fronting), and
// only HTTP/1.1 is spoken. It holds for every name that such a rule fits, whichever rule admits it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/policy/ip_address.h"

namespace codexos {

struct PortRange {
  uint16_t first = 0;
  uint16_t last = 0;
  bool operator==(const PortRange& o) const { return first == o.first && last == o.last; }
};

struct NetRule {
  enum class Kind { host, below, network };
  std::string text;  // as it was written; for a group's hosts the group. Names the rule in events
  Kind kind = Kind::host;
  std::string name;              // host, below (without "*."): clean (host_name.h)
  IpNetwork network;             // network
  std::vector<PortRange> ports;  // never empty
  bool admits_near = false;      // `private`
  bool terminate = false;        // `terminate`
};

/// One rule; a group gives several. Error invalid: what is wrong with it, and how it is written.
Result<std::vector<NetRule>> parse_net_rule(std::string_view text);
/// All of them in order; the error names the rule that is wrong.
Result<std::vector<NetRule>> parse_net_rules(const std::vector<std::string>& texts);

/// The rule that admits this name on this port (0: on any), or null. `name` is clean.
const NetRule* match_name(const std::vector<NetRule>& rules, std::string_view name, uint16_t port);
/// Whether one of the rules says that TLS to there is to be terminated.
bool terminates(const std::vector<NetRule>& rules, std::string_view name, uint16_t port);
/// The rule that admits this address, dialled as a literal, or null. Takes care of what kind of
/// address it is: no caller needs to.
const NetRule* match_address(const std::vector<NetRule>& rules, const IpAddress& a, uint16_t port);
/// Whether a name that `rule` admits may be reached at this address, which it resolved to.
bool admits_resolved(const NetRule& rule, const IpAddress& a);

/// Whether all that `narrow` admits is admitted by `wide` (for ceilings: a policy over a policy).
bool covers(const std::vector<NetRule>& wide, const NetRule& narrow);

/// All ports that the rules name, in order. Nothing: they are more than `most`.
std::optional<std::vector<int32_t>> ports_of(const std::vector<NetRule>& rules, size_t most);

/// What would admit this name or address on this port, as the value of --allow.
std::string rule_for(const std::string& target, uint16_t port);
/// The same as an option, for hints.
inline std::string allow_option(const std::string& target, uint16_t port) {
  return "--allow " + rule_for(target, port);
}
/// `rule` as it is written, normalised: equal rules have equal text.
std::string to_text(const NetRule& rule);

}  // namespace codexos

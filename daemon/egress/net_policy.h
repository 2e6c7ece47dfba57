// SPDX-License-Identifier: Apache-2.0
// What goes in and out of the egress: an immutable policy for each task, swapped whole, and reports
// of what happened. Both cross a thread border, so both are values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/policy/net_rules.h"
#include "daemon/egress/injection.h"
#include "daemon/trust/task_ca.h"

namespace codexos::daemon {

struct NetPolicy {
  std::vector<NetRule> rules;
  uint64_t max_bytes = 0;  // in both directions together; 0: no limit
  // Both stay the same objects when only rules change; other injections cut the connections that
  // were terminated for those before.
  InjectionSetPtr injections;        // null: none
  std::shared_ptr<const TaskCa> ca;  // null: nothing is terminated, what must be is refused
  bool models = false;               // it has the model gateway (internal_service.h)
};
using NetPolicyPtr = std::shared_ptr<const NetPolicy>;

/// One connection that has ended, one thing that was refused, or what became of a secret.
struct NetReport {
  enum class Kind { connection, denied, secret };
  Kind kind = Kind::denied;
  int64_t at_us = 0;
  // denied: "network", "dns" or "ssh-key". secret: "signed", an SSH key signed in; and, each told
  // once for a place: "used", the value was put in; "misplaced", a placeholder went on as it is;
  // "redacted", an answer held the value; "refreshed", a provider gave new tokens for it; `detail`
  // says where.
  std::string what;
  std::string secret;  // secret: its name
  std::string target;  // the name, or the address where there was none
  uint16_t port = 0;   // 0: of no port
  std::string rule;    // that admitted it
  std::string hint;    // denied: the option that would allow it; empty: none would
  std::string detail;  // denied: why; connection: why it failed, or empty
  std::string address;
  uint64_t bytes_in = 0, bytes_out = 0;  // as the task sees it
  int64_t duration_us = 0;
};

struct NetTotals {
  uint64_t bytes_in = 0, bytes_out = 0;
  uint64_t connections = 0;
  uint64_t denials = 0;
  uint64_t unreported = 0;  // events beyond what one task may fill the store with
};

}  // namespace codexos::daemon

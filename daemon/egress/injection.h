// SPDX-License-Identifier: Apache-2.0
// Secrets that a task uses without having them: it holds a placeholder, and the egress puts the
// value in its place, in one header, on the way to the hosts that the secret is bound to, inside
// TLS. Anywhere else the placeholder goes on as it is. A value: made by whoever owns the secrets,
// shared with the relay's thread, never changed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/redactor.h"
#include "core/base/secret.h"
#include "core/policy/net_rules.h"

namespace codexos::daemon {

/// `cxsec_` and 32 hexadecimal digits, random for each task and secret.
inline constexpr std::string_view kPlaceholderPrefix = "cxsec_";
inline constexpr size_t kPlaceholderHex = 32;

struct Injection {
  std::string secret;                    // its name
  std::string placeholder;               // what the task holds
  Secret value;                          // one line: with CR, LF or NUL in it, it is never put in
  std::vector<NetRule> hosts;            // names and ports; those of networks bind nothing
  std::string header = "authorization";  // lower case: the one that it may stand in
  std::vector<std::string> methods;      // upper case; empty: all
  // Empty: all. The path begins with it, at a border ("/v1" is not the beginning of "/v10"), and
  // holds nothing that a server may read as another path ("..", "//", "%2f", "\").
  std::string path_prefix;
};

class InjectionSet {
 public:
  explicit InjectionSet(std::vector<Injection> all);
  InjectionSet(const InjectionSet&) = delete;
  InjectionSet& operator=(const InjectionSet&) = delete;

  const std::vector<Injection>& all() const { return all_; }
  bool empty() const { return all_.empty(); }
  /// Whether one of them may be put in on the way to there: then TLS is terminated.
  bool binds(std::string_view name, uint16_t port) const;
  /// Finds the values; a tag is an index of all().
  const Redactor& values() const { return values_; }
  /// Finds the placeholders.
  const Redactor& placeholders() const { return placeholders_; }

 private:
  std::vector<Injection> all_;
  Redactor values_, placeholders_;
};
using InjectionSetPtr = std::shared_ptr<const InjectionSet>;

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// Secrets that a task uses without having them: it holds a placeholder (core/base/placeholder.h),
// and the egress puts the value in its place, in one header, on the way to the hosts that the
// secret is bound to, inside TLS. Anywhere else the placeholder goes on as it is. Made by whoever
// owns the secrets, shared with the relay's thread; only the values may be replaced.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/placeholder.h"
#include "core/base/redactor.h"
#include "core/base/secret.h"
#include "core/policy/net_rules.h"
#include "daemon/egress/metering.h"

namespace codexos::daemon {

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
  bool whole_word = false;  // the placeholder has a shape in front of it, which goes with it
  Credential credential = Credential::secret;
};

/// Where a provider gives new tokens for an old one (RFC 6749, section 6). The old one is put into
/// the body of the request; the new ones are kept, and the task gets its placeholders again.
struct TokenExchange {
  std::vector<NetRule> hosts;
  std::string path;                       // the whole of it
  uint32_t sends = 0;                     // the injection that may stand in the body
  std::map<std::string, uint32_t> gives;  // member of the answer -> the injection it is a value of
};

/// The values of a set, in its order, and what finds them; a tag is an index.
struct InjectedValues {
  std::vector<Secret> all;
  Redactor redactor;
};
using InjectedValuesPtr = std::shared_ptr<const InjectedValues>;

class InjectionSet {
 public:
  using Fresh = std::map<uint32_t, Secret>;  // by index
  /// Keeps new tokens where their owner has them, before anybody uses them. On the relay's thread,
  /// which waits for it. Error: they are on no disk.
  using Keep = std::function<Status(const Fresh& fresh)>;

  /// The values are taken out of `all`.
  explicit InjectionSet(std::vector<Injection> all, std::vector<TokenExchange> exchanges = {},
                        Keep keep = nullptr);
  InjectionSet(const InjectionSet&) = delete;
  InjectionSet& operator=(const InjectionSet&) = delete;

  const std::vector<Injection>& all() const { return all_; }
  const std::vector<TokenExchange>& exchanges() const { return exchanges_; }
  bool empty() const { return all_.empty(); }
  /// Whether one of them may be put in on the way to there: then TLS is terminated.
  bool binds(std::string_view name, uint16_t port) const;
  /// As they are now: from any thread.
  InjectedValuesPtr values() const;
  /// From now on, also for connections that there are. From any thread. While tokens of accept()
  /// are on no disk, keeping them is tried again instead: what the disk has is older.
  void replace(const Fresh& fresh) const;
  /// Tokens that were given instead: kept, and used in any case, since the old ones are worth
  /// nothing any more. Error: they are on no disk.
  Status accept(Fresh fresh) const;
  /// Finds the placeholders.
  const Redactor& placeholders() const { return placeholders_; }

 private:
  std::vector<Injection> all_;
  std::vector<TokenExchange> exchanges_;
  Keep keep_;
  Redactor placeholders_;
  void put(const Fresh& fresh) const;  // under mutex_
  mutable std::mutex mutex_;
  mutable InjectedValuesPtr values_;  // under mutex_
  mutable Fresh unkept_;              // under mutex_: on no disk
};
using InjectionSetPtr = std::shared_ptr<const InjectionSet>;

/// The exchange of that place, as an index; none: -1. `target` is the request's.
int find_exchange(const InjectionSet& set, std::string_view name, uint16_t port,
                  std::string_view target);
/// An answer that gives tokens: they are kept, and what the task may have of it is returned. Error
/// denied: it is none that can be understood, so that nothing of it may be passed on.
Result<std::string> settle_exchange(const InjectionSet& set, uint32_t exchange,
                                    std::string_view body);

}  // namespace codexos::daemon

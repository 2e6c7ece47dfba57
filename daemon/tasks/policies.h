// SPDX-License-Identifier: Apache-2.0
// The policy files of a task: finds and reads them, asks whether the project is trusted, and has
// core/policy put them together. Where no file is, a start pays for three answers of the host
// cache; a file that did not change is not read again (inotify tells, core/os/host_cache.h).
//
// Who may have written a file decides whether it counts: /etc's must be root's and nobody else may
// write it, the user's own must be theirs or root's. One that is wrong in any way stops the start:
// a policy never counts in part.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/os/host.h"
#include "core/policy/policy_file.h"
#include "core/policy/report.h"
#include "core/policy/resolve.h"
#include "core/wire/policy_ask.h"
#include "core/wire/task.h"
#include "daemon/store/store.h"

namespace codexos::daemon {

inline constexpr const char* kSystemPolicy = "/etc/codexos/config.yaml";
inline constexpr const char* kProjectPolicy = ".codexos.yaml";

/// Who asks, and for which folder.
struct PolicyPlace {
  uid_t uid = 0;
  std::string home;  // resolved
  std::string cwd;
  std::string workspace;  // empty: there is none
  uint64_t dev = 0, ino = 0;
};

struct Decision {
  bool said = false;  // a file, variable or profile says something: `resolved` counts
  policy::Resolved resolved;
  std::string remark;  // for stderr: what an untrusted project wanted; or empty
  std::vector<policy::FileState> files;
};

class Policies {
 public:
  /// `store` null: no project is trusted.
  Policies(const Host& host, Store* store) : host_(host), store_(store) {}

  /// `options`: what the command line says. Error: a file is wrong, an option goes too far.
  Result<Decision> decide(const PolicyPlace& place, const wire::PolicyAsk& ask,
                          std::vector<policy::Said> options, const policy::Names& set);
  /// The questions that the files bring along.
  Result<std::vector<policy::Case>> tests(const PolicyPlace& place, const wire::PolicyAsk& ask);
  policy::PolicyCheck check(const PolicyPlace& place, const wire::PolicyAsk& ask,
                            const std::vector<std::string>& files);

  /// Trusts the project's file as it is now, and says what it widens.
  Result<policy::Trusted> trust(const PolicyPlace& place, const wire::PolicyAsk& ask, bool dry_run);
  Result<policy::Trusted> revoke(const std::string& path);
  Result<policy::TrustedList> trusted();

 private:
  struct Loaded {
    std::string text;
    policy::PolicyText read;
    std::string sha256;  // of a project's; filled when it is asked for
  };
  struct Place {
    std::string path;
    policy::Rank rank;
  };
  enum class Trust { none, changed, yes };

  std::vector<Place> places(const PolicyPlace& place, const wire::PolicyAsk& ask) const;
  Status check_owner(const Place& p, uint32_t mode, uid_t caller) const;
  /// Forgets files when there are many. Only between questions: what load() gave is kept by
  /// address.
  void bound();
  /// Null: there is no such file. Good until bound().
  Result<Loaded*> load(const Place& p, uid_t caller);
  Result<Trust> trust_of(const PolicyPlace& place, const std::string& path, Loaded& file);

  const Host& host_;
  Store* store_;
  std::map<std::string, Loaded> loaded_;  // by rank and path
};

/// What the options of `create` say, each by itself: "--net host".
std::vector<policy::Said> options_of(const wire::TaskCreate& create);
/// The same as sources and as rights, where no file said anything.
std::vector<policy::Source> sources_of(const wire::TaskCreate& create);
void apply_options(const wire::TaskCreate& create, policy::Rights& rights);
/// Makes `create` what the rights allow: as if the options had been given that way.
void apply_rights(const policy::Rights& rights, wire::TaskCreate& create);

}  // namespace codexos::daemon

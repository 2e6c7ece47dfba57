// SPDX-License-Identifier: Apache-2.0
// Keeps the Views that were made, since making one asks the host some hundred questions, and makes
// one anew when something that it was made from has changed.
#pragma once

#include <list>
#include <string>

#include "core/base/error.h"
#include "core/base/plan.h"
#include "core/os/host_cache.h"
#include "daemon/sandbox/sandbox.h"

namespace codexos::daemon {

class ViewCache {
 public:
  ViewCache(MountTable& mounts, HostCache& host) : mounts_(mounts), host_(host) {}
  /// The view for the request's caller and profile. Valid until the next call.
  Result<const View*> get(const ViewRequest& r);

 private:
  struct Entry {
    std::string key;
    View view;
    HostCache::Facts facts;
    HostCache::Facts unwatched;  // those of them that nobody tells about
    uint64_t held_at = 0;        // HostCache::changes() when all of them held
  };
  bool holds(Entry& e) const;
  Result<Entry> make(const ViewRequest& r, std::string key);

  MountTable& mounts_;
  HostCache& host_;
  std::list<Entry> entries_;  // most recently used first
};

}  // namespace codexos::daemon

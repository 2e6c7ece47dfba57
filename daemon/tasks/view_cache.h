// SPDX-License-Identifier: Apache-2.0
// Keeps the Views that were made, since making one asks the host some hundred questions, and says
// when one is stale: the mount table changed, a bound source is another file or was touched, a
// folder of PATH or a file that the view was made from changed. Also the mount table itself, read
// again only when the kernel says that it changed (poll(2) on /proc/self/mountinfo).
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/plan.h"
#include "core/os/host.h"
#include "daemon/sandbox/sandbox.h"

namespace codexos::daemon {

class MountTable {
 public:
  static Result<MountTable> open();
  /// The current text of /proc/self/mountinfo (proc(5)).
  const std::string& text();
  /// Changes with the text.
  uint64_t generation();

 private:
  void refresh();
  Fd fd_;
  std::string text_;
  uint64_t generation_ = 0;
};

class ViewCache {
 public:
  ViewCache(MountTable& mounts, const Host& host) : mounts_(mounts), host_(host) {}
  /// The view for the request's caller and profile. Valid until the next call.
  Result<const View*> get(const ViewRequest& r);

 private:
  struct Fact {
    std::string path;
    bool exists = false;
    uint64_t dev = 0, ino = 0;
    int64_t mtime_ns = 0;
    bool operator==(const Fact&) const = default;
  };
  struct Entry {
    std::string key;
    uint64_t generation = 0;
    View view;
    std::vector<Fact> facts;
  };
  static Fact look(const std::string& path);
  bool fresh(const Entry& e);
  Result<Entry> make(const ViewRequest& r, std::string key);

  MountTable& mounts_;
  const Host& host_;
  std::list<Entry> entries_;  // most recently used first
};

}  // namespace codexos::daemon

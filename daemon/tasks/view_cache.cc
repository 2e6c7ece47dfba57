// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/view_cache.h"

#include <algorithm>

namespace codexos::daemon {
namespace {

constexpr size_t kMaxEntries = 16;

std::string cache_key(const ViewRequest& r) {
  std::string key = std::to_string(r.caller.uid) + ":" + std::to_string(r.caller.gid);
  key += std::string(1, '\0') + r.caller.user + '\0' + r.caller.home + '\0';
  key += std::string(name_of(r.seccomp)) + '\0' + std::string(name_of(r.net)) + '\0';
  for (const auto& [name, value] : r.caller.env) key += name + '=' + value + '\0';
  for (const auto& place : r.places) key += place + '\0';
  return key;
}

}  // namespace

Result<ViewCache::Entry> ViewCache::make(const ViewRequest& r, std::string key) {
  Entry e;
  e.key = std::move(key);
  ViewRequest constant = r;  // these belong to one task
  constant.workspace.clear();
  constant.cache_dir.clear();
  constant.show.clear();
  e.held_at = host_.changes();
  host_.start_recording();
  auto view = make_view(constant, host_);
  e.facts = host_.stop_recording();
  for (const auto& fact : e.facts)
    if (!fact->unwatched.empty()) e.unwatched.push_back(fact);
  if (!view.ok()) return std::move(view).error();
  e.view = *std::move(view);
  // A mount that came or went below a bound source changes what a parked helper already copied.
  e.view.key += "+" + std::to_string(mounts_.generation());
  return e;
}

bool ViewCache::holds(Entry& e) const {
  const uint64_t changes = host_.changes();
  if (!HostCache::hold(e.held_at == changes ? e.unwatched : e.facts)) return false;
  e.held_at = changes;
  return true;
}

Result<const View*> ViewCache::get(const ViewRequest& r) {
  const std::string key = cache_key(r);
  const auto it = std::find_if(entries_.begin(), entries_.end(),
                               [&key](const Entry& e) { return e.key == key; });
  if (it != entries_.end() && holds(*it)) {
    entries_.splice(entries_.begin(), entries_, it);
    return static_cast<const View*>(&entries_.front().view);
  }
  if (it != entries_.end()) entries_.erase(it);
  CODEXOS_ASSIGN(Entry made, make(r, key));
  entries_.push_front(std::move(made));
  if (entries_.size() > kMaxEntries) entries_.pop_back();
  return static_cast<const View*>(&entries_.front().view);
}

}  // namespace codexos::daemon

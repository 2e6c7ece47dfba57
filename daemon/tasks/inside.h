// SPDX-License-Identifier: Apache-2.0
// What a task finds of the host's paths, asked without starting one: for `policy test` and `why`.
// Made by Planner::inside() from the same mounts that a start would get.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/base/plan.h"
#include "core/os/host.h"
#include "core/policy/policy.h"

namespace codexos::daemon {

enum class Sight { absent, not_shown, hidden, read_only, writable };

class InsideView {
 public:
  InsideView(const Host& host, std::vector<Mount> mounts, policy::Names hide)
      : host_(host), mounts_(std::move(mounts)), hide_(std::move(hide)) {}

  /// Of a path of the host, absolute and normal, wherever it is inside. absent: on the host.
  /// Writable says that a write is possible, not that it reaches the host.
  Sight sight(const std::string& path) const;
  /// Whether this path of the inside leads to something of the host.
  bool finds(const std::string& path) const;
  const Host& host() const { return host_; }
  /// A policy hides it, or a folder that it lies in.
  bool is_hidden(const std::string& path) const;

 private:
  const Host& host_;
  std::vector<Mount> mounts_;  // in order, the workspace as a bind
  policy::Names hide_;
};

}  // namespace codexos::daemon

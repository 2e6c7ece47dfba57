// SPDX-License-Identifier: Apache-2.0
// A scripted provider over time: what a script answers (script.h), piece by piece on the loop.
#pragma once

#include <map>

#include "core/os/loop.h"
#include "daemon/gateway/upstream.h"

namespace codexos::daemon {

class ScriptedUpstream final : public Upstream {
 public:
  explicit ScriptedUpstream(Loop& loop) : loop_(loop) {}
  std::unique_ptr<UpstreamCall> start(UpstreamRequest request, UpstreamSink& sink) override;
  /// Its counts of faults.
  void forget(const std::string& task) { counts_.erase(task); }

 private:
  class Call;
  Loop& loop_;
  std::map<std::string, ScriptCounts> counts_;
};

}  // namespace codexos::daemon

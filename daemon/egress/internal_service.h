// SPDX-License-Identifier: Apache-2.0
// What the daemon itself serves to tasks: the model gateway, at http://llm.codexos.internal. Tasks
// with a rule for that name (--allow llm.codexos.internal) find it; their connections to it are
// handed over instead of being relayed. No other name below codexos.internal is anything.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/egress_net.h"
#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/os/loop.h"
#include "daemon/egress/metering.h"

namespace codexos::daemon {

inline constexpr uint16_t kModelsPort = 80;

class InternalService {
 public:
  virtual ~InternalService() = default;
  /// A connection that `task` made. In the relay's thread, as all of it.
  virtual void accept(const std::string& task, Fd socket) = 0;
  /// Of what tasks ask models on a way of their own.
  virtual Metering& metering() = 0;
  /// The task's network has ended, or it may not use this any more: its connections end.
  virtual void drop(const std::string& task) = 0;
};

/// Called once in the relay's thread, with its loop, when the first task needs it.
using MakeInternalService = std::function<Result<std::unique_ptr<InternalService>>(Loop&)>;

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// The model gateway as the egress serves it: made in the relay's thread, with what stands behind
// its seams.
#pragma once

#include <memory>
#include <string>

#include "daemon/egress/internal_service.h"
#include "daemon/gateway/gateway.h"

namespace codexos::daemon {

/// All of them are made, used and destroyed in the relay's thread; whoever needs the daemon's loop
/// makes a Mailbox of each.
struct ModelSeams {
  std::unique_ptr<Ledger> ledger;
  std::unique_ptr<Keys> keys;
  std::unique_ptr<Recorder> recorder;
};
using MakeModelSeams = std::function<Result<ModelSeams>(Loop& relay)>;

MakeInternalService make_model_service(GatewayOptions options, MakeModelSeams seams);

/// What the daemon's environment says: XDG_CONFIG_HOME, HOME, and the same proxy as the egress.
GatewayOptions read_gateway_options(const std::function<const char*(const char*)>& get);

}  // namespace codexos::daemon

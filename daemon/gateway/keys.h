// SPDX-License-Identifier: Apache-2.0
// The seam to the vault: the key of a provider, by the name of a secret. It is asked for with each
// exchange and kept nowhere, so a secret that was rotated or removed counts at once.
#pragma once

#include <functional>
#include <string>

#include "core/base/error.h"
#include "core/base/secret.h"

namespace codexos::daemon {

class Keys {
 public:
  virtual ~Keys() = default;
  using Done = std::function<void(Result<Secret>)>;
  /// `done` is called once, in the thread of the caller, maybe before find() returns. Error
  /// not_found: there is no such secret; others: the vault is shut.
  virtual void find(const std::string& task, const std::string& name, Done done) = 0;
};

}  // namespace codexos::daemon

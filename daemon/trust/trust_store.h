// SPDX-License-Identifier: Apache-2.0
// Trust stores with a task's CA in them: PEM is text and needs no help, Java wants PKCS #12
// (RFC 7292). Without a password, as the JDK ships its own: there is nothing to keep secret.
#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "daemon/trust/task_ca.h"

namespace codexos::daemon {

class TrustStores {
 public:
  /// All certificates of `bundle` (PEM) and `ca` (PEM). What was read of the last bundle is kept,
  /// since that takes 10 ms. Error invalid: `ca` is none; internal: OpenSSL could not.
  Result<std::string> pkcs12(const std::string& bundle, const std::string& ca);

 private:
  std::string read_;  // the bundle that `certificates_` are of
  std::vector<X509Ptr> certificates_;
};

}  // namespace codexos::daemon

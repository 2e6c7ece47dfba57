// SPDX-License-Identifier: Apache-2.0
// Where programs look for the authorities that they trust, for tasks whose TLS ends at the daemon:
// the task's own CA must be among them. Files are put over the distribution's, and variables name
// them for programs that bring a store of their own. Nothing of this is done for other tasks.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/base/plan.h"
#include "core/os/host.h"

namespace codexos::daemon {

/// Inside, all of the files below.
inline constexpr const char* kTrustInside = "/run/codexos/trust";
inline constexpr const char* kTrustCa = "ca.pem";          // the task's CA alone
inline constexpr const char* kTrustBundle = "bundle.pem";  // with those that this machine trusts
inline constexpr const char* kTrustJava = "java.p12";      // the same for Java

/// What this machine trusts, as PEM: the first of the distributions' bundles that exists.
std::string host_bundle(const Host& host);
/// `folder` on the host will hold the three files. Variables that are set already stay.
void add_trust(const std::string& folder, const Host& host, std::vector<Mount>& mounts,
               std::map<std::string, std::string>& env);

}  // namespace codexos::daemon

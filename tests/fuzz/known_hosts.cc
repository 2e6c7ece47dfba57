// SPDX-License-Identifier: Apache-2.0
// The user's known_hosts (daemon/ssh/known_hosts.h). What a host is known by is a key with a type
// in it, once each, and what is revoked for everything is known by nobody.
#include "daemon/ssh/known_hosts.h"

#include <algorithm>

#include "core/base/ssh_wire.h"
#include "core/base/text.h"
#include "tests/fuzz/fuzz.h"

using namespace codexos;
using namespace codexos::daemon;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const uint16_t port : {uint16_t{22}, uint16_t{2222}}) {
    const auto keys = known_host_keys(text, "good.test", port);
    std::string revoked;
    for (const std::string& key : keys) {
      const std::string type(SshReader(key).string());
      CODEXOS_CHECK(!type.empty() && std::count(keys.begin(), keys.end(), key) == 1);
      revoked += "@revoked * " + type + " " + to_base64(key) + "\n";
    }
    CODEXOS_CHECK(known_host_keys(revoked + text, "good.test", port).empty());
  }
  return 0;
}

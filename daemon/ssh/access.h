// SPDX-License-Identifier: Apache-2.0
// What a task may do with the user's SSH agent: which keys sign for which hosts, and by which keys
// those hosts are known. A value: made at the start of the task, shared with the relay's thread,
// never changed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace codexos::daemon {

struct SshHost {
  std::string name;
  uint16_t port = 0;
  std::vector<std::string> host_keys;  // blobs (RFC 4253, 6.6) by which the user knows it
};

struct SshKey {
  std::string blob;
  std::string comment;
  std::string fingerprint;  // "SHA256:..."
  std::vector<SshHost> hosts;
};

struct SshAccess {
  std::string agent;  // path of the user's agent
  std::vector<SshKey> keys;
};
using SshAccessPtr = std::shared_ptr<const SshAccess>;

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// By which keys a user knows a host: the lines of known_hosts (sshd(8), SSH_KNOWN_HOSTS FILE
// FORMAT), names in clear, with wildcards, or hashed. Authorities of certificates are left out: a
// host is known by keys of its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace codexos::daemon {

/// A line "TYPE BASE64 ..." whose base64 says the same type. Empty: it is none.
std::string ssh_key_blob(std::string_view type, std::string_view base64);

/// How the host is written there: "name", or "[name]:port" for another port than 22.
std::string known_host_name(const std::string& name, uint16_t port);

/// Blobs of the keys, each once, without those that any line for the host revokes.
std::vector<std::string> known_host_keys(std::string_view text, const std::string& name,
                                         uint16_t port);

}  // namespace codexos::daemon

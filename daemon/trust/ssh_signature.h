// SPDX-License-Identifier: Apache-2.0
// What of SSH needs OpenSSL: whether a host's key signed something, what a key is called by, and
// how known_hosts hides names.
#pragma once

#include <string>
#include <string_view>

namespace codexos::daemon {

/// Whether the key `blob` signed `data`: ssh-ed25519 (RFC 8709), ecdsa-sha2-nistp256, 384 and 521
/// (RFC 5656), ssh-rsa by rsa-sha2-256 and 512 (RFC 8332). False for every other kind, SHA-1 among
/// them, and for what is malformed.
bool is_ssh_signature(std::string_view blob, std::string_view signature, std::string_view data);

/// "SHA256:" and base64 without '=', as ssh-keygen(1) prints it.
std::string ssh_fingerprint(std::string_view blob);

/// RFC 2104 with SHA-1, 20 bytes; sshd(8), "hashed" host names.
std::string hmac_sha1(std::string_view key, std::string_view text);

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// How values lie on the disk: AES-256-GCM (NIST SP 800-38D) under a data key of their own, which is
// wrapped by a master key in the same way. Both are bound (as additional data) to whose value it is
// and what it may be used for, so that a row which is copied to another name, version, tenant or
// binding does not open. All by OpenSSL; nothing here is home-made but the order of the fields:
//
//   "CXS1" | key id, 8 | nonce, 12 | data key under the master key, 32 | tag, 16
//          | nonce, 12 | the value under the data key | tag, 16
//
// A data key seals one value, so its nonce cannot repeat; a master key wraps far fewer than the
// 2^32 keys that random nonces allow.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/secret.h"
#include "daemon/trust/locked_key.h"

namespace codexos::daemon {

/// Whose value it is, and what for.
struct SealedFor {
  std::string tenant;
  std::string name;
  uint64_t version = 0;
  std::string purpose;  // what it may be used for, in a canonical text
};

/// A master key with its id: 8 bytes that follow from the key.
struct MasterKey {
  LockedKey key;
  std::string id;
};
Result<MasterKey> make_master_key(LockedKey key);

Result<std::string> seal(const MasterKey& master, const SealedFor& whose, std::string_view value);
/// Error invalid: it was changed, belongs to something else, or another key sealed it.
Result<Secret> unseal(const MasterKey& master, const SealedFor& whose, std::string_view sealed);
/// The same value under another master key; the value itself is not opened.
Result<std::string> rewrap(const MasterKey& from, const MasterKey& to, const SealedFor& whose,
                           std::string_view sealed);
/// Which master key sealed it; empty: it is none of ours.
std::string_view key_id_of(std::string_view sealed);

// ---- keys that follow from others

/// RFC 7914 with N = 2^log_n, r = 8, p = 1: 128 * N * 8 bytes of memory while it runs.
Result<LockedKey> scrypt_key(std::string_view passphrase, std::string_view salt, int log_n);
/// HKDF-SHA256 (RFC 5869).
Result<LockedKey> derive_key(std::string_view secret, std::string_view salt, std::string_view info);
/// HMAC-SHA256 (RFC 2104), 32 bytes.
Result<std::string> mac_of(const LockedKey& key, std::string_view text);

Result<std::string> random_bytes(size_t n);
/// In a time that does not depend on where they differ.
bool same_bytes(std::string_view a, std::string_view b);

std::string hex_of(std::string_view bytes);
/// Error invalid: no hexadecimal digits, or an odd number of them.
Result<std::string> from_hex(std::string_view text);

}  // namespace codexos::daemon

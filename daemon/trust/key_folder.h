// SPDX-License-Identifier: Apache-2.0
// Where the master keys of the vault lie: <state>/keys/master.json holds them, wrapped by an outer
// key that comes from one of
//
//   file        <state>/keys/master.key, 0600: who reads the whole state folder reads the secrets
//   passphrase  scrypt of what the user types; the vault is locked until then
//   credential  $CREDENTIALS_DIRECTORY/codexos-master-key, which systemd decrypts for the service
//               (systemd.exec(5), LoadCredentialEncrypted=)
//
// The first key of the list seals, the others only open (a change of the master key that was not
// finished). The kernel's keyrings hold none of them: tasks of the same user could read there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/fields.h"
#include "core/wire/secret.h"
#include "daemon/trust/sealing.h"

namespace codexos::daemon {

struct WrappedKey {
  std::string id;      // hexadecimal
  std::string sealed;  // hexadecimal
  std::string created_at;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("id", s.id);
    v("sealed", s.sealed);
    v("created_at", s.created_at);
  }
};

struct KeyFile {
  uint32_t v = 1;
  wire::KeySource source = wire::KeySource::file;
  std::string salt;    // hexadecimal
  uint32_t log_n = 0;  // of scrypt
  std::vector<WrappedKey> keys;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("v", s.v);
    v("source", s.source);
    v("salt", s.salt);
    v("log_n", s.log_n);
    v("keys", s.keys);
  }
};

struct KeyPlaces {
  std::string folder;       // <state>/keys
  std::string credentials;  // $CREDENTIALS_DIRECTORY, or empty
};

bool has_credential(const KeyPlaces& p);
/// Error not_found: there is none; invalid: it cannot be read as one.
Result<KeyFile> read_key_file(const KeyPlaces& p);
Status write_key_file(const KeyPlaces& p, const KeyFile& f);

/// The outer key; about 0.4 s with a passphrase. With `make`, what it needs is made: a salt, the
/// key file. Error denied: no passphrase was given; not_found: the key file or credential is gone.
enum class Outer { open, make };
Result<MasterKey> outer_key(const KeyPlaces& p, KeyFile& f, std::string_view passphrase,
                            Outer outer);
/// Error denied: the outer key does not fit (a wrong passphrase, another key file).
Result<std::vector<MasterKey>> open_keys(const KeyFile& f, const MasterKey& outer);
/// Puts the keys into `f`; those that it had keep their times.
Status put_keys(KeyFile& f, const MasterKey& outer, const std::vector<MasterKey>& keys);

}  // namespace codexos::daemon

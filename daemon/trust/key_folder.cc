// SPDX-License-Identifier: Apache-2.0
#include "daemon/trust/key_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "core/base/clock.h"
#include "core/json/json.h"
#include "core/os/file.h"
#include "core/os/replace_file.h"

namespace codexos::daemon {
namespace {

constexpr uint32_t kLogN = 17;  // 128 MiB
constexpr uint32_t kMostLogN = 20;
constexpr size_t kSalt = 16;
constexpr size_t kMostCredential = 64 << 10;
constexpr size_t kLeastCredential = 16;

std::string file_of(const KeyPlaces& p) { return p.folder + "/master.json"; }
std::string key_of(const KeyPlaces& p) { return p.folder + "/master.key"; }
std::string credential_of(const KeyPlaces& p) { return p.credentials + "/codexos-master-key"; }

SealedFor wrapped_as(const WrappedKey& k) { return {"", "master key", 1, k.id}; }

Result<LockedKey> key_from_file(const KeyPlaces& p, Outer outer) {
  const std::string path = key_of(p);
  struct stat st {};
  if (stat(path.c_str(), &st) != 0) {
    if (outer == Outer::open)
      return Error{Code::not_found, path + " is gone: without it nothing opens",
                   "restore it from a backup"};
    CODEXOS_ASSIGN(LockedKey key, LockedKey::random());
    CODEXOS_TRY(replace_file(path, hex_of(key.view()) + "\n", 0600));
    return key;
  }
  if (st.st_uid != geteuid() || (st.st_mode & 077) != 0)
    return Error{Code::denied, path + " can be read by others", "chmod 600 " + path};
  CODEXOS_ASSIGN(std::string text, read_file(path, kMostCredential));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  auto bytes = from_hex(text);
  wipe(text);
  if (!bytes.ok() || bytes->size() != LockedKey::kSize)
    return Error{Code::invalid, path + " is no key: 64 hexadecimal digits are expected", {}};
  auto key = LockedKey::make(*bytes);
  wipe(*bytes);
  return key;
}

Result<LockedKey> key_from_credential(const KeyPlaces& p, const std::string& salt) {
  if (!has_credential(p))
    return Error{Code::not_found, "the service has no credential codexos-master-key",
                 "LoadCredentialEncrypted=codexos-master-key in the service: systemd.exec(5)"};
  CODEXOS_ASSIGN(std::string text, read_file(credential_of(p), kMostCredential));
  if (text.size() < kLeastCredential)
    return Error{Code::invalid, "the credential codexos-master-key is shorter than 16 bytes", {}};
  auto key = derive_key(text, salt, "codexos/credential/v1");
  wipe(text);
  return key;
}

}  // namespace

bool has_credential(const KeyPlaces& p) {
  return !p.credentials.empty() && access(credential_of(p).c_str(), R_OK) == 0;
}

Result<KeyFile> read_key_file(const KeyPlaces& p) {
  CODEXOS_ASSIGN(const std::string text, read_file(file_of(p)));
  auto f = json::decode<KeyFile>(text, json::Unknown::refuse);
  if (!f.ok()) return std::move(f).error().during(file_of(p));
  if (f->v != 1 || f->keys.empty() || f->log_n > kMostLogN)
    return Error{Code::invalid, file_of(p) + ": not of a form that this version knows", {}};
  return f;
}

Status write_key_file(const KeyPlaces& p, const KeyFile& f) {
  CODEXOS_TRY(make_dirs(p.folder, 0700));
  CODEXOS_TRY(replace_file(file_of(p), json::encode(f) + "\n", 0600));
  if (f.source != wire::KeySource::file) (void)unlink(key_of(p).c_str());
  return {};
}

Result<MasterKey> outer_key(const KeyPlaces& p, KeyFile& f, std::string_view passphrase,
                            Outer outer) {
  if (outer == Outer::make) {
    CODEXOS_TRY(make_dirs(p.folder, 0700));
    CODEXOS_ASSIGN(const std::string salt, random_bytes(kSalt));
    f.salt = hex_of(salt);
    f.log_n = f.source == wire::KeySource::passphrase ? kLogN : 0;
  }
  CODEXOS_ASSIGN(const std::string salt, from_hex(f.salt));
  auto key = [&]() -> Result<LockedKey> {
    switch (f.source) {
      case wire::KeySource::file:
        return key_from_file(p, outer);
      case wire::KeySource::credential:
        return key_from_credential(p, salt);
      case wire::KeySource::passphrase:
        break;
    }
    if (passphrase.empty())
      return Error{Code::denied, "the vault is locked: its passphrase is needed",
                   "codexos secret unlock"};
    return scrypt_key(passphrase, salt, static_cast<int>(f.log_n));
  }();
  if (!key.ok()) return std::move(key).error();
  return make_master_key(*std::move(key));
}

Result<std::vector<MasterKey>> open_keys(const KeyFile& f, const MasterKey& outer) {
  std::vector<MasterKey> out;
  for (const WrappedKey& k : f.keys) {
    CODEXOS_ASSIGN(const std::string sealed, from_hex(k.sealed));
    auto plain = unseal(outer, wrapped_as(k), sealed);
    if (!plain.ok() || plain->view().size() != LockedKey::kSize) {
      if (f.source == wire::KeySource::passphrase)
        return Error{Code::denied, "the passphrase is wrong", {}};
      return Error{Code::denied,
                   "the master key " + k.id + " does not open: the " +
                       std::string(name_of(f.source)) + " that wraps it is another one",
                   {}};
    }
    CODEXOS_ASSIGN(LockedKey key, LockedKey::make(plain->view()));
    CODEXOS_ASSIGN(MasterKey master, make_master_key(std::move(key)));
    out.push_back(std::move(master));
  }
  return out;
}

Status put_keys(KeyFile& f, const MasterKey& outer, const std::vector<MasterKey>& keys) {
  std::vector<WrappedKey> out;
  for (const MasterKey& key : keys) {
    WrappedKey k;
    k.id = hex_of(key.id);
    const auto known = std::find_if(f.keys.begin(), f.keys.end(),
                                    [&k](const WrappedKey& old) { return old.id == k.id; });
    k.created_at = known == f.keys.end() ? format_time(now_us()) : known->created_at;
    CODEXOS_ASSIGN(const std::string sealed, seal(outer, wrapped_as(k), key.key.view()));
    k.sealed = hex_of(sealed);
    out.push_back(std::move(k));
  }
  f.keys = std::move(out);
  return {};
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/trust/sealing.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <array>
#include <memory>

namespace codexos::daemon {
namespace {

constexpr std::string_view kMagic = "CXS1";
constexpr size_t kKeyId = 8;
constexpr size_t kNonce = 12;
constexpr size_t kTag = 16;
constexpr size_t kWrapped = kNonce + LockedKey::kSize + kTag;
constexpr size_t kHead = 4 + kKeyId;
constexpr size_t kLeast = kHead + kWrapped + kNonce + kTag;
constexpr uint64_t kScryptMemory = uint64_t{320} << 20;

Error crypto_failed(const char* what) {
  return Error{Code::internal, std::string("OpenSSL: ") + what + " failed", {}};
}

Error does_not_open() {
  return Error{Code::invalid, "it was changed, or it belongs to something else", {}};
}

const uint8_t* bytes_of(std::string_view s) { return reinterpret_cast<const uint8_t*>(s.data()); }
uint8_t* bytes_of(std::string& s) { return reinterpret_cast<uint8_t*>(s.data()); }

struct FreeCipher {
  void operator()(EVP_CIPHER_CTX* c) const { EVP_CIPHER_CTX_free(c); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

void add_field(std::string& out, std::string_view field) {
  out += std::to_string(field.size());
  out += ':';
  out += field;
}

/// Lengths in front: no two of them read the same.
std::string additional_data(const char* what, std::string_view key_id, const SealedFor& whose) {
  std::string out;
  add_field(out, what);
  add_field(out, key_id);
  add_field(out, whose.tenant);
  add_field(out, whose.name);
  add_field(out, std::to_string(whose.version));
  add_field(out, whose.purpose);
  return out;
}

/// nonce | cipher text | tag, appended to `out`.
Status encrypt(const LockedKey& key, std::string_view aad, std::string_view text,
               std::string& out) {
  CODEXOS_ASSIGN(const std::string nonce, random_bytes(kNonce));
  const Cipher c(EVP_CIPHER_CTX_new());
  std::string body(text.size(), '\0');
  std::array<uint8_t, kTag> tag{};
  int n = 0;
  if (!c ||
      EVP_EncryptInit_ex(c.get(), EVP_aes_256_gcm(), nullptr, key.data(), bytes_of(nonce)) != 1 ||
      EVP_EncryptUpdate(c.get(), nullptr, &n, bytes_of(aad), static_cast<int>(aad.size())) != 1 ||
      EVP_EncryptUpdate(c.get(), bytes_of(body), &n, bytes_of(text),
                        static_cast<int>(text.size())) != 1 ||
      EVP_EncryptFinal_ex(c.get(), tag.data(), &n) != 1 ||
      EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_AEAD_GET_TAG, kTag, tag.data()) != 1)
    return crypto_failed("AES-256-GCM");
  out += nonce;
  out += body;
  out.append(reinterpret_cast<const char*>(tag.data()), tag.size());
  return {};
}

/// Into `out`, which has room for `sealed` without nonce and tag.
Status decrypt(const LockedKey& key, std::string_view aad, std::string_view sealed, uint8_t* out) {
  const std::string_view nonce = sealed.substr(0, kNonce);
  const std::string_view body = sealed.substr(kNonce, sealed.size() - kNonce - kTag);
  std::string tag(sealed.substr(sealed.size() - kTag));
  const Cipher c(EVP_CIPHER_CTX_new());
  int n = 0;
  if (!c ||
      EVP_DecryptInit_ex(c.get(), EVP_aes_256_gcm(), nullptr, key.data(), bytes_of(nonce)) != 1 ||
      EVP_DecryptUpdate(c.get(), nullptr, &n, bytes_of(aad), static_cast<int>(aad.size())) != 1 ||
      EVP_DecryptUpdate(c.get(), out, &n, bytes_of(body), static_cast<int>(body.size())) != 1 ||
      EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_AEAD_SET_TAG, kTag, tag.data()) != 1)
    return crypto_failed("AES-256-GCM");
  if (EVP_DecryptFinal_ex(c.get(), out + n, &n) != 1) {
    OPENSSL_cleanse(out, body.size());
    return does_not_open();
  }
  return {};
}

constexpr const char* kKeyOf = "codexos/secret/v1 key";
constexpr const char* kValueOf = "codexos/secret/v1 value";

Status check_shape(const MasterKey& master, std::string_view sealed) {
  if (sealed.size() < kLeast || sealed.substr(0, kMagic.size()) != kMagic) return does_not_open();
  if (key_id_of(sealed) != master.id)
    return Error{Code::invalid, "another master key sealed it", {}};
  return {};
}

Result<LockedKey> unwrap(const MasterKey& master, const SealedFor& whose, std::string_view sealed) {
  CODEXOS_TRY(check_shape(master, sealed));
  CODEXOS_ASSIGN(LockedKey key, LockedKey::make());
  CODEXOS_TRY(decrypt(master.key, additional_data(kKeyOf, master.id, whose),
                      sealed.substr(kHead, kWrapped), key.data()));
  return key;
}

Result<std::string> wrap(const MasterKey& master, const SealedFor& whose, const LockedKey& key) {
  std::string out(kMagic);
  out += master.id;
  CODEXOS_TRY(encrypt(master.key, additional_data(kKeyOf, master.id, whose), key.view(), out));
  return out;
}

struct FreeKdf {
  void operator()(EVP_KDF_CTX* c) const { EVP_KDF_CTX_free(c); }
};

Result<LockedKey> run_kdf(const char* name, OSSL_PARAM* params) {
  EVP_KDF* kdf = EVP_KDF_fetch(nullptr, name, nullptr);
  const std::unique_ptr<EVP_KDF_CTX, FreeKdf> c(EVP_KDF_CTX_new(kdf));
  EVP_KDF_free(kdf);
  CODEXOS_ASSIGN(LockedKey key, LockedKey::make());
  if (!c || EVP_KDF_derive(c.get(), key.data(), LockedKey::kSize, params) != 1)
    return crypto_failed(name);
  return key;
}

OSSL_PARAM octets(const char* name, std::string& bytes) {
  return OSSL_PARAM_construct_octet_string(name, bytes.data(), bytes.size());
}

/// A copy that OpenSSL's parameters may point to (they take no const), and that goes with us.
struct Scratch {
  explicit Scratch(std::string_view s) : text(s) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { wipe(text); }
  std::string text;
};

}  // namespace

Result<MasterKey> make_master_key(LockedKey key) {
  CODEXOS_ASSIGN(const LockedKey id, derive_key(key.view(), {}, "codexos/master/v1 id"));
  return MasterKey{std::move(key), std::string(id.view().substr(0, kKeyId))};
}

Result<std::string> seal(const MasterKey& master, const SealedFor& whose, std::string_view value) {
  CODEXOS_ASSIGN(const LockedKey key, LockedKey::random());
  CODEXOS_ASSIGN(std::string out, wrap(master, whose, key));
  CODEXOS_TRY(encrypt(key, additional_data(kValueOf, {}, whose), value, out));
  return out;
}

Result<Secret> unseal(const MasterKey& master, const SealedFor& whose, std::string_view sealed) {
  CODEXOS_ASSIGN(const LockedKey key, unwrap(master, whose, sealed));
  const std::string_view body = sealed.substr(kHead + kWrapped);
  Scratch plain(std::string(body.size() - kNonce - kTag, '\0'));
  CODEXOS_TRY(decrypt(key, additional_data(kValueOf, {}, whose), body, bytes_of(plain.text)));
  return Secret(plain.text);
}

Result<std::string> rewrap(const MasterKey& from, const MasterKey& to, const SealedFor& whose,
                           std::string_view sealed) {
  CODEXOS_ASSIGN(const LockedKey key, unwrap(from, whose, sealed));
  CODEXOS_ASSIGN(std::string out, wrap(to, whose, key));
  out += sealed.substr(kHead + kWrapped);
  return out;
}

std::string_view key_id_of(std::string_view sealed) {
  return sealed.size() < kLeast ? std::string_view() : sealed.substr(kMagic.size(), kKeyId);
}

Result<LockedKey> scrypt_key(std::string_view passphrase, std::string_view salt, int log_n) {
  Scratch pass(passphrase), with(salt);
  uint64_t n = uint64_t{1} << log_n, r = 8, p = 1, memory = kScryptMemory;
  OSSL_PARAM params[] = {octets(OSSL_KDF_PARAM_PASSWORD, pass.text),
                         octets(OSSL_KDF_PARAM_SALT, with.text),
                         OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
                         OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_R, &r),
                         OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_P, &p),
                         OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
                         OSSL_PARAM_construct_end()};
  return run_kdf("SCRYPT", params);
}

Result<LockedKey> derive_key(std::string_view secret, std::string_view salt,
                             std::string_view info) {
  Scratch key(secret), with(salt), about(info), digest("SHA256");
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.text.data(), 0),
      octets(OSSL_KDF_PARAM_KEY, key.text), octets(OSSL_KDF_PARAM_SALT, with.text),
      octets(OSSL_KDF_PARAM_INFO, about.text), OSSL_PARAM_construct_end()};
  return run_kdf("HKDF", params);
}

Result<std::string> mac_of(const LockedKey& key, std::string_view text) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  size_t n = 0;
  if (EVP_Q_mac(nullptr, "HMAC", nullptr, "SHA256", nullptr, key.data(), LockedKey::kSize,
                bytes_of(text), text.size(), bytes_of(out), out.size(), &n) == nullptr)
    return crypto_failed("HMAC");
  out.resize(n);
  return out;
}

Result<std::string> random_bytes(size_t n) {
  std::string out(n, '\0');
  if (RAND_bytes(bytes_of(out), static_cast<int>(n)) != 1)
    return Error{Code::unavailable, "OpenSSL has no random bytes", {}};
  return out;
}

bool same_bytes(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string hex_of(std::string_view bytes) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto b = static_cast<unsigned char>(c);
    out += kDigits[b >> 4];
    out += kDigits[b & 15];
  }
  return out;
}

Result<std::string> from_hex(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
  };
  std::string out;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    const int high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0) break;
    out += static_cast<char>(high << 4 | low);
  }
  if (out.size() * 2 != text.size()) return Error{Code::invalid, "not hexadecimal", {}};
  return out;
}

}  // namespace codexos::daemon

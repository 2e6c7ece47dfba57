// SPDX-License-Identifier: Apache-2.0
#include "daemon/trust/ssh_signature.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>

#include <memory>

#include "core/base/error.h"
#include "core/base/ssh_wire.h"
#include "core/base/text.h"

namespace codexos::daemon {
namespace {

template <auto kFree>
struct FreeWith {
  template <class T>
  void operator()(T* p) const {
    kFree(p);
  }
};
using SshPkey = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using PkeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;
using ParamBuild = std::unique_ptr<OSSL_PARAM_BLD, FreeWith<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, FreeWith<OSSL_PARAM_free>>;
using BigNumber = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, FreeWith<ECDSA_SIG_free>>;

const unsigned char* octets(std::string_view s) {
  return reinterpret_cast<const unsigned char*>(s.data());
}

BigNumber number_of(std::string_view mpint) {
  return BigNumber(BN_bin2bn(octets(mpint), static_cast<int>(mpint.size()), nullptr));
}

/// `fill` pushes the key's numbers.
template <class Fill>
SshPkey key_from(const char* type, Fill fill) {
  const ParamBuild build(OSSL_PARAM_BLD_new());
  if (!build || !fill(build.get())) return nullptr;
  const Params params(OSSL_PARAM_BLD_to_param(build.get()));
  const PkeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1)
    return nullptr;
  return SshPkey(key);
}

SshPkey ed25519_key(SshReader& r) {
  const std::string_view raw = r.string();
  if (!r.at_end()) return nullptr;
  return SshPkey(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets(raw), raw.size()));
}

SshPkey rsa_key(SshReader& r) {
  const BigNumber e = number_of(r.string()), n = number_of(r.string());
  if (!r.at_end() || !e || !n) return nullptr;
  return key_from("RSA", [&](OSSL_PARAM_BLD* b) {
    return OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n.get()) == 1 &&
           OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, e.get()) == 1;
  });
}

template <const char* kName, const char* kGroup>
SshPkey ec_key(SshReader& r) {
  const std::string_view name = r.string(), point = r.string();
  if (!r.at_end() || name != kName) return nullptr;
  return key_from("EC", [&](OSSL_PARAM_BLD* b) {
    return OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, kGroup, 0) == 1 &&
           OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                            point.size()) == 1;
  });
}

/// What OpenSSL takes for a signature.
std::string plain(std::string_view signature) { return std::string(signature); }

std::string as_der(std::string_view signature) {
  SshReader r(signature);
  BigNumber n1 = number_of(r.string()), n2 = number_of(r.string());
  const EcdsaSignature pair(ECDSA_SIG_new());
  if (!r.at_end() || !n1 || !n2 || !pair) return {};
  if (ECDSA_SIG_set0(pair.get(), n1.get(), n2.get()) != 1) return {};
  (void)n1.release();
  (void)n2.release();
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(pair.get(), &der);
  if (size <= 0) return {};
  std::string out(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return out;
}

constexpr char kP256[] = "nistp256", kP384[] = "nistp384", kP521[] = "nistp521";
constexpr char kGroup256[] = "prime256v1", kGroup384[] = "secp384r1", kGroup521[] = "secp521r1";

/// One kind of signature: of which kind of key, and how both are read.
struct SignatureRow {
  std::string_view algorithm, key_type;
  SshPkey (*key)(SshReader&);
  std::string (*signature)(std::string_view);
  const EVP_MD* (*digest)();
};
const EVP_MD* no_digest() { return nullptr; }
constexpr SignatureRow kSignatures[] = {
    {"ssh-ed25519", "ssh-ed25519", ed25519_key, plain, no_digest},
    {"rsa-sha2-256", "ssh-rsa", rsa_key, plain, EVP_sha256},
    {"rsa-sha2-512", "ssh-rsa", rsa_key, plain, EVP_sha512},
    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", ec_key<kP256, kGroup256>, as_der, EVP_sha256},
    {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", ec_key<kP384, kGroup384>, as_der, EVP_sha384},
    {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521", ec_key<kP521, kGroup521>, as_der, EVP_sha512},
};

bool verifies(EVP_PKEY* key, const EVP_MD* digest, std::string_view signature,
              std::string_view data) {
  const DigestContext context(EVP_MD_CTX_new());
  return context && EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(data),
                          data.size()) == 1;
}

}  // namespace

bool is_ssh_signature(std::string_view blob, std::string_view signature, std::string_view data) {
  SshReader of_key(blob), of_signature(signature);
  const std::string_view type = of_key.string(), algorithm = of_signature.string();
  const std::string_view bytes = of_signature.string();
  if (!of_key.ok() || !of_signature.at_end()) return false;
  for (const SignatureRow& row : kSignatures) {
    if (row.algorithm != algorithm || row.key_type != type) continue;
    const SshPkey key = row.key(of_key);
    return key && verifies(key.get(), row.digest(), row.signature(bytes), data);
  }
  return false;
}

std::string ssh_fingerprint(std::string_view blob) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  CODEXOS_CHECK(EVP_Digest(blob.data(), blob.size(), digest, &size, EVP_sha256(), nullptr) == 1);
  std::string text = to_base64({reinterpret_cast<char*>(digest), size});
  text.resize(text.find_last_not_of('=') + 1);
  return "SHA256:" + text;
}

std::string hmac_sha1(std::string_view key, std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  CODEXOS_CHECK(HMAC(EVP_sha1(), key.data(), static_cast<int>(key.size()), octets(text),
                     text.size(), digest, &size) != nullptr);
  return {reinterpret_cast<char*>(digest), size};
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/trust/task_ca.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <string_view>

namespace codexos::daemon {
namespace {

constexpr long kHour = 3600, kDay = 24 * kHour;
constexpr long kCaSeconds = 10 * 365 * kDay;
constexpr long kLeafSeconds = 6 * kDay;
constexpr int kSerialBytes = 16;

struct FreeBio {
  void operator()(BIO* b) const { BIO_free(b); }
};
using BioPtr = std::unique_ptr<BIO, FreeBio>;
struct FreeExtension {
  void operator()(X509_EXTENSION* e) const { X509_EXTENSION_free(e); }
};

Error openssl_error(const std::string& what) {
  char text[256] = "no reason given";
  if (const unsigned long e = ERR_get_error(); e != 0) ERR_error_string_n(e, text, sizeof text);
  ERR_clear_error();
  return {Code::internal, what + ": " + text, {}};
}

/// `value` as in x509v3_config(5).
bool add_extension(X509* c, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, c, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, FreeExtension> e(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  return e && X509_add_ext(c, e.get(), -1) == 1;
}

bool set_name(X509_NAME* name, const std::string& text) {
  return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(text.data()),
                                    static_cast<int>(text.size()), -1, 0) == 1;
}

bool set_serial(X509* c) {
  unsigned char bytes[kSerialBytes];
  if (RAND_bytes(bytes, sizeof bytes) != 1) return false;
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7f) | 0x40);  // positive, and of full length
  BIGNUM* number = BN_bin2bn(bytes, sizeof bytes, nullptr);
  const bool ok =
      number != nullptr && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(c)) != nullptr;
  BN_free(number);
  return ok;
}

/// All but name, issuer, extensions and signature.
X509Ptr begin_certificate(EVP_PKEY* key, long seconds) {
  X509Ptr c(X509_new());
  constexpr long kVersion3 = 2;
  if (!c || X509_set_version(c.get(), kVersion3) != 1 || !set_serial(c.get()) ||
      X509_gmtime_adj(X509_getm_notBefore(c.get()), -kHour) == nullptr ||
      X509_gmtime_adj(X509_getm_notAfter(c.get()), seconds) == nullptr ||
      X509_set_pubkey(c.get(), key) != 1)
    return nullptr;
  return c;
}

Result<std::string> certificate_text(X509* c) {
  const BioPtr b(BIO_new(BIO_s_mem()));
  char* data = nullptr;
  if (!b || PEM_write_bio_X509(b.get(), c) != 1) return openssl_error("write a certificate");
  const long size = BIO_get_mem_data(b.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

/// Not EVP_EC_gen(): that macro casts away const.
EVP_PKEY* new_key() { return EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"); }

}  // namespace

void FreeX509::operator()(x509_st* c) const { X509_free(c); }
void FreeKey::operator()(evp_pkey_st* k) const { EVP_PKEY_free(k); }

Result<TaskCa> TaskCa::make(const std::string& task_id) {
  TaskCa ca;
  ca.key_.reset(new_key());
  ca.leaf_key_.reset(new_key());
  if (!ca.key_ || !ca.leaf_key_) return openssl_error("make a key for a task's CA");
  ca.certificate_ = begin_certificate(ca.key_.get(), kCaSeconds);
  X509* c = ca.certificate_.get();
  if (c == nullptr || !set_name(X509_get_subject_name(c), "CodexOS task CA " + task_id) ||
      X509_set_issuer_name(c, X509_get_subject_name(c)) != 1 ||
      !add_extension(c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !add_extension(c, c, NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !add_extension(c, c, NID_subject_key_identifier, "hash") ||
      X509_sign(c, ca.key_.get(), EVP_sha256()) == 0)
    return openssl_error("make a task's CA");
  CODEXOS_ASSIGN(ca.pem_, certificate_text(c));
  return ca;
}

Result<TaskCa> TaskCa::from_pem(const TaskCaPem& pem) {
  TaskCa ca;
  const auto read = [](std::string_view text) {
    return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  };
  if (const BioPtr b = read(pem.certificate))
    ca.certificate_.reset(PEM_read_bio_X509(b.get(), nullptr, nullptr, nullptr));
  // Never asks for a passphrase: the callback has none.
  const auto no_passphrase = [](char*, int, int, void*) { return -1; };
  if (const BioPtr b = read(pem.key.view()))
    ca.key_.reset(PEM_read_bio_PrivateKey(b.get(), nullptr, no_passphrase, nullptr));
  ca.leaf_key_.reset(new_key());
  if (!ca.certificate_ || !ca.key_ || !ca.leaf_key_ ||
      X509_check_private_key(ca.certificate_.get(), ca.key_.get()) != 1 ||
      X509_check_ca(ca.certificate_.get()) != 1) {
    Error e = openssl_error("read a task's CA");
    e.code = Code::invalid;
    return e;
  }
  CODEXOS_ASSIGN(ca.pem_, certificate_text(ca.certificate_.get()));
  return ca;
}

Result<TaskCaPem> TaskCa::to_pem() const {
  const BioPtr b(BIO_new(BIO_s_secmem()));
  if (!b || PEM_write_bio_PKCS8PrivateKey(b.get(), key_.get(), nullptr, nullptr, 0, nullptr,
                                          nullptr) != 1)
    return openssl_error("write the key of a task's CA");
  char* data = nullptr;
  const long size = BIO_get_mem_data(b.get(), &data);
  return TaskCaPem{pem_, Secret({data, static_cast<size_t>(size)})};
}

Result<X509Ptr> TaskCa::mint(const std::string& name) const {
  X509Ptr made = begin_certificate(leaf_key_.get(), kLeafSeconds);
  X509* c = made.get();
  constexpr size_t kMaxCommonName = 64;  // X.520, ub-common-name
  // Names are clean (core/policy/host_name.h): none has a comma, that would end the value.
  if (c == nullptr || !set_name(X509_get_subject_name(c), name.substr(0, kMaxCommonName)) ||
      X509_set_issuer_name(c, X509_get_subject_name(certificate_.get())) != 1 ||
      !add_extension(c, certificate_.get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(c, certificate_.get(), NID_key_usage, "critical,digitalSignature") ||
      !add_extension(c, certificate_.get(), NID_ext_key_usage, "serverAuth") ||
      !add_extension(c, certificate_.get(), NID_authority_key_identifier, "keyid") ||
      !add_extension(c, certificate_.get(), NID_subject_alt_name, "DNS:" + name) ||
      X509_sign(c, key_.get(), EVP_sha256()) == 0)
    return openssl_error("make a certificate for " + name);
  return made;
}

}  // namespace codexos::daemon

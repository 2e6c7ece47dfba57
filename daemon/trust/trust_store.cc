// SPDX-License-Identifier: Apache-2.0
#include "daemon/trust/trust_store.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include <memory>

namespace codexos::daemon {
namespace {

// What makes a certificate one that Java trusts: this attribute, with "any usage" in it.
constexpr char kTrustedKeyUsage[] = "2.16.840.1.113894.746875.1.1";
constexpr char kAnyUsage[] = "2.5.29.37.0";

Error store_error() {
  ERR_clear_error();
  return {Code::internal, "a trust store for Java could not be made", {}};
}

struct FreeObject {
  void operator()(ASN1_OBJECT* o) const { ASN1_OBJECT_free(o); }
};
using ObjectPtr = std::unique_ptr<ASN1_OBJECT, FreeObject>;
struct FreePkcs12 {
  void operator()(PKCS12* p) const { PKCS12_free(p); }
};

std::vector<X509Ptr> read_certificates(const std::string& pem) {
  std::vector<X509Ptr> out;
  BIO* b = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  while (b != nullptr) {
    X509Ptr c(PEM_read_bio_X509(b, nullptr, nullptr, nullptr));
    if (!c) break;
    out.push_back(std::move(c));
  }
  BIO_free(b);
  ERR_clear_error();
  return out;
}

/// All bags that were made so far, freed together.
struct Bags {
  STACK_OF(PKCS12_SAFEBAG) * list = sk_PKCS12_SAFEBAG_new_null();
  Bags() = default;
  Bags(const Bags&) = delete;
  Bags& operator=(const Bags&) = delete;
  ~Bags() { sk_PKCS12_SAFEBAG_pop_free(list, PKCS12_SAFEBAG_free); }

  bool add(X509* c, const std::string& name) {
    PKCS12_SAFEBAG* bag = PKCS12_add_cert(&list, c);
    const ObjectPtr usage(OBJ_txt2obj(kAnyUsage, 1));
    return bag != nullptr && usage &&
           PKCS12_add_friendlyname_utf8(bag, name.c_str(), static_cast<int>(name.size())) == 1 &&
           PKCS12_add1_attr_by_txt(bag, kTrustedKeyUsage, V_ASN1_OBJECT,
                                   reinterpret_cast<const unsigned char*>(usage.get()), -1) == 1;
  }
};

Result<std::string> encode(Bags& bags) {
  STACK_OF(PKCS7)* safes = nullptr;
  constexpr int kNotEncrypted = -1;
  if (PKCS12_add_safe(&safes, bags.list, kNotEncrypted, 0, nullptr) != 1) return store_error();
  const std::unique_ptr<PKCS12, FreePkcs12> p12(PKCS12_add_safes(safes, 0));
  sk_PKCS7_pop_free(safes, PKCS7_free);
  unsigned char* bytes = nullptr;
  const int size = p12 ? i2d_PKCS12(p12.get(), &bytes) : -1;
  if (size < 0) return store_error();
  std::string out(reinterpret_cast<char*>(bytes), static_cast<size_t>(size));
  OPENSSL_free(bytes);
  return out;
}

}  // namespace

Result<std::string> TrustStores::pkcs12(const std::string& bundle, const std::string& ca) {
  const auto own = read_certificates(ca);
  if (own.size() != 1) return Error{Code::invalid, "a task's CA that is no certificate", {}};
  if (bundle != read_) {
    certificates_ = read_certificates(bundle);
    read_ = bundle;
  }
  Bags bags;
  size_t n = 0;
  for (const X509Ptr& c : certificates_)
    if (!bags.add(c.get(), "host-" + std::to_string(n++))) return store_error();
  if (!bags.add(own.front().get(), "codexos-task")) return store_error();
  return encode(bags);
}

}  // namespace codexos::daemon

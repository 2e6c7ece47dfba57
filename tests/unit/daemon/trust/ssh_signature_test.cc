// SPDX-License-Identifier: Apache-2.0
#include "daemon/trust/ssh_signature.h"

#include <doctest/doctest.h>

#include "core/base/ssh_wire.h"
#include "tests/unit/daemon/ssh/vectors.h"

using namespace codexos;
using namespace codexos::daemon;
using namespace ssh_vectors;

TEST_CASE("a signature of every kind of host key is verified, and of nothing else") {
  for (const Vector& v : kSigned) {
    CAPTURE(v.algorithm);
    const std::string key = bytes(v.key), signature = bytes(v.signature);
    CHECK(is_ssh_signature(key, signature, kHash));
    CHECK_FALSE(is_ssh_signature(key, signature, kHash + "x"));
    CHECK_FALSE(is_ssh_signature(key, signature, ""));
    CHECK_FALSE(is_ssh_signature(bytes(kOtherKey), signature, kHash));
    for (const size_t at : {size_t{3}, size_t{8}, signature.size() / 2, signature.size() - 1}) {
      std::string changed = signature;
      changed[at] = static_cast<char>(changed[at] ^ 1);
      CHECK_FALSE(is_ssh_signature(key, changed, kHash));
    }
  }
}

TEST_CASE("whatever is cut short or too long is no signature") {
  for (const Vector& v : kSigned) {
    const std::string key = bytes(v.key), signature = bytes(v.signature);
    for (size_t n = 0; n < signature.size(); ++n)
      CHECK_FALSE(is_ssh_signature(key, signature.substr(0, n), kHash));
    for (size_t n = 0; n < key.size(); ++n)
      CHECK_FALSE(is_ssh_signature(key.substr(0, n), signature, kHash));
    CHECK_FALSE(is_ssh_signature(key + "x", signature, kHash));
    CHECK_FALSE(is_ssh_signature(key, signature + "x", kHash));
  }
  CHECK_FALSE(is_ssh_signature("", "", ""));
}

TEST_CASE("SHA-1 signs nothing, and one kind's name does not make another kind's signature") {
  CHECK_FALSE(is_ssh_signature(bytes(kOld.key), bytes(kOld.signature), kHash));
  std::string relabelled;
  const std::string old = bytes(kOld.signature);
  SshReader parts(old);
  (void)parts.string();
  put_ssh_string(relabelled, "rsa-sha2-256");
  put_ssh_string(relabelled, parts.string());
  CHECK_FALSE(is_ssh_signature(bytes(kOld.key), relabelled, kHash));
}

TEST_CASE("a fingerprint is what ssh-keygen prints") {
  CHECK(ssh_fingerprint(bytes(kSigned[0].key)) == kFingerprint);
}

TEST_CASE("HMAC-SHA1 as of RFC 2202") {
  CHECK(codexos::to_base64(hmac_sha1("Jefe", "what do ya want for nothing?")) ==
        "7/zfauXrL6LSdBbV8YTfnCWafHk=");
}

// SPDX-License-Identifier: Apache-2.0
#include "daemon/ssh/known_hosts.h"

#include <doctest/doctest.h>

#include "tests/unit/daemon/ssh/vectors.h"

using namespace codexos::daemon;
using namespace ssh_vectors;

namespace {
const std::string kKey = std::string(" ssh-ed25519 ") + kSigned[0].key;
const std::string kSecond = std::string(" ssh-ed25519 ") + kOtherKey;

size_t known(const std::string& text, const std::string& name = "good.test", uint16_t port = 22) {
  return known_host_keys(text, name, port).size();
}
}  // namespace

TEST_CASE("a line names its hosts in clear, by patterns, or hashed") {
  CHECK(known("good.test" + kKey) == 1);
  CHECK(known("a.test,good.test" + kKey + " comment") == 1);
  CHECK(known("\tGOOD.test\t" + kKey.substr(1) + "\r\n") == 1);
  CHECK(known("*.test" + kKey) == 1);
  CHECK(known("g??d.test" + kKey) == 1);
  CHECK(known("good" + kKey) == 0);
  CHECK(known("xgood.test" + kKey) == 0);
  CHECK(known(kHashedName + kKey) == 1);
  CHECK(known(kHashedName + kKey, "other.test") == 0);
  CHECK(known_host_keys("good.test" + kKey, "good.test", 22).front() == bytes(kSigned[0].key));
}

TEST_CASE("another port is another host") {
  CHECK(known("good.test" + kKey, "good.test", 2222) == 0);
  CHECK(known("[good.test]:2222" + kKey, "good.test", 2222) == 1);
  CHECK(known("[good.test]:2222" + kKey) == 0);
  CHECK(known(kHashedPort + kKey, "good.test", 2222) == 1);
  CHECK(known(kHashedPort + kKey) == 0);
}

TEST_CASE("what a line takes away counts over what others say") {
  CHECK(known("*.test,!good.test" + kKey) == 0);
  CHECK(known("!good.test,*.test" + kKey) == 0);
  CHECK(known("good.test" + kKey + "\n@revoked *" + kKey) == 0);
  CHECK(known("@revoked *" + kKey + "\ngood.test" + kKey + "\ngood.test" + kSecond) == 1);
}

TEST_CASE("authorities, comments and broken lines say nothing") {
  CHECK(known("@cert-authority *" + kKey) == 0);
  CHECK(known("# good.test" + kKey) == 0);
  CHECK(known("good.test ssh-rsa " + std::string(kSigned[0].key)) == 0);
  CHECK(known("good.test ssh-ed25519 !!!") == 0);
  CHECK(known("good.test\n\n  \nssh-ed25519\n|1|x|y" + kKey + "\n|1|" + kKey) == 0);
  CHECK(known("") == 0);
}

TEST_CASE("a key that stands there twice is one") {
  CHECK(known("good.test" + kKey + "\n*.test" + kKey + "\ngood.test" + kSecond + "\n") == 2);
}

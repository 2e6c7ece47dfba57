// SPDX-License-Identifier: Apache-2.0
#include "daemon/trust/task_ca.h"

#include <doctest/doctest.h>

#include <fstream>

#include "daemon/trust/trust_store.h"
#include "tests/unit/temp_dir.h"

using namespace codexos;
using namespace codexos::daemon;

TEST_CASE("a CA can be kept and read again, and another key is not its") {
  const auto ca = TaskCa::make("t-1");
  REQUIRE(ca.ok());
  auto pem = ca->to_pem();
  REQUIRE(pem.ok());
  CHECK(pem->certificate == ca->certificate_pem());
  const auto again = TaskCa::from_pem(*pem);
  REQUIRE(again.ok());
  CHECK(again->certificate_pem() == ca->certificate_pem());
  CHECK(again->mint("a.test").ok());
  const auto other = TaskCa::make("t-2");
  REQUIRE(other.ok());
  auto mixed = other->to_pem();
  REQUIRE(mixed.ok());
  mixed->certificate = pem->certificate;
  CHECK(TaskCa::from_pem(*mixed).error().code == Code::invalid);
  CHECK(TaskCa::from_pem({"", Secret("")}).error().code == Code::invalid);
}

TEST_CASE("a trust store for Java holds the host's certificates and the task's") {
  const auto host = TaskCa::make("host"), own = TaskCa::make("own");
  REQUIRE(host.ok());
  REQUIRE(own.ok());
  TrustStores stores;
  const auto two = stores.pkcs12(host->certificate_pem(), own->certificate_pem());
  REQUIRE(two.ok());
  CHECK(two->find("codexos-task") == std::string::npos);  // BMPString: in 16 bits a character
  CHECK(two->size() > host->certificate_pem().size());
  CHECK(stores.pkcs12("", own->certificate_pem())->size() < two->size());
  CHECK_FALSE(stores.pkcs12("", "").ok());
}

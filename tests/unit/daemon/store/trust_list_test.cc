// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/trust_list.h"

#include <doctest/doctest.h>

#include "daemon/store/store.h"
#include "tests/unit/temp_dir.h"

using namespace codexos;
using namespace codexos::daemon;

TEST_CASE("trust is found again by the file's path, replaced and taken back") {
  const TempDir dir;
  TrustRow row{"/w/.codexos.yaml", std::string(64, 'a'), ~uint64_t{0}, 7, {"net: host"}, 5};
  {
    auto store = Store::open(dir.path);
    REQUIRE(store.ok());
    TrustList& list = (*store)->trust();
    REQUIRE(list.put(row).ok());
    row.sha256 = std::string(64, 'b');
    row.widens = {"net: host", "show: /it's"};
    REQUIRE(list.put(row).ok());
    TrustRow other = row;
    other.path = "/a/.codexos.yaml";
    REQUIRE(list.put(other).ok());
    REQUIRE((*store)->commit().ok());
  }
  auto store = Store::open(dir.path);
  REQUIRE(store.ok());
  TrustList& list = (*store)->trust();
  const auto found = list.find("/w/.codexos.yaml");
  REQUIRE(found.ok());
  REQUIRE(found->has_value());
  CHECK((*found)->sha256 == row.sha256);
  CHECK((*found)->dev == row.dev);
  CHECK((*found)->ino == 7);
  CHECK((*found)->widens == row.widens);
  const auto all = list.all();
  REQUIRE(all.ok());
  CHECK(all->size() == 2);
  CHECK(all->front().path == "/a/.codexos.yaml");
  REQUIRE(list.remove("/w/.codexos.yaml").ok());
  CHECK_FALSE(list.find("/w/.codexos.yaml")->has_value());
}

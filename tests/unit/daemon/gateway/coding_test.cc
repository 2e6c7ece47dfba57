// SPDX-License-Identifier: Apache-2.0
#include "daemon/gateway/coding.h"

#include <doctest/doctest.h>

#include "core/base/text.h"

using namespace codexos;
using namespace codexos::daemon;

TEST_CASE("a body in zstd is read, within bounds") {
  // printf '{"model":"x"}' | zstd -19; head -c 100000 /dev/zero | zstd
  const std::string small = *from_base64("KLUv/QRoaQAAeyJtb2RlbCI6IngifXxDz3Q=");
  const std::string zeros = *from_base64("KLUv/QRYVQAAEAAAAQCbhjnAAtsjTvM=");
  const auto text = decode_body("ZSTD", small, 13);
  REQUIRE_MESSAGE(text.ok(), text.error().message);
  CHECK(*text == R"({"model":"x"})");
  const auto all = decode_body("zstd", zeros, 100'000);
  REQUIRE(all.ok());
  CHECK(*all == std::string(100'000, '\0'));
  CHECK(decode_body("zstd", zeros, 99'999).error().code == Code::invalid);
  CHECK(decode_body("zstd", small, 12).error().code == Code::invalid);
  for (size_t n = 0; n < small.size(); ++n)
    CHECK_FALSE(decode_body("zstd", small.substr(0, n), 100).ok());
  CHECK_FALSE(decode_body("zstd", small + "x", 100).ok());
  CHECK(decode_body("zstd", small + small, 100).ok());  // frames may follow each other
  CHECK(decode_body("gzip", small, 100).error().code == Code::unsupported);
  CHECK_FALSE(is_coded(""));
  CHECK_FALSE(is_coded("Identity"));
  CHECK(is_coded("gzip, zstd"));
}

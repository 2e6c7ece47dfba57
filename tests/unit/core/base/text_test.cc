// SPDX-License-Identifier: Apache-2.0
// Bytes as text: UTF-8 and base64.
#include "core/base/text.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/base/hash.h"

namespace codexos {
namespace {

TEST_CASE("letter case is that of ASCII, whatever the locale; words are joined as they are") {
  CHECK(to_lower("GiB-Ä_09\xc3") == "gib-Ä_09\xc3");
  CHECK(to_upper("sigTerm-ä") == "SIGTERM-ä");
  CHECK(join_words(std::vector<std::string>{}, ", ").empty());
  CHECK(join_words(std::vector<std::string_view>{"a", "", "b"}, ", ") == "a, , b");
}

TEST_CASE("UTF-8 is what RFC 3629 says") {
  CHECK(is_utf8("aä€😀"));
  CHECK(is_utf8("\xf0\x9f\x98\x80 ok"));
  CHECK_FALSE(is_utf8("\xff"));
  CHECK_FALSE(is_utf8("\xc0\xaf"));          // overlong
  CHECK_FALSE(is_utf8("\xc0\x80"));          // overlong
  CHECK_FALSE(is_utf8("\xe0\x80\x80"));      // overlong
  CHECK_FALSE(is_utf8("\xed\xa0\x80"));      // surrogate
  CHECK_FALSE(is_utf8("\xf4\x90\x80\x80"));  // above U+10FFFF
  CHECK_FALSE(is_utf8("\xe2\x82"));          // cut
  CHECK_FALSE(is_utf8("\x80"));
}

TEST_CASE("base64 pads as RFC 4648 says") {
  CHECK(to_base64("").empty());
  CHECK(to_base64("f") == "Zg==");
  CHECK(to_base64("fo") == "Zm8=");
  CHECK(to_base64("foo") == "Zm9v");
  CHECK(to_base64("foobar") == "Zm9vYmFy");
}

TEST_CASE("base64 is decoded or refused") {
  CHECK(from_base64("")->empty());
  CHECK(*from_base64("/wA=") == std::string("\xff\0", 2));
  CHECK(*from_base64("YWJj") == "abc");
  CHECK_FALSE(from_base64("YWJ").ok());
  CHECK_FALSE(from_base64("Y*Jj").ok());
  CHECK_FALSE(from_base64("YWJj====").ok());
}

TEST_CASE("FNV-1a has the published values, also piece by piece") {
  CHECK(fnv1a("") == 0xcbf29ce484222325ULL);
  CHECK(fnv1a("foobar") == 0x85944171f73967e8ULL);
  CHECK(fnv1a("bar", fnv1a("foo")) == fnv1a("foobar"));
  CHECK(to_hex(0xabc) == "0000000000000abc");
}

}  // namespace
}  // namespace codexos

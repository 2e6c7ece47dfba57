// SPDX-License-Identifier: Apache-2.0
#include "core/base/placeholder.h"

#include <doctest/doctest.h>

using namespace codexos;

TEST_CASE("a placeholder has the shape of what it stands for, and nothing of its secret") {
  const std::string p = make_placeholder();
  CHECK(p.size() == kPlaceholderPrefix.size() + kPlaceholderHex);
  CHECK(p != make_placeholder());
  CHECK(shaped_placeholder("sk-ant-oat01-AbCdEf0123456789abcdef", p) == "sk-ant-oat01-" + p);
  CHECK(shaped_placeholder("gho_abcdefghijklmnopqrstuv", p) == "gho_" + p);
  CHECK(shaped_placeholder("sk-proj-abcdefghijklmnopqrst", p) == "sk-proj-" + p);
  CHECK(shaped_placeholder("AIzaSyA-bcdefghijklmnopqrstu", p) == p);
  CHECK(shaped_placeholder("sk-short", p) == p);
  CHECK(shaped_placeholder("0123456789abcdef0123456789-abcdef", p) == p);
  CHECK(shaped_placeholder("", p) == p);
}

TEST_CASE("of a JWT the header and the claims stay, the signature does not") {
  const std::string p = make_placeholder();
  CHECK(shaped_placeholder("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl", p) ==
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0." + p);
  CHECK(shaped_placeholder("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0", p) == p);
  CHECK(shaped_placeholder("eyJhbGciOiJSUzI1NiJ9.eyJz dWIi.c2ln", p) == p);
}

TEST_CASE("the whole word is replaced, or the placeholder alone") {
  const std::string p = make_placeholder();
  const auto replaced = [&p](std::string text, bool whole) {
    return replace_placeholder(text, p, whole, "VALUE") ? text : "none";
  };
  CHECK(replaced("Bearer sk-ant-" + p, true) == "Bearer VALUE");
  CHECK(replaced("Bearer sk-ant-" + p, false) == "Bearer sk-ant-VALUE");
  CHECK(replaced("a=eyJ0.eyJ1." + p + "&b=" + p + "c", true) == "a=VALUE&b=VALUEc");
  CHECK(replaced(p + p, false) == "VALUEVALUE");
  CHECK(replaced("x", true) == "none");
}

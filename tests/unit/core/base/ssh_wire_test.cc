// SPDX-License-Identifier: Apache-2.0
#include "core/base/ssh_wire.h"

#include <doctest/doctest.h>

using namespace codexos;

TEST_CASE("a reader gives nothing after the first thing that is not there") {
  std::string text;
  put_ssh_string(text, "ab");
  SshReader whole(text);
  CHECK(whole.string() == "ab");
  CHECK(whole.at_end());
  SshReader cut(std::string_view(text).substr(0, 5));
  CHECK(cut.string() == "");
  CHECK_FALSE(cut.ok());
  CHECK(cut.byte() == 0);
  SshReader huge(
      std::string_view("\xff\xff\xff\xff"
                       "abc",
                       7));
  CHECK(huge.string() == "");
  CHECK_FALSE(huge.ok());
}

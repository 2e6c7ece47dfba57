// SPDX-License-Identifier: Apache-2.0
#include "daemon/trust/digest.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "core/os/file.h"

namespace codexos::daemon {
namespace {

TEST_CASE("SHA-256 gives the examples of FIPS 180-4") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  Sha256 million;
  for (int i = 0; i < 1000; ++i) million.add(std::string(1000, 'a'));
  CHECK(million.hex() == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("a file is hashed whole, whatever its offset, which stays") {
  const Fd fd(memfd_create("digest", MFD_CLOEXEC));
  const std::string text(700'000, 'x');
  REQUIRE(write_all(fd.get(), text).ok());
  REQUIRE(lseek(fd.get(), 5, SEEK_SET) == 5);
  const auto hash = sha256_of_file(fd.get());
  REQUIRE(hash.ok());
  CHECK(*hash == sha256_hex(text));
  CHECK(lseek(fd.get(), 0, SEEK_CUR) == 5);
}

}  // namespace
}  // namespace codexos::daemon

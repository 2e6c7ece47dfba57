// SPDX-License-Identifier: Apache-2.0
// What is sealed opens for whom it was sealed, and for nobody else; the primitives give the
// examples of their RFCs.
#include "daemon/trust/sealing.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

namespace codexos::daemon {
namespace {

MasterKey some_master() {
  auto key = LockedKey::random();
  REQUIRE(key.ok());
  auto master = make_master_key(*std::move(key));
  REQUIRE(master.ok());
  return *std::move(master);
}

SealedFor gh_token() { return {"default", "gh", 3, R"({"hosts":["api.github.com"]})"}; }

std::string seal_it(const MasterKey& master, const SealedFor& whose, std::string_view value) {
  auto sealed = seal(master, whose, value);
  REQUIRE_MESSAGE(sealed.ok(), sealed.error().message);
  return *std::move(sealed);
}

std::string key_hex(const Result<LockedKey>& key) {
  REQUIRE_MESSAGE(key.ok(), key.error().message);
  return hex_of(key->view());
}

std::string raw_bytes(const char* hex) {
  auto out = from_hex(hex);
  REQUIRE(out.ok());
  return *std::move(out);
}

TEST_CASE("a sealed value opens again, whatever it is") {
  const MasterKey master = some_master();
  for (const std::string& value : {std::string(), std::string("x"), std::string("ghp_0123456789"),
                                   std::string(64 << 10, 'v'), std::string("\0\xff\n\r\x80", 5)}) {
    const std::string sealed = seal_it(master, gh_token(), value);
    if (value.size() > 4) CHECK(sealed.find(value) == sealed.npos);
    const auto opened = unseal(master, gh_token(), sealed);
    REQUIRE(opened.ok());
    CHECK(opened->view() == value);
    CHECK(key_id_of(sealed) == master.id);
  }
}

TEST_CASE("nothing of a sealed value repeats") {
  const MasterKey master = some_master();
  std::set<std::string> data_keys, values;
  for (int i = 0; i < 200; ++i) {
    const std::string sealed = seal_it(master, gh_token(), "the same value");
    data_keys.insert(sealed.substr(12, 60));
    values.insert(sealed.substr(72));
  }
  CHECK(data_keys.size() == 200);
  CHECK(values.size() == 200);
}

TEST_CASE("each single bit flip, each cut and each longer one of a sealed value is found") {
  const MasterKey master = some_master();
  const std::string sealed = seal_it(master, gh_token(), "ghp_0123456789");
  for (size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    std::string changed = sealed;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    const auto opened = unseal(master, gh_token(), changed);
    CHECK_MESSAGE(!opened.ok(), "bit ", bit);
  }
  for (size_t size = 0; size < sealed.size(); ++size)
    CHECK_MESSAGE(!unseal(master, gh_token(), sealed.substr(0, size)).ok(), "size ", size);
  CHECK_FALSE(unseal(master, gh_token(), sealed + '\0').ok());
}

TEST_CASE(
    "it opens for no other tenant, name, version or use, and not for one that reads the same") {
  const MasterKey master = some_master();
  const std::string sealed = seal_it(master, gh_token(), "ghp_0123456789");
  SealedFor other = gh_token();
  other.tenant = "acme";
  CHECK_FALSE(unseal(master, other, sealed).ok());
  other = gh_token();
  other.name = "gl";
  CHECK_FALSE(unseal(master, other, sealed).ok());
  other = gh_token();
  other.version = 4;
  CHECK_FALSE(unseal(master, other, sealed).ok());
  other = gh_token();
  other.purpose = R"({"hosts":["evil.example"]})";
  CHECK_FALSE(unseal(master, other, sealed).ok());
  const std::string joined = seal_it(master, {"a", "bc", 1, "d"}, "ghp_0123456789");
  CHECK_FALSE(unseal(master, {"ab", "c", 1, "d"}, joined).ok());
  CHECK_FALSE(unseal(master, {"a", "b", 1, "cd"}, joined).ok());
  CHECK(unseal(master, {"a", "bc", 1, "d"}, joined).ok());
}

TEST_CASE("halves of two sealed values do not make a third") {
  const MasterKey master = some_master();
  const std::string one = seal_it(master, gh_token(), "the value, one");
  const std::string two = seal_it(master, gh_token(), "the value, two");
  CHECK_FALSE(unseal(master, gh_token(), one.substr(0, 72) + two.substr(72)).ok());
}

TEST_CASE("another master key opens nothing, and the error says so") {
  const MasterKey master = some_master(), other = some_master();
  CHECK(master.id != other.id);
  const std::string sealed = seal_it(master, gh_token(), "ghp_0123456789");
  const auto opened = unseal(other, gh_token(), sealed);
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().code == Code::invalid);
  CHECK(opened.error().message.find("another master key") != std::string::npos);
  // Nor when it claims to be the one that did.
  auto key = LockedKey::make(other.key.view());
  REQUIRE(key.ok());
  CHECK_FALSE(unseal(MasterKey{*std::move(key), master.id}, gh_token(), sealed).ok());
}

TEST_CASE("wrapped anew, the value opens by the new key only, and was not sealed again") {
  const MasterKey from = some_master(), to = some_master();
  const std::string sealed = seal_it(from, gh_token(), "ghp_0123456789");
  const auto again = rewrap(from, to, gh_token(), sealed);
  REQUIRE(again.ok());
  CHECK(again->substr(72) == sealed.substr(72));
  CHECK(key_id_of(*again) == to.id);
  const auto opened = unseal(to, gh_token(), *again);
  REQUIRE(opened.ok());
  CHECK(opened->view() == "ghp_0123456789");
  CHECK_FALSE(unseal(from, gh_token(), *again).ok());
  SealedFor other = gh_token();
  other.name = "gl";
  CHECK_FALSE(rewrap(from, to, other, sealed).ok());
  CHECK_FALSE(rewrap(to, from, gh_token(), sealed).ok());
}

// RFC 7914, 12: the one with r = 8 and p = 1 that does not take a GiB. Its first 32 bytes of 64:
// PBKDF2 with SHA-256, which ends it, makes them by blocks of 32.
TEST_CASE("scrypt gives the example of RFC 7914") {
  CHECK(key_hex(scrypt_key("pleaseletmein", "SodiumChloride", 14)) ==
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2");
  CHECK(key_hex(scrypt_key("pleaseletmein", "SodiumChloridf", 14)) !=
        key_hex(scrypt_key("pleaseletmein", "SodiumChloride", 14)));
  CHECK_FALSE(scrypt_key("pleaseletmein", "SodiumChloride", 0).ok());   // N = 1
  CHECK_FALSE(scrypt_key("pleaseletmein", "SodiumChloride", 22).ok());  // 4 GiB
}

// RFC 5869, A.1 to A.3: the first 32 bytes.
TEST_CASE("HKDF gives the examples of RFC 5869") {
  CHECK(key_hex(derive_key(std::string(22, '\x0b'), raw_bytes("000102030405060708090a0b0c"),
                           raw_bytes("f0f1f2f3f4f5f6f7f8f9"))) ==
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
  std::string key, salt, info;
  for (int i = 0; i < 80; ++i) {
    key += static_cast<char>(i);
    salt += static_cast<char>(0x60 + i);
    info += static_cast<char>(0xb0 + i);
  }
  CHECK(key_hex(derive_key(key, salt, info)) ==
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c");
  CHECK(key_hex(derive_key(std::string(22, '\x0b'), {}, {})) ==
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
}

// RFC 4231, 4.2 to 4.5. Their keys are shorter than ours; HMAC fills up with zeros, as LockedKey
// does.
TEST_CASE("HMAC gives the examples of RFC 4231") {
  struct HmacExample {
    std::string key, text;
    const char* mac;
  };
  for (const HmacExample& x :
       {HmacExample{std::string(20, '\x0b'), "Hi There",
                    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        HmacExample{"Jefe", "what do ya want for nothing?",
                    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        HmacExample{std::string(20, '\xaa'), std::string(50, '\xdd'),
                    "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        HmacExample{raw_bytes("0102030405060708090a0b0c0d0e0f10111213141516171819"),
                    std::string(50, '\xcd'),
                    "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"}}) {
    auto key = LockedKey::make(x.key + std::string(LockedKey::kSize - x.key.size(), '\0'));
    REQUIRE(key.ok());
    const auto mac = mac_of(*key, x.text);
    REQUIRE(mac.ok());
    CHECK(hex_of(*mac) == x.mac);
  }
}

TEST_CASE("hexadecimal is read as it was written, and nothing else is") {
  const std::string all("\0\x01\x7f\x80\xff", 5);
  CHECK(hex_of(all) == "00017f80ff");
  CHECK(raw_bytes("00017f80ff") == all);
  CHECK(raw_bytes("").empty());
  for (const char* wrong : {"0", "0g", "0A", " 00", "00 ", "0x00"})
    CHECK_MESSAGE(!from_hex(wrong).ok(), wrong);
}

TEST_CASE("a key that was moved from holds nothing, and random ones differ") {
  auto one = LockedKey::random(), two = LockedKey::random();
  REQUIRE(one.ok());
  REQUIRE(two.ok());
  CHECK(one->view() != two->view());
  const std::string was(one->view());
  *two = *std::move(one);
  CHECK(two->view() == was);
  CHECK(one->data() == nullptr);
  CHECK(same_bytes(was, two->view()));
  CHECK_FALSE(same_bytes(was, std::string_view(was).substr(1)));
}

}  // namespace
}  // namespace codexos::daemon

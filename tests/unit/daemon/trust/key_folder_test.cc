// SPDX-License-Identifier: Apache-2.0
// What wraps the master keys: a key file, a passphrase, a credential of systemd.
#include "daemon/trust/key_folder.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/os/file.h"
#include "core/os/replace_file.h"
#include "tests/unit/temp_dir.h"

namespace codexos::daemon {
namespace {

using wire::KeySource;

struct KeyFolder {
  TempDir dir;
  KeyPlaces places{dir.path + "/keys", {}};
  KeyFile file;
  std::vector<MasterKey> keys;

  explicit KeyFolder(KeySource source) {
    file.source = source;
    if (source == KeySource::credential) put_credential("sixteen bytes or more");
    auto key = LockedKey::random();
    REQUIRE(key.ok());
    auto master = make_master_key(*std::move(key));
    REQUIRE(master.ok());
    keys.push_back(*std::move(master));
  }
  void put_credential(std::string_view text) {
    places.credentials = dir.path + "/credentials";
    REQUIRE(make_dirs(places.credentials, 0700).ok());
    REQUIRE(replace_file(places.credentials + "/codexos-master-key", text, 0600).ok());
  }
  void save(std::string_view passphrase = {}) {
    const auto outer = outer_key(places, file, passphrase, Outer::make);
    REQUIRE_MESSAGE(outer.ok(), outer.error().message);
    REQUIRE(put_keys(file, *outer, keys).ok());
    REQUIRE(write_key_file(places, file).ok());
  }
  Result<std::vector<MasterKey>> load(std::string_view passphrase = {}) const {
    CODEXOS_ASSIGN(KeyFile read, read_key_file(places));
    CODEXOS_ASSIGN(const MasterKey outer, outer_key(places, read, passphrase, Outer::open));
    return open_keys(read, outer);
  }
  void expect_refused(Code code, const char* text, std::string_view passphrase = {}) const {
    const auto opened = load(passphrase);
    REQUIRE_FALSE(opened.ok());
    CHECK(opened.error().code == code);
    CHECK_MESSAGE(opened.error().message.find(text) != std::string::npos, opened.error().message);
  }
  std::string key_path() const { return places.folder + "/master.key"; }
  std::string file_path() const { return places.folder + "/master.json"; }
  mode_t mode_of(const std::string& path) const {
    struct stat st {};
    REQUIRE(stat(path.c_str(), &st) == 0);
    return st.st_mode & 07777;
  }
};

TEST_CASE("a key file keeps the master key, for its owner only") {
  KeyFolder k(KeySource::file);
  k.save();
  CHECK(k.mode_of(k.places.folder) == 0700);
  CHECK(k.mode_of(k.key_path()) == 0600);
  CHECK(k.mode_of(k.file_path()) == 0600);
  const auto text = read_file(k.file_path());
  REQUIRE(text.ok());
  CHECK(text->find(hex_of(k.keys.front().key.view())) == text->npos);
  const auto opened = k.load();
  REQUIRE_MESSAGE(opened.ok(), opened.error().message);
  REQUIRE(opened->size() == 1);
  CHECK(opened->front().key.view() == k.keys.front().key.view());
  CHECK(opened->front().id == k.keys.front().id);
}

TEST_CASE("a key file that others can read, that is gone, damaged or another one") {
  KeyFolder k(KeySource::file);
  k.save();
  for (const mode_t mode : {0640U, 0604U, 0620U, 0601U}) {
    REQUIRE(chmod(k.key_path().c_str(), mode) == 0);
    k.expect_refused(Code::denied, "can be read by others");
  }
  REQUIRE(chmod(k.key_path().c_str(), 0600) == 0);
  REQUIRE(replace_file(k.key_path(), "0123\n", 0600).ok());
  k.expect_refused(Code::invalid, "is no key");
  REQUIRE(replace_file(k.key_path(), std::string(64, 'z'), 0600).ok());
  k.expect_refused(Code::invalid, "is no key");
  REQUIRE(replace_file(k.key_path(), std::string(64, '0'), 0600).ok());
  k.expect_refused(Code::denied, "that wraps it is another one");
  REQUIRE(unlink(k.key_path().c_str()) == 0);
  k.expect_refused(Code::not_found, "is gone");
  struct stat st {};
  CHECK(stat(k.key_path().c_str(), &st) != 0);  // opening makes none
}

TEST_CASE("a passphrase: the right one opens, another one or none does not; no key file stays") {
  KeyFolder k(KeySource::file);
  k.save();
  k.file.source = KeySource::passphrase;
  k.save("correct horse");
  struct stat st {};
  CHECK(stat(k.key_path().c_str(), &st) != 0);
  CHECK(k.load("correct horse").ok());
  k.expect_refused(Code::denied, "passphrase is wrong", "correct horsf");
  k.expect_refused(Code::denied, "locked");
  const std::string salt = k.file.salt;
  k.save("correct horse");
  CHECK(k.file.salt != salt);
}

TEST_CASE("a credential: gone, too short, another one") {
  KeyFolder k(KeySource::credential);
  k.save();
  CHECK(k.load().ok());
  k.put_credential("another one of sixteen bytes");
  k.expect_refused(Code::denied, "that wraps it is another one");
  k.put_credential("short");
  k.expect_refused(Code::invalid, "shorter than 16 bytes");
  k.places.credentials.clear();
  k.expect_refused(Code::not_found, "has no credential");
}

TEST_CASE("a file of keys that was changed, or is of a later version, opens nothing") {
  KeyFolder k(KeySource::file);
  k.save();
  KeyFile changed = k.file;
  changed.keys.front().id = "0000000000000000";  // what was sealed is bound to its id
  REQUIRE(write_key_file(k.places, changed).ok());
  k.expect_refused(Code::denied, "does not open");
  changed = k.file;
  changed.keys.front().sealed[100] = changed.keys.front().sealed[100] == '0' ? '1' : '0';
  REQUIRE(write_key_file(k.places, changed).ok());
  k.expect_refused(Code::denied, "does not open");
  changed = k.file;
  changed.v = 2;
  REQUIRE(write_key_file(k.places, changed).ok());
  k.expect_refused(Code::invalid, "not of a form");
  changed = k.file;
  changed.keys.clear();
  REQUIRE(write_key_file(k.places, changed).ok());
  k.expect_refused(Code::invalid, "not of a form");
  changed = k.file;
  changed.log_n = 40;  // who changes it does not make us take all memory
  REQUIRE(write_key_file(k.places, changed).ok());
  k.expect_refused(Code::invalid, "not of a form");
  REQUIRE(replace_file(k.file_path(), "{", 0600).ok());
  k.expect_refused(Code::invalid, "master.json");
}

TEST_CASE("several keys keep their order, and those that stay their times") {
  KeyFolder k(KeySource::file);
  k.save();
  const std::string since = k.file.keys.front().created_at;
  auto key = LockedKey::random();
  REQUIRE(key.ok());
  auto master = make_master_key(*std::move(key));
  REQUIRE(master.ok());
  k.keys.insert(k.keys.begin(), *std::move(master));
  k.save();
  REQUIRE(k.file.keys.size() == 2);
  CHECK(k.file.keys[1].created_at == since);
  const auto opened = k.load();
  REQUIRE(opened.ok());
  REQUIRE(opened->size() == 2);
  CHECK((*opened)[0].id == k.keys[0].id);
  CHECK((*opened)[1].id == k.keys[1].id);
}

}  // namespace
}  // namespace codexos::daemon

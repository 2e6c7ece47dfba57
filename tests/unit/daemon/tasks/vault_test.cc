// SPDX-License-Identifier: Apache-2.0
// The vault over a store and a key folder: what it refuses, and what a crash or a hand in its files
// leaves of it.
#include "daemon/tasks/vault.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <optional>

#include "core/os/file.h"
#include "core/os/replace_file.h"
#include "tests/unit/temp_dir.h"

namespace codexos::daemon {
namespace {

using wire::KeySource;
using wire::VaultState;

constexpr const char* kFirst = "the first value";
constexpr const char* kSecond = "the second value";

wire::SecretPut put_of(const std::string& value, std::vector<std::string> hosts = {}) {
  wire::SecretPut body;
  body.value = value;
  body.binding.hosts = std::move(hosts);
  return body;
}

/// A daemon's vault, which can be killed at a point and started again.
struct VaultMachine {
  TempDir dir;
  std::unique_ptr<Loop> loop;
  std::unique_ptr<Worker> worker;
  std::unique_ptr<Store> store;
  AfterCommit after_commit;
  std::optional<Vault> vault;
  int changes = 0;

  VaultMachine() {
    auto made = Loop::make();
    REQUIRE(made.ok());
    loop = *std::move(made);
    auto thread = Worker::make(*loop);
    REQUIRE(thread.ok());
    worker = *std::move(thread);
    start();
  }
  std::string keys() const { return dir.path + "/keys"; }
  std::string anchor() const { return keys() + "/anchor.json"; }
  /// The database with its log, while no store has it open.
  std::vector<std::string> save() const {
    std::vector<std::string> out;
    for (const char* end : {"", "-wal"}) {
      auto text = read_file(dir.path + "/tenant.db" + end, 16 << 20);
      out.push_back(text.ok() ? *std::move(text) : std::string());
    }
    return out;
  }
  void put_back(const std::vector<std::string>& saved) const {
    (void)unlink((dir.path + "/tenant.db-shm").c_str());
    REQUIRE(replace_file(dir.path + "/tenant.db", saved[0], 0600).ok());
    REQUIRE(replace_file(dir.path + "/tenant.db-wal", saved[1], 0600).ok());
  }
  void start() {
    auto opened = Store::open(dir.path);
    REQUIRE_MESSAGE(opened.ok(), opened.error().message);
    store = *std::move(opened);
    vault.emplace(VaultParts{*store, after_commit, *worker, KeyPlaces{keys(), {}}});
    vault->on_change([this] { ++changes; });
    vault->open();
  }
  /// As kill -9: what is not committed is not there.
  void kill() {
    vault.reset();
    store.reset();
    after_commit = AfterCommit();
  }
  void restart() {
    kill();
    start();
  }
  void commit() const { REQUIRE(store->commit().ok()); }
  void end_turn() {
    commit();
    after_commit.committed();
  }
  void set(const std::string& name, const std::string& value) {
    const auto out = vault->set(name, put_of(value, {"api.example.com"}));
    REQUIRE_MESSAGE(out.ok(), out.error().message);
  }
  std::string value_of(const std::string& name) const {
    const auto out = vault->reveal(name);
    return out.ok() ? std::string(out->value.view()) : "error: " + out.error().message;
  }
  VaultState state() const { return vault->describe().state; }
  Status wait_for(const std::function<void(Vault::Done)>& begin) {
    std::optional<Status> result;
    begin([&](Status s) {
      result = std::move(s);
      loop->stop();
    });
    if (!result) loop->run();
    REQUIRE(result);
    return *std::move(result);
  }
  Status protect(KeySource source, const std::string& passphrase = {}) {
    return wait_for([&](Vault::Done done) { vault->protect({source, passphrase}, done); });
  }
  Status unlock(const std::string& passphrase) {
    return wait_for([&](Vault::Done done) { vault->unlock(passphrase, done); });
  }
  std::vector<SecretRow> rows() const {
    auto out = store->secrets().all();
    REQUIRE(out.ok());
    return *std::move(out);
  }
  void write_row(const SecretRow& row) const {
    REQUIRE(store->secrets().put(row).ok());
    commit();
  }
  /// It opens nothing, says why, and lets nothing be written.
  void expect_broken(const char* why) {
    CHECK(state() == VaultState::broken);
    const std::string detail = vault->describe().detail;
    CHECK_MESSAGE(detail.find(why) != std::string::npos, detail);
    CHECK(value_of("gh").find("error: the vault does not open") == 0);
    CHECK_FALSE(vault->set("new", put_of(kFirst)).ok());
    CHECK_FALSE(vault->rotate("gh", kSecond).ok());
    CHECK_FALSE(vault->remove("gh").ok());
    CHECK_FALSE(vault->rekey().ok());
    CHECK_FALSE(vault->lock().ok());
  }
};

std::string text_of_file(const std::string& path) {
  auto text = read_file(path, 16 << 20);
  REQUIRE_MESSAGE(text.ok(), path);
  return *std::move(text);
}
void put_text(const std::string& path, std::string_view text) {
  REQUIRE(replace_file(path, text, 0600).ok());
}

TEST_CASE("what is set is there after a restart, with its use and its times") {
  VaultMachine m;
  CHECK(m.state() == VaultState::empty);
  CHECK(m.value_of("gh") == "error: there is no secret gh");
  m.set("gh", kFirst);
  m.end_turn();
  CHECK(m.changes == 1);
  m.set("aws", "another value");
  m.end_turn();
  m.restart();
  CHECK(m.state() == VaultState::open);
  CHECK(m.value_of("gh") == kFirst);
  const auto list = m.vault->list();
  REQUIRE(list.size() == 2);
  CHECK(list[0].name == "aws");
  CHECK(list[1].binding.hosts == std::vector<std::string>{"api.example.com"});
  for (const SecretRow& row : m.rows()) CHECK(row.sealed.find("value") == std::string::npos);
  const auto rotated = m.vault->rotate("gh", kSecond);
  REQUIRE(rotated.ok());
  CHECK(rotated->version == 2);
  CHECK(rotated->created_at == list[1].created_at);
  CHECK(rotated->binding.hosts == list[1].binding.hosts);
  REQUIRE(m.vault->remove("aws").ok());
  m.end_turn();
  m.restart();
  CHECK(m.value_of("gh") == kSecond);
  CHECK(m.vault->list().size() == 1);
}

TEST_CASE("names, values and uses that are refused, and store nothing") {
  VaultMachine m;
  for (const char* name : {"", "1a", "-a", ".a", "a/b", "a b", "a\n", "\xc3\xa4"})
    CHECK_MESSAGE(!check_secret_name(name).ok(), name);
  CHECK_FALSE(check_secret_name(std::string(65, 'a')).ok());
  CHECK(check_secret_name(std::string(64, 'a')).ok());
  CHECK(check_secret_name("_a-b.C9").ok());
  CHECK_FALSE(m.vault->set("gh", put_of("7 bytes")).ok());
  CHECK_FALSE(m.vault->set("gh", put_of(std::string((64 << 10) + 1, 'x'))).ok());
  CHECK_FALSE(m.vault->set("gh", put_of(std::string("a NUL \0 byte", 12))).ok());
  // Of a header only: a file may have many lines.
  CHECK_FALSE(m.vault->set("gh", put_of("one line\r\nEvil: 1", {"a.example"})).ok());
  CHECK_FALSE(m.vault->set("gh", put_of("an escape \x1b[2J", {"a.example"})).ok());
  CHECK_FALSE(m.vault->set("gh", put_of(kFirst, {"10.0.0.0/8"})).ok());
  CHECK_FALSE(m.vault->set("gh", put_of(kFirst, {"not a host"})).ok());
  const auto with = [&m](auto change) {
    wire::SecretPut body = put_of(kFirst, {"a.example"});
    change(body.binding);
    return m.vault->set("gh", body).ok();
  };
  CHECK_FALSE(with([](auto& b) { b.header = "a header"; }));
  CHECK_FALSE(with([](auto& b) { b.header = ""; }));
  CHECK_FALSE(with([](auto& b) { b.methods = {"GE T"}; }));
  CHECK_FALSE(with([](auto& b) { b.path_prefix = "no/slash"; }));
  CHECK_FALSE(with([](auto& b) { b.env = "1A"; }));
  CHECK_FALSE(with([](auto& b) { b.env = "A-B"; }));
  CHECK_FALSE(with([](auto& b) { b.hosts.assign(33, "a.example"); }));
  CHECK(m.vault->list().empty());
  CHECK(m.state() == VaultState::empty);
  CHECK(m.vault->set("ssh", put_of("-----BEGIN\nKEY\n")).ok());
  REQUIRE(m.vault->set("gh", put_of(kFirst, {"a.example"})).ok());
  CHECK_FALSE(m.vault->rotate("gh", "two\nlines\n").ok());
  CHECK(m.vault->rotate("ssh", "-----BEGIN\nOTHER\n").ok());
  CHECK_FALSE(m.vault->rotate("none", kSecond).ok());
  CHECK_FALSE(m.vault->remove("none").ok());
}

TEST_CASE("killed between anchor and commit, and between commit and the next anchor") {
  for (const bool committed : {false, true}) {
    for (const bool first : {false, true}) {
      VaultMachine m;
      if (!first) {
        m.set("gh", kFirst);
        m.end_turn();
      }
      m.set("gh", kSecond);
      m.set("aws", kSecond);  // in the same turn
      if (committed) m.commit();
      m.restart();
      CHECK(m.state() == VaultState::open);
      CHECK(m.vault->list().size() == (committed ? 2 : first ? 0 : 1));
      if (committed) CHECK(m.value_of("gh") == kSecond);
      if (!committed && !first) CHECK(m.value_of("gh") == kFirst);
      // The other side is admitted no more.
      const std::string anchor = text_of_file(m.anchor());
      m.restart();
      CHECK(text_of_file(m.anchor()) == anchor);
      m.set("gh", "and a third one");
      m.end_turn();
      m.restart();
      CHECK(m.value_of("gh") == "and a third one");
    }
  }
}

TEST_CASE("a commit that failed: the next daemon finds its rows in the log all the same, or not") {
  for (const bool new_key : {false, true}) {
    for (const bool found : {false, true}) {
      VaultMachine m;
      m.set("gh", kFirst);
      m.end_turn();
      m.kill();
      const auto before = m.save();
      m.start();
      if (new_key)
        REQUIRE(m.vault->rekey().ok());
      else
        m.set("gh", kSecond);
      m.commit();
      m.after_commit.rolled_back(Error{Code::exhausted, "I/O error", {}});
      m.kill();
      if (!found) m.put_back(before);
      m.start();
      CHECK_MESSAGE(m.state() == VaultState::open, m.vault->describe().detail);
      CHECK(m.value_of("gh") == (found && !new_key ? kSecond : kFirst));
      m.set("gh", "and a third one");
      m.end_turn();
      m.restart();
      CHECK(m.value_of("gh") == "and a third one");
    }
  }
}

TEST_CASE("killed after the keys were made, before the first value") {
  VaultMachine m;
  m.set("gh", kFirst);
  m.kill();
  SUBCASE("with all files of them") {}
  SUBCASE("with the key file alone") {
    REQUIRE(unlink((m.keys() + "/master.json").c_str()) == 0);
    REQUIRE(unlink(m.anchor().c_str()) == 0);
  }
  SUBCASE("without the list of keys") { REQUIRE(unlink((m.keys() + "/master.json").c_str()) == 0); }
  m.start();
  m.set("gh", kSecond);
  m.end_turn();
  m.restart();
  CHECK(m.value_of("gh") == kSecond);
}

TEST_CASE("a database that was rolled back, rows that are missing, exchanged, changed or doubled") {
  VaultMachine m;
  m.set("gh", kFirst);
  m.end_turn();
  m.kill();
  const auto old_database = m.save();
  m.start();
  m.set("gh", kSecond);
  m.set("aws", "another value");
  m.end_turn();
  const std::vector<SecretRow> rows = m.rows();
  REQUIRE(rows.size() == 2);
  const char* why = "";
  SUBCASE("rolled back") {
    m.kill();
    m.put_back(old_database);
    m.start();
    why = "rolled back, or rows are missing";
  }
  SUBCASE("a row is missing") {
    REQUIRE(m.store->secrets().remove("aws").ok());
    m.commit();
    m.restart();
    why = "rolled back, or rows are missing";
  }
  SUBCASE("all rows are missing") {
    REQUIRE(m.store->secrets().remove("aws").ok());
    REQUIRE(m.store->secrets().remove("gh").ok());
    m.commit();
    m.restart();
    CHECK(m.state() == VaultState::broken);
    return;
  }
  SUBCASE("exchanged") {
    SecretRow one = rows[0], other = rows[1];
    std::swap(one.sealed, other.sealed);
    m.write_row(one);
    m.write_row(other);
    m.restart();
    why = "changed or exchanged: aws, gh";
  }
  SUBCASE("another use") {
    SecretRow row = rows[1];
    row.binding_json.replace(row.binding_json.find("api.example.com"), 15, "evil.example.co");
    m.write_row(row);
    m.restart();
    why = "changed or exchanged: gh";
  }
  SUBCASE("another version") {
    SecretRow row = rows[1];
    ++row.version;
    m.write_row(row);
    m.restart();
    why = "changed or exchanged: gh";
  }
  SUBCASE("another time, which is not sealed") {
    SecretRow row = rows[1];
    ++row.changed_us;
    m.write_row(row);
    m.restart();
    why = "not those that were written last";
  }
  SUBCASE("a bit of a value") {
    SecretRow row = rows[1];
    row.sealed.back() = row.sealed.back() == '0' ? '1' : '0';
    m.write_row(row);
    m.restart();
    why = "changed or exchanged: gh";
  }
  SUBCASE("a copy under another name") {
    SecretRow row = rows[1];
    row.name = "mine";
    m.write_row(row);
    m.restart();
    why = "changed or exchanged: mine";
  }
  m.expect_broken(why);
}

TEST_CASE("accept: rows that all open are taken as they are, others are not") {
  VaultMachine m;
  m.set("gh", kFirst);
  m.end_turn();
  CHECK_FALSE(m.vault->accept().ok());  // nothing is wrong
  m.kill();
  const auto old_database = m.save();
  m.start();
  m.set("gh", kSecond);
  m.end_turn();
  SUBCASE("an older database") {
    m.kill();
    m.put_back(old_database);
    m.start();
    CHECK(m.state() == VaultState::broken);
    m.changes = 0;
    REQUIRE(m.vault->accept().ok());
    CHECK(m.changes == 1);
    CHECK(m.value_of("gh") == kFirst);
    m.restart();
    CHECK(m.value_of("gh") == kFirst);
  }
  SUBCASE("a lost anchor, or a damaged one") {
    for (const char* text : {"", "{", "{\"v\":1}"}) {
      m.kill();
      if (*text == '\0')
        REQUIRE(unlink(m.anchor().c_str()) == 0);
      else
        put_text(m.anchor(), text);
      m.start();
      m.expect_broken(*text == '{' && text[1] == 'v' ? "not those" : "");
      REQUIRE(m.vault->accept().ok());
      m.restart();
      CHECK(m.value_of("gh") == kSecond);
    }
  }
  SUBCASE("a row that does not open") {
    SecretRow row = m.rows().front();
    row.sealed.back() = row.sealed.back() == '0' ? '1' : '0';
    m.write_row(row);
    m.restart();
    const auto refused = m.vault->accept();
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().message.find("gh") != std::string::npos);
    m.expect_broken("changed or exchanged: gh");
  }
  SUBCASE("a database from before the master key was changed") {
    REQUIRE(m.vault->rekey().ok());
    m.end_turn();
    m.kill();
    m.put_back(old_database);
    m.start();
    m.expect_broken("changed or exchanged: gh");
    CHECK_FALSE(m.vault->accept().ok());
  }
}

TEST_CASE("keys that are missing, damaged or another's: a clear error, and nothing opens") {
  VaultMachine m;
  m.set("gh", kFirst);
  m.end_turn();
  m.kill();
  SUBCASE("no list of keys") {
    REQUIRE(unlink((m.keys() + "/master.json").c_str()) == 0);
    m.start();
    m.expect_broken("master.json");
  }
  SUBCASE("no key file") {
    REQUIRE(unlink((m.keys() + "/master.key").c_str()) == 0);
    m.start();
    m.expect_broken("is gone");
  }
  SUBCASE("another key file") {
    put_text(m.keys() + "/master.key", std::string(64, 'a'));
    m.start();
    m.expect_broken("is another one");
  }
  SUBCASE("another vault's keys and anchor") {
    VaultMachine other;
    other.set("gh", kFirst);
    other.end_turn();
    for (const char* name : {"/master.json", "/master.key", "/anchor.json"})
      put_text(m.keys() + name, text_of_file(other.keys() + name));
    m.start();
    m.expect_broken("changed or exchanged: gh");
  }
  CHECK_FALSE(m.vault->accept().ok());
}

TEST_CASE("a new master key wraps every row; the old one opens nothing any more") {
  VaultMachine m;
  m.set("gh", kFirst);
  m.set("aws", "another value");
  m.end_turn();
  const std::string old_key = m.vault->describe().key_id;
  const std::vector<SecretRow> before = m.rows();
  REQUIRE(m.vault->rekey().ok());
  CHECK(m.value_of("gh") == kFirst);  // out of use at no moment
  m.set("gh", kSecond);               // in the same turn
  m.end_turn();
  CHECK(m.value_of("gh") == kSecond);
  CHECK(m.vault->describe().key_id != old_key);
  const std::vector<SecretRow> after = m.rows();
  CHECK(after[0].sealed != before[0].sealed);
  CHECK(after[0].sealed.substr(144) == before[0].sealed.substr(144));
  CHECK(text_of_file(m.keys() + "/master.json").find(old_key) == std::string::npos);
  m.restart();
  CHECK(m.value_of("gh") == kSecond);
  CHECK(m.value_of("aws") == "another value");
}

TEST_CASE("a change of the master key that is cut short at any step") {
  VaultMachine m;
  m.set("gh", kFirst);
  m.end_turn();
  const std::string anchor = text_of_file(m.anchor());
  const std::string old_key = m.vault->describe().key_id;
  REQUIRE(m.vault->rekey().ok());
  bool done = false;
  SUBCASE("the keys are written, the anchor and the rows are not") {
    m.kill();
    put_text(m.anchor(), anchor);
  }
  SUBCASE("the rows are not") { m.kill(); }
  SUBCASE("the rows are, the old key is still there") {
    m.commit();
    m.kill();
    done = true;
  }
  m.start();
  CHECK(m.value_of("gh") == kFirst);
  CHECK((m.vault->describe().key_id != old_key) == done);
  const std::string file = text_of_file(m.keys() + "/master.json");
  CHECK(file.find("created_at") == file.rfind("created_at"));  // one key
  m.restart();
  CHECK(m.value_of("gh") == kFirst);
  REQUIRE(m.vault->rekey().ok());
  m.end_turn();
  m.restart();
  CHECK(m.value_of("gh") == kFirst);
}

TEST_CASE("a passphrase: locked after each start, opened by the right one only") {
  VaultMachine m;
  m.set("gh", kFirst);
  m.end_turn();
  CHECK_FALSE(m.protect(KeySource::passphrase, "short").ok());
  CHECK_FALSE(m.protect(KeySource::file, "a passphrase").ok());
  CHECK_FALSE(m.vault->lock().ok());
  REQUIRE(m.protect(KeySource::passphrase, "correct horse").ok());
  CHECK(access((m.keys() + "/master.key").c_str(), F_OK) != 0);
  CHECK(m.value_of("gh") == kFirst);
  m.restart();
  CHECK(m.state() == VaultState::locked);
  CHECK(m.value_of("gh") == "error: the vault is locked");
  CHECK_FALSE(m.vault->set("gh", put_of(kSecond)).ok());
  CHECK_FALSE(m.vault->remove("gh").ok());
  CHECK_FALSE(m.vault->accept().ok());
  const auto wrong = m.unlock("correct horsf");
  REQUIRE_FALSE(wrong.ok());
  CHECK(wrong.error().message == "the passphrase is wrong");
  CHECK(m.state() == VaultState::locked);
  m.changes = 0;
  REQUIRE(m.unlock("correct horse").ok());
  CHECK(m.changes == 1);
  CHECK(m.value_of("gh") == kFirst);
  CHECK_FALSE(m.unlock("correct horse").ok());  // it is not locked
  m.set("gh", kSecond);
  m.end_turn();
  m.changes = 0;
  REQUIRE(m.vault->lock().ok());
  CHECK(m.changes == 1);  // who keeps values drops them
  CHECK(m.state() == VaultState::locked);
  REQUIRE(m.unlock("correct horse").ok());
  CHECK(m.value_of("gh") == kSecond);
  REQUIRE(m.protect(KeySource::file).ok());
  m.restart();
  CHECK(m.value_of("gh") == kSecond);
}

TEST_CASE("while the key is being wrapped anew nothing else may touch the keys") {
  VaultMachine m;
  m.set("gh", kFirst);
  m.end_turn();
  REQUIRE(m.protect(KeySource::passphrase, "correct horse").ok());
  const auto s = m.wait_for([&](Vault::Done done) {
    m.vault->protect({KeySource::passphrase, "battery staple"}, done);
    CHECK_FALSE(m.vault->lock().ok());  // it would have wrapped no key
    CHECK_FALSE(m.vault->rekey().ok());
    CHECK_FALSE(m.vault->set("gh", put_of(kSecond)).ok());
  });
  REQUIRE_MESSAGE(s.ok(), s.error().message);
  m.restart();
  REQUIRE(m.unlock("battery staple").ok());
  CHECK(m.value_of("gh") == kFirst);
}

TEST_CASE("a passphrase hides a rolled-back database until it opens, and no longer") {
  VaultMachine m;
  m.set("gh", kFirst);
  m.end_turn();
  REQUIRE(m.protect(KeySource::passphrase, "correct horse").ok());
  m.kill();
  const auto old_database = m.save();
  m.start();
  REQUIRE(m.unlock("correct horse").ok());
  m.set("gh", kSecond);
  m.end_turn();
  m.kill();
  m.put_back(old_database);
  m.start();
  CHECK(m.state() == VaultState::locked);
  CHECK_FALSE(m.unlock("correct horse").ok());
  m.expect_broken("rolled back");
}

}  // namespace
}  // namespace codexos::daemon

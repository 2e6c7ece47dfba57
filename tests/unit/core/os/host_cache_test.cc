// SPDX-License-Identifier: Apache-2.0
// Remembered answers: given without asking again, forgotten as soon as what they were made from
// changes, whichever part of the path that is.
#include "core/os/host_cache.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "core/os/file.h"

namespace codexos {
namespace {

/// Counts the questions that reach the real host.
class Counting : public Host {
 public:
  mutable int asked = 0;
  bool lookup(const std::string& p, PathFact& out) const override {
    ++asked;
    return real_host().lookup(p, out);
  }
  bool read_link(const std::string& p, std::string& t) const override {
    ++asked;
    return real_host().read_link(p, t);
  }
  std::vector<std::string> list(const std::string& d) const override {
    ++asked;
    return real_host().list(d);
  }
  bool read(const std::string& p, std::string& t) const override {
    ++asked;
    return real_host().read(p, t);
  }
  std::vector<HostEntry> entries(const std::string& d, size_t limit) const override {
    ++asked;
    return real_host().entries(d, limit);
  }
  bool owner(const std::string& p, uid_t& u, gid_t& g) const override {
    ++asked;
    return real_host().owner(p, u, g);
  }
};

struct Fixture {
  Fixture() {
    char name[] = "/var/tmp/cx-host-cache.XXXXXX";
    dir = mkdtemp(name);
    auto made = MountTable::open();
    REQUIRE(made.ok());
    mounts = *std::move(made);
    cache = std::make_unique<HostCache>(host, mounts);
  }
  ~Fixture() { (void)remove_tree(dir); }
  void put(const std::string& name, const std::string& text) {
    std::ofstream(dir + "/" + name) << text;
  }
  std::string text(const std::string& name) {
    cache->refresh();
    std::string t;
    return cache->read(dir + "/" + name, t) ? t : "(none)";
  }
  bool there(const std::string& name) {
    cache->refresh();
    PathFact fact;
    return cache->lookup(dir + "/" + name, fact);
  }
  std::string dir;
  Counting host;
  MountTable mounts;
  std::unique_ptr<HostCache> cache;
};

TEST_CASE("the same question is asked once") {
  Fixture f;
  f.put("a", "one");
  CHECK(f.text("a") == "one");
  CHECK(f.there("a"));
  const int asked = f.host.asked;
  for (int i = 0; i < 5; ++i) {
    CHECK(f.text("a") == "one");
    CHECK(f.there("a"));
    f.put("other", std::to_string(i));  // in the same folder, but not asked for
  }
  CHECK(f.host.asked == asked);
}

TEST_CASE("an answer is forgotten when a part of what it was made from changes") {
  Fixture f;
  REQUIRE(make_dirs(f.dir + "/x/y", 0755).ok());
  f.put("x/y/a", "one");
  REQUIRE(symlink("x", (f.dir + "/l").c_str()) == 0);
  CHECK(f.text("l/y/a") == "one");
  SUBCASE("the file is written") { f.put("x/y/a", "two"); }
  SUBCASE("the file is replaced") {
    f.put("new", "two");
    REQUIRE(rename((f.dir + "/new").c_str(), (f.dir + "/x/y/a").c_str()) == 0);
  }
  SUBCASE("a folder on the way is another") {
    REQUIRE(make_dirs(f.dir + "/z/y", 0755).ok());
    f.put("z/y/a", "two");
    REQUIRE(rename((f.dir + "/x").c_str(), (f.dir + "/old").c_str()) == 0);
    REQUIRE(rename((f.dir + "/z").c_str(), (f.dir + "/x").c_str()) == 0);
  }
  SUBCASE("the link leads elsewhere") {
    REQUIRE(make_dirs(f.dir + "/z/y", 0755).ok());
    f.put("z/y/a", "two");
    REQUIRE(unlink((f.dir + "/l").c_str()) == 0);
    REQUIRE(symlink("z", (f.dir + "/l").c_str()) == 0);
  }
  CHECK(f.text("l/y/a") == "two");
}

TEST_CASE("what was not there is noticed when it comes, what was there when it goes") {
  Fixture f;
  CHECK_FALSE(f.there("d/e"));
  REQUIRE(make_dirs(f.dir + "/d", 0755).ok());
  CHECK_FALSE(f.there("d/e"));
  f.put("d/e", "");
  CHECK(f.there("d/e"));
  REQUIRE(remove_tree(f.dir + "/d").ok());
  CHECK_FALSE(f.there("d/e"));
  CHECK_FALSE(f.there("d/e"));
}

TEST_CASE("a listed folder's names, and a mode") {
  Fixture f;
  f.put("a", "");
  CHECK(f.cache->list(f.dir) == std::vector<std::string>{"a"});
  f.put("b", "");
  f.cache->refresh();
  CHECK(f.cache->list(f.dir) == std::vector<std::string>{"a", "b"});
  PathFact fact;
  REQUIRE(f.cache->lookup(f.dir + "/a", fact));
  REQUIRE(chmod((f.dir + "/a").c_str(), 0600) == 0);
  f.cache->refresh();
  REQUIRE(f.cache->lookup(f.dir + "/a", fact));
  CHECK((fact.mode & 07777) == 0600);
}

TEST_CASE("facts that were recorded hold until one of them changes") {
  Fixture f;
  f.put("a", "one");
  f.cache->start_recording();
  std::string t;
  CHECK(f.cache->read(f.dir + "/a", t));
  CHECK(f.cache->read("/proc/self/comm", t));  // the kernel's: no part of it
  const auto facts = f.cache->stop_recording();
  f.cache->refresh();
  CHECK(HostCache::hold(facts));
  f.put("b", "");
  f.cache->refresh();
  CHECK(HostCache::hold(facts));
  f.put("a", "two");
  f.cache->refresh();
  CHECK_FALSE(HostCache::hold(facts));
}

}  // namespace
}  // namespace codexos

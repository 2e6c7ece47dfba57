// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/base.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/os/file.h"
#include "daemon/trust/digest.h"

namespace codexos::daemon {
namespace {

namespace fs = std::filesystem;

void put(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

struct Scratch {
  Scratch() {
    char name[] = "/tmp/codexos-base-XXXXXX";
    top = mkdtemp(name);
    fs::create_directories(top / "real");
    fs::create_directories(top / "layer/upper");
    fs::create_directories(top / "objects");
  }
  ~Scratch() { (void)remove_tree(top.string()); }
  fs::path real(const std::string& p) const { return top / "real" / p; }
  fs::path upper(const std::string& p) const { return top / "layer/upper" / p; }
  std::vector<Root> roots() const {
    struct stat st {};
    REQUIRE(stat((top / "real").c_str(), &st) == 0);
    Root r;
    r.path = (top / "real").string();
    r.dev = st.st_dev;
    r.ino = st.st_ino;
    r.layer = (top / "layer").string();
    return {r};
  }
  Base record(const BaseLimits& limits = {}) const {
    auto objects = ObjectStore::open((top / "objects").string());
    REQUIRE(objects.ok());
    auto base = record_base(roots(), *objects, limits);
    REQUIRE(base.ok());
    return *std::move(base);
  }
  bool has_object(const std::string& id) const {
    auto objects = ObjectStore::open((top / "objects").string());
    return objects.ok() && objects->has(id);
  }
  fs::path top;
};

TEST_CASE("a base holds what the real folder had where the layer says something") {
  const Scratch t;
  put(t.real("a/text"), "old\n");
  put(t.real("a/other"), "other\n");
  put(t.real("binary"), std::string("\0x", 2));
  fs::create_symlink("target", t.real("link"));
  put(t.upper("a/text"), "new\n");
  put(t.upper("a/added"), "x");
  put(t.upper("binary"), "y");
  put(t.upper("link"), "now a file");
  put(t.upper("node_modules/p/index.js"), "x");
  const Base base = t.record();
  CHECK(base.complete);
  CHECK(base.clock_us != 0);

  const auto text = base.find(0, "a/text");
  REQUIRE(text);
  struct stat st {};
  REQUIRE(lstat(t.real("a/text").c_str(), &st) == 0);
  CHECK(text->there);
  CHECK(text->ino == st.st_ino);
  CHECK(text->size == 4);
  CHECK(text->ctime_ns == facts_of(st).ctime_ns);
  CHECK(text->digest == sha256_hex("old\n"));
  CHECK(text->kept);
  CHECK(t.has_object(text->digest));
  CHECK(base.find(0, "binary")->digest == sha256_hex(std::string("\0x", 2)));
  CHECK_FALSE(base.find(0, "binary")->kept);
  CHECK(base.find(0, "link")->digest == sha256_hex("target"));
  CHECK(base.find(0, "a")->facts()->is_dir());
  // not there
  CHECK_FALSE(base.find(0, "a/added")->there);
  CHECK_FALSE(base.find(0, "node_modules")->there);
  CHECK_FALSE(base.find(0, "node_modules/p/index.js")->there);
  CHECK_FALSE(base.find(0, "node_modules/p/index.js")->facts());
  // not known
  CHECK_FALSE(base.find(0, "a/other"));
  CHECK_FALSE(base.find(0, "elsewhere"));
  CHECK_FALSE(base.find(1, "a/text"));
  // a new tree is one entry, whatever is in it
  CHECK(base.roots[0].entries.size() == 6);
}

TEST_CASE("a file that was only touched is in the base as well") {
  const Scratch t;
  put(t.real("f"), "same");
  put(t.upper("f"), "same");
  CHECK(t.record().find(0, "f")->digest == sha256_hex("same"));
}

TEST_CASE("what is hidden is in the base, with all that is in it") {
  const Scratch t;
  put(t.real("gone/a/b"), "1");
  put(t.real("gone/c"), "2");
  put(t.real("opaque/old"), "3");
  put(t.real("opaque/sub/deep"), "4");
  put(t.real("file/in/it"), "5");
  put(t.upper("file"), "a file now");
  put(t.upper("opaque/new"), "x");
  REQUIRE(setxattr(t.upper("opaque").c_str(), "user.overlay.opaque", "y", 1, 0) == 0);
  const bool whiteouts = mknod(t.upper("gone").c_str(), S_IFCHR, makedev(0, 0)) == 0;
  if (!whiteouts) MESSAGE("skipped: this user cannot make whiteouts");
  const Base base = t.record();
  CHECK(base.find(0, "opaque/old")->digest == sha256_hex("3"));
  CHECK(base.find(0, "opaque/sub/deep")->digest == sha256_hex("4"));
  CHECK_FALSE(base.find(0, "opaque/new")->there);
  CHECK(base.find(0, "file")->facts()->is_dir());
  CHECK(base.find(0, "file/in/it")->digest == sha256_hex("5"));
  if (whiteouts) {
    CHECK(base.find(0, "gone/a/b")->digest == sha256_hex("1"));
    CHECK(base.find(0, "gone/c")->there);
  }
}

TEST_CASE("budgets: facts without digests first, then nothing is known") {
  const Scratch t;
  for (const char* name : {"a", "b", "c"}) {
    put(t.real(name), "12345");
    put(t.upper(name), "x");
  }
  BaseLimits small;
  small.hashed_bytes = 8;
  Base base = t.record(small);
  CHECK(base.complete);
  CHECK_FALSE(base.find(0, "a")->digest.empty());
  CHECK(base.find(0, "b")->digest.empty());
  CHECK(base.find(0, "b")->size == 5);
  small = BaseLimits{};
  small.kept_bytes = 2;
  base = t.record(small);
  CHECK(base.find(0, "a")->digest == sha256_hex("12345"));
  CHECK_FALSE(base.find(0, "a")->kept);
  small = BaseLimits{};
  small.entries = 1;
  base = t.record(small);
  CHECK_FALSE(base.complete);
  CHECK(base.find(0, "a"));
  CHECK_FALSE(base.find(0, "b"));
}

TEST_CASE("the layer's links and names lead nowhere") {
  const Scratch t;
  put(t.top / "secret/file", "secret");
  fs::create_symlink(t.top / "secret", t.real("dir"));
  put(t.upper("dir/file"), "x");
  const Base base = t.record();
  CHECK(base.find(0, "dir")->facts()->is_link());
  CHECK_FALSE(base.find(0, "dir/file")->there);
  CHECK_FALSE(t.has_object(sha256_hex("secret")));
}

TEST_CASE("a base comes back as it was written, and a damaged one does not") {
  const Scratch t;
  put(t.real("f"), "same");
  put(t.upper("f"), "other");
  Base base = t.record();
  base.late = true;
  const std::string file = (t.top / "base").string();
  REQUIRE(write_base(file, base).ok());
  const auto back = read_base(file);
  REQUIRE(back.ok());
  CHECK(back->late);
  CHECK(back->find(0, "f")->digest == base.find(0, "f")->digest);
  CHECK(back->clock_us == base.clock_us);
  CHECK_FALSE(fs::exists(file + ".new"));
  fs::resize_file(file, fs::file_size(file) - 3);
  CHECK_FALSE(read_base(file).ok());
  CHECK(read_base(file + "x").error().code == Code::not_found);
  CHECK_FALSE(write_base((t.top / "nowhere/base").string(), base).ok());
}

TEST_CASE("another folder in the place of the real one has no base") {
  const Scratch t;
  auto roots = t.roots();
  ++roots[0].ino;
  auto objects = ObjectStore::open((t.top / "objects").string());
  REQUIRE(objects.ok());
  CHECK(record_base(roots, *objects).error().code == Code::conflict);
}

}  // namespace
}  // namespace codexos::daemon

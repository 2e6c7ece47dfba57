// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include "tests/unit/daemon/workspace/layer_tree.h"

namespace codexos::daemon {
namespace {

using Lines = std::vector<std::string>;

TEST_CASE("an empty layer is no change, and so is a layer that was never made") {
  Tree t;
  put(t.real("a"), "a");
  CHECK(t.changes().empty());
  fs::remove(t.upper());
  CHECK(t.changes().empty());
}

TEST_CASE("added and modified files are told apart, folders that only hold them are not listed") {
  Tree t;
  put(t.real("src/a.c"), "int a;");
  put(t.upper("src/a.c"), "int b;");
  put(t.upper("src/new/deep/b.c"), "x");
  fs::create_directories(t.upper("src/empty"));
  CHECK(t.changes() == Lines{"M src/a.c", "A src/empty", "A src/new/deep/b.c"});
}

TEST_CASE("a file that was only copied up is no change") {
  Tree t;
  put(t.real("touched"), "same");
  put(t.upper("touched"), "same");
  put(t.real("chmod"), "same");
  put(t.upper("chmod"), "same");
  fs::permissions(t.upper("chmod"), fs::perms::owner_all);
  fs::create_symlink("x", t.real("same-link"));
  fs::create_symlink("x", t.upper("same-link"));
  fs::create_symlink("x", t.real("other-link"));
  fs::create_symlink("y", t.upper("other-link"));
  CHECK(t.changes() == Lines{"M chmod", "M other-link"});
}

TEST_CASE("another type is said") {
  Tree t;
  put(t.real("a"), "file");
  fs::create_symlink("/etc/shadow", t.upper("a"));
  put(t.real("b"), "file");
  put(t.upper("b/c"), "now a folder");
  CHECK(t.changes() == Lines{"T a", "T b", "A b/c"});
}

TEST_CASE("a folder with another mode is listed for itself") {
  Tree t;
  fs::create_directories(t.real("d"));
  fs::create_directories(t.upper("d"));
  fs::permissions(t.upper("d"), fs::perms::owner_all);
  CHECK(t.changes() == Lines{"M d"});
}

TEST_CASE("deleted files and folders are one line each; what never existed is none") {
  Tree t;
  put(t.real("gone"), "x");
  put(t.real("dir/a"), "x");
  put(t.real("dir/b"), "x");
  if (!whiteout(t.upper("gone"))) return;
  whiteout(t.upper("dir"));
  whiteout(t.upper("temporary"));
  CHECK(t.changes() == Lines{"D dir", "D gone"});
}

TEST_CASE("an opaque folder hides what the real one holds") {
  Tree t;
  put(t.real("d/kept"), "same");
  put(t.real("d/gone"), "x");
  put(t.real("d/sub/gone-too"), "x");
  opaque(t.upper("d"));
  put(t.upper("d/kept"), "same");
  put(t.upper("d/new"), "x");
  CHECK(t.changes() == Lines{"D d/gone", "A d/new", "D d/sub"});
}

TEST_CASE("a folder below an opaque one hides the real one as well") {
  Tree t;
  put(t.real("d/e/gone"), "x");
  opaque(t.upper("d"));
  fs::create_directories(t.upper("d/e"));
  CHECK(t.changes() == Lines{"D d/e/gone"});
}

TEST_CASE("a forged marker does not hide anything") {
  Tree t;
  put(t.real("d/there"), "x");
  fs::create_directories(t.upper("d"));
  setxattr(t.upper("d").c_str(), "user.overlay.overlay.opaque", "y", 1, 0);
  CHECK(t.changes().empty());
}

TEST_CASE("layers of earlier tasks count, the newest wins") {
  Tree t;
  put(t.real("a"), "0");
  put(t.real("b"), "0");
  put(t.real("back"), "0");
  put(t.earlier("a"), "1");
  put(t.earlier("b"), "1");
  put(t.earlier("c"), "1");
  put(t.earlier("back"), "1");
  put(t.earlier("d/old"), "1");
  put(t.upper("b"), "2");
  put(t.upper("back"), "0");
  opaque(t.upper("d"));
  put(t.upper("d/new"), "2");
  CHECK(t.changes(true) == Lines{"M a", "M b", "A c", "A d/new"});
  CHECK(t.changes(false) == Lines{"M b", "A d/new"});
  if (!whiteout(t.upper("c"))) return;
  CHECK(t.changes(true) == Lines{"M a", "M b", "A d/new"});
}

TEST_CASE("a folder made anew over an earlier whiteout does not show the real one's content") {
  Tree t;
  put(t.real("d/x"), "x");
  if (!whiteout(t.earlier("d"))) return;
  put(t.upper("d/y"), "y");
  CHECK(t.changes(true) == Lines{"D d/x", "A d/y"});
}

TEST_CASE("links in a layer are not followed") {
  Tree t;
  put(t.real("d/secret"), "x");
  fs::create_symlink(t.real("d"), t.upper("out"));
  CHECK(t.changes() == Lines{"A out"});
}

TEST_CASE("names that are not UTF-8 are escaped, others stay") {
  Tree t;
  put(t.upper("b\xFF\xC3"), "x");
  put(t.upper("\xC3\xA4\xF0\x9F\x98\x80"), "x");
  put(t.upper("over\xC0\xAFlong"), "x");
  CHECK(t.changes() ==
        Lines{"A b\\xFF\\xC3", "A over\\xC0\\xAFlong", "A \xC3\xA4\xF0\x9F\x98\x80"});
}

TEST_CASE("count and list stop at the limit and say so") {
  Tree t;
  for (int i = 0; i < 20; ++i) put(t.upper("f" + std::to_string(i)), "x");
  bool more = false;
  const auto stack = LayerStack::open(t.roots()[0]);
  REQUIRE(stack.ok());
  WalkOptions o;
  o.limit = 5;
  const auto list = stack->walk(o, more);
  REQUIRE(list.ok());
  CHECK(list->size() == 5);
  CHECK(more);
  auto count = count_changes(t.roots(), 5);
  REQUIRE(count.ok());
  CHECK(count->added == 5);
  CHECK(count->more);
  count = count_changes(t.roots(), 20);
  REQUIRE(count.ok());
  CHECK(count->added == 20);
  CHECK(!count->more);
}

TEST_CASE("a layer that is deeper than a path can be long ends the walk, not the daemon") {
  Tree t;
  Fd at(open(t.upper().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::string name(100, 'n');
  for (int i = 0; i < 3000; ++i) {
    REQUIRE(mkdirat(at.get(), name.c_str(), 0700) == 0);
    at.reset(openat(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(at.get() >= 0);
  }
  const auto count = count_changes(t.roots(), 0);
  REQUIRE(count.ok());
  CHECK(count->more);
}

TEST_CASE("another folder at the same path is not compared") {
  Tree t;
  auto roots = t.roots();
  roots[0].ino += 1;
  const auto count = count_changes(roots, 0);
  REQUIRE(!count.ok());
  CHECK(count.error().code == Code::conflict);
}

}  // namespace
}  // namespace codexos::daemon

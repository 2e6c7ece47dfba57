// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/discard.h"

#include <doctest/doctest.h>

#include "tests/unit/daemon/workspace/layer_tree.h"

namespace codexos::daemon {
namespace {

using Lines = std::vector<std::string>;

TEST_CASE("discarded paths are no changes any more, the others stay") {
  const Tree t;
  put(t.real("kept"), "old");
  put(t.real("file"), "old");
  put(t.real("dir/a"), "old");
  put(t.upper("kept"), "newer");
  put(t.upper("file"), "newer");
  put(t.upper("dir/a"), "newer");
  put(t.upper("dir/new/x"), "x");
  put(t.upper("log.1"), "1");
  put(t.upper("log.2"), "2");
  const auto n = discard_paths(t.roots(), {"file", "dir", "log.*"});
  REQUIRE(n.ok());
  CHECK(*n == 6);  // dir/new counts as well
  CHECK(t.changes() == Lines{"M kept"});
  CHECK(!discard_paths(t.roots(), {"nothing"}).ok());
}

TEST_CASE("what is below a folder that was made anew comes back as a copy") {
  const Tree t;
  put(t.real("dir/a"), "a");
  put(t.real("dir/b"), "b");
  opaque(t.upper("dir"));
  put(t.upper("dir/c"), "c");
  CHECK(t.changes() == Lines{"D dir/a", "D dir/b", "A dir/c"});
  REQUIRE(discard_paths(t.roots(), {"dir/a"}).ok());
  CHECK(t.changes() == Lines{"D dir/b", "A dir/c"});
  REQUIRE(discard_paths(t.roots(), {"dir"}).ok());
  CHECK(t.changes().empty());
}

TEST_CASE("a removed folder comes back around the path that is discarded") {
  const Tree t;
  put(t.real("dir/a"), "a");
  put(t.real("dir/in/b"), "b");
  if (!whiteout(t.upper("dir"))) return;
  REQUIRE(discard_paths(t.roots(), {"dir/in/b"}).ok());
  CHECK(t.changes() == Lines{"D dir/a"});
}

TEST_CASE("the layer of an earlier task is hidden, and not written to") {
  const Tree t;
  put(t.real("both"), "old");
  put(t.real("gone"), "old");
  put(t.earlier("both"), "earlier");
  put(t.earlier("made"), "earlier");
  if (!whiteout(t.earlier("gone"))) return;
  put(t.upper("mine"), "mine");
  CHECK(t.changes(true) == Lines{"M both", "D gone", "A made", "A mine"});
  REQUIRE(discard_paths(t.roots(true), {"both", "gone", "made"}).ok());
  CHECK(t.changes(true) == Lines{"A mine"});
  CHECK(fs::exists(t.earlier("made")));
}

}  // namespace
}  // namespace codexos::daemon

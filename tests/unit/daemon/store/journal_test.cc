// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/journal.h"

#include <doctest/doctest.h>

#include "daemon/store/store.h"
#include "tests/unit/temp_dir.h"

namespace codexos::daemon {
namespace {

TaskRow task(const std::string& id, const std::string& workspace) {
  TaskRow r;
  r.task.id = id;
  r.task.workspace = workspace;
  r.created_at_us = 1;
  return r;
}
ApplyRow row(const std::string& id, const std::string& of, ApplyState state) {
  ApplyRow r;
  r.id = id;
  r.task = of;
  r.state = state;
  r.staging = state != ApplyState::reverted;
  r.paths = 3;
  r.at_us = 5;
  return r;
}

TEST_CASE("a row comes back as it was written, and what is unfinished is found") {
  const TempDir dir;
  auto store = Store::open(dir.path);
  REQUIRE(store.ok());
  Journal& j = (*store)->journal();
  REQUIRE((*store)->insert_task(task("aaaaaaaaaaaa", "/a")).ok());
  REQUIRE((*store)->insert_task(task("bbbbbbbbbbbb", "/b")).ok());
  ApplyRow first = row("one", "aaaaaaaaaaaa", ApplyState::planned);
  first.kind = ApplyKind::undo;
  first.undoes = "zero";
  first.whole = true;
  REQUIRE(j.insert(first).ok());
  REQUIRE(j.insert(row("two", "bbbbbbbbbbbb", ApplyState::staged)).ok());
  REQUIRE(j.insert(row("three", "bbbbbbbbbbbb", ApplyState::reverted)).ok());
  auto found = j.find("one");
  REQUIRE(found.ok());
  REQUIRE(*found);
  CHECK((*found)->kind == ApplyKind::undo);
  CHECK((*found)->undoes == "zero");
  CHECK((*found)->whole);
  CHECK((*found)->paths == 3);
  auto open = j.unfinished();
  REQUIRE(open.ok());
  CHECK(open->size() == 2);
  CHECK(!*j.last_of_task("aaaaaaaaaaaa"));
  first.state = ApplyState::done;
  first.commit_json = "{}";
  REQUIRE(j.update(first).ok());
  CHECK(j.unfinished()->size() == 2);  // its staging folders may be there
  first.staging = false;
  REQUIRE(j.update(first).ok());
  CHECK(j.unfinished()->size() == 1);
  CHECK((*j.last_of_task("aaaaaaaaaaaa"))->commit_json == "{}");
  CHECK((*j.last_of_workspace("/a"))->id == "one");
  CHECK(!*j.last_of_workspace("/b"));
}

TEST_CASE("a task takes its rows with it; there is none without a task") {
  const TempDir dir;
  auto store = Store::open(dir.path);
  REQUIRE(store.ok());
  Journal& j = (*store)->journal();
  REQUIRE((*store)->insert_task(task("aaaaaaaaaaaa", "/a")).ok());
  REQUIRE(j.insert(row("one", "aaaaaaaaaaaa", ApplyState::done)).ok());
  CHECK(!j.insert(row("two", "cccccccccccc", ApplyState::done)).ok());
  REQUIRE((*store)->delete_task("aaaaaaaaaaaa").ok());
  CHECK(!*j.find("one"));
}

}  // namespace
}  // namespace codexos::daemon

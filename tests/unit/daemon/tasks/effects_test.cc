// SPDX-License-Identifier: Apache-2.0
// What waits for the commit, and who is woken after it.
#include <doctest/doctest.h>

#include <string>

#include "daemon/tasks/after_commit.h"
#include "daemon/tasks/feed.h"

namespace codexos::daemon {
namespace {

TEST_CASE("effects run after the commit, once, in order") {
  AfterCommit effects;
  std::string seen;
  effects.add([&] { seen += "a"; });
  effects.add([&] { seen += "b"; });
  CHECK(seen.empty());
  effects.committed();
  effects.committed();
  CHECK(seen == "ab");
}

TEST_CASE("a failed commit runs the other side, and no effect") {
  AfterCommit effects;
  std::string seen;
  effects.add([&] { seen += "done"; }, [&](const Error& e) { seen += e.message; });
  effects.add([&] { seen += "done"; });
  effects.rolled_back(Error{Code::exhausted, "disk full", {}});
  CHECK(seen == "disk full");
  CHECK(effects.empty());
}

TEST_CASE("an effect that adds an effect leaves it for the next commit") {
  AfterCommit effects;
  int runs = 0;
  effects.add([&] { effects.add([&] { ++runs; }); });
  effects.committed();
  CHECK(runs == 0);
  CHECK_FALSE(effects.empty());
  effects.committed();
  CHECK(runs == 1);
}

TEST_CASE("followers of a task are woken once for all that was marked") {
  Feed feed;
  int one = 0;
  int other = 0;
  int all = 0;
  feed.subscribe("one", [&] { ++one; });
  feed.subscribe("other", [&] { ++other; });
  feed.subscribe("", [&] { ++all; });
  feed.mark("one");
  feed.mark("one");
  feed.publish();
  feed.publish();
  CHECK(one == 1);
  CHECK(other == 0);
  CHECK(all == 1);
}

TEST_CASE("a follower may leave, or send another away, while it is woken") {
  Feed feed;
  Feed::Id second = 0;
  int woken = 0;
  Feed::Id first = 0;
  first = feed.subscribe("t", [&] {
    ++woken;
    feed.unsubscribe(first);
    feed.unsubscribe(second);
  });
  second = feed.subscribe("t", [&] { ++woken; });
  feed.mark("t");
  feed.publish();
  CHECK(woken == 1);
}

TEST_CASE("marks of a turn that was rolled back wake nobody") {
  Feed feed;
  int woken = 0;
  feed.subscribe("t", [&] { ++woken; });
  feed.mark("t");
  feed.forget_marks();
  feed.publish();
  CHECK(woken == 0);
}

}  // namespace
}  // namespace codexos::daemon

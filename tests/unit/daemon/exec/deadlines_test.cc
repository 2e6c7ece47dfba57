// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/deadlines.h"

#include <doctest/doctest.h>

using namespace codexos;
using namespace codexos::exec;

TEST_CASE("without limits nothing expires") {
  Deadlines d(0, 0);
  d.start(1000);
  CHECK(d.next() == Deadlines::kNever);
  CHECK(d.expired(Deadlines::kNever - 1) == Cause::none);
}

TEST_CASE("the time limit counts from the start, the idle limit from the last output") {
  Deadlines d(10, 4);
  d.start(0);
  CHECK(d.next() == 4000);
  d.active(3000);
  CHECK(d.next() == 7000);
  CHECK(d.expired(6999) == Cause::none);
  CHECK(d.expired(7000) == Cause::idle_limit);
  d.active(9000);
  CHECK(d.next() == 10000);
  CHECK(d.expired(10000) == Cause::time_limit);
}

TEST_CASE("both clocks stand still while paused") {
  Deadlines d(10, 5);
  d.start(0);
  d.active(2000);
  d.pause(3000);
  CHECK(d.next() == Deadlines::kNever);
  CHECK(d.expired(1000000) == Cause::none);
  d.resume(103000);
  CHECK(d.next() == 107000);
  CHECK(d.expired(110000) == Cause::time_limit);
  d.resume(500000);  // twice does nothing
  CHECK(d.next() == 107000);
}

TEST_CASE("an absurd limit is none") {
  Deadlines d(~uint64_t{0}, 0);
  d.start(5);
  CHECK(d.next() == Deadlines::kNever);
}

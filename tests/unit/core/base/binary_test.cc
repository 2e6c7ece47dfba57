// SPDX-License-Identifier: Apache-2.0
#include "core/base/binary.h"

#include <doctest/doctest.h>

#include "core/base/frames.h"
#include "core/base/plan.h"

namespace codexos {
namespace {

TEST_CASE("a plan survives the trip through bytes") {
  Plan p;
  p.view.uid = {1000, 2000000001};
  p.view.mounts.push_back({});
  p.view.mounts.back().target = std::string("a\0b", 3);
  p.job.argv = {"true", ""};
  p.job.stdin_mode = Stdio::pty;
  const auto q = from_binary<Plan>(to_binary(p));
  REQUIRE(q.ok());
  CHECK(q->view.uid.host == 2000000001);
  CHECK(q->view.mounts.at(0).target == std::string("a\0b", 3));
  CHECK(q->job.argv == p.job.argv);
  CHECK(q->job.stdin_mode == Stdio::pty);
  CHECK(q->job.client_fd == -1);
}

TEST_CASE("every cut of a plan is refused or leaves defaults, never reads beyond") {
  Plan p;
  p.job.argv = {"x", "y"};
  const std::string bytes = to_binary(p);
  for (size_t n = 0; n < bytes.size(); ++n)
    (void)from_binary<Plan>(std::string_view(bytes).substr(0, n));
  CHECK_FALSE(from_binary<Plan>(std::string_view(bytes).substr(0, bytes.size() - 1)).ok());
}

TEST_CASE("a message of an older sender leaves new fields at their defaults") {
  const std::string bytes = to_binary(EndAck{"note"});
  CHECK(from_binary<EndAck>(bytes)->note == "note");
  CHECK(from_binary<EndAck>("")->note.empty());
  CHECK(from_binary<EndAck>(bytes + "trailing")->note == "note");
}

TEST_CASE("a count larger than the bytes that follow is refused") {
  std::string bytes(4, '\xff');
  CHECK_FALSE(from_binary<EndAck>(bytes).ok());
}

}  // namespace
}  // namespace codexos

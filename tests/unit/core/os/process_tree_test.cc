// SPDX-License-Identifier: Apache-2.0
#include "core/os/process_tree.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <map>

namespace codexos {
namespace {

std::function<std::optional<pid_t>(pid_t)> parents(std::map<pid_t, pid_t> table) {
  return [table = std::move(table)](pid_t pid) -> std::optional<pid_t> {
    const auto at = table.find(pid);
    return at == table.end() ? std::nullopt : std::optional<pid_t>(at->second);
  };
}

}  // namespace

TEST_CASE("process tree: who descends from one of several") {
  const auto of = parents({{9, 8}, {8, 5}, {5, 1}, {7, 1}, {1, 0}});
  CHECK(descends_from(9, {5}, of) == true);
  CHECK(descends_from(9, {7, 8}, of) == true);
  CHECK(descends_from(5, {5}, of) == true);
  CHECK(descends_from(7, {5, 8}, of) == false);
  CHECK(descends_from(9, {}, of) == false);
}

TEST_CASE("process tree: a chain that breaks is told") {
  CHECK_FALSE(descends_from(9, {5}, parents({{9, 8}})).has_value());
  // It broke once: the orphan was adopted meanwhile.
  int asked = 0;
  const auto adopted = [&asked](pid_t pid) -> std::optional<pid_t> {
    if (pid == 9) return ++asked == 1 ? 8 : 5;
    return pid == 5 ? std::optional<pid_t>(1) : std::nullopt;
  };
  CHECK(descends_from(9, {5}, adopted) == true);
  CHECK_FALSE(descends_from(9, {5}, parents({{9, 8}, {8, 9}})).has_value());
}

TEST_CASE("process tree: our own") {
  CHECK(real_parent_of(getpid()) == getppid());
  CHECK(descends_from(getpid(), {getppid()}, real_parent_of) == true);
}

}  // namespace codexos

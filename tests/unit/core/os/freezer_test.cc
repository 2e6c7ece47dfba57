// SPDX-License-Identifier: Apache-2.0
// With a cgroup freezer that this user may use; without one the case is skipped, and says so.
#include "core/os/freezer.h"

#include <doctest/doctest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <new>

namespace codexos {
namespace {

TEST_CASE("everything in a pid namespace stands still, also what it forks, and then goes on") {
  void* const page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(page != MAP_FAILED);
  auto* const counter = new (page) std::atomic<uint64_t>(0);
  // unshare(2) moves the children only, so a child does it.
  const pid_t outer = fork();
  REQUIRE(outer >= 0);
  if (outer == 0) {
    if (unshare(CLONE_NEWPID) < 0) _exit(77);
    const pid_t init = fork();
    if (init == 0) {
      for (;;) {
        const pid_t child = fork();
        if (child == 0) {
          for (int i = 0; i < 100; ++i) counter->fetch_add(1);
          _exit(0);
        }
        waitpid(child, nullptr, 0);
      }
    }
    counter[1].store(static_cast<uint64_t>(init));
    waitpid(init, nullptr, 0);
    _exit(0);
  }
  int status = 0;
  while (counter[1].load() == 0 && waitpid(outer, &status, WNOHANG) == 0) usleep(1000);
  if (counter[1].load() == 0) {
    MESSAGE("skipped: this user cannot make a pid namespace");
    return;
  }
  const auto init = static_cast<pid_t>(counter[1].load());
  while (counter->load() == 0) usleep(1000);
  {
    auto frozen = Freezer::freeze(init, "test" + std::to_string(getpid()));
    if (!frozen.ok()) {
      MESSAGE("skipped: " << frozen.error().message);
      CHECK(frozen.error().code == Code::unavailable);
    } else {
      const uint64_t before = counter->load();
      usleep(100'000);
      CHECK(counter->load() == before);
    }
  }
  const uint64_t after = counter->load();
  for (int i = 0; i < 5000 && counter->load() == after; ++i) usleep(1000);
  CHECK(counter->load() > after);
  kill(init, SIGKILL);
  waitpid(outer, &status, 0);
}

}  // namespace
}  // namespace codexos

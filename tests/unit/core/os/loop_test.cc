// SPDX-License-Identifier: Apache-2.0
// The event loop: order within a turn, timers, descriptors that are closed and reused.
#include "core/os/loop.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/os/socket.h"

namespace codexos {
namespace {

std::unique_ptr<Loop> make_loop() {
  auto loop = Loop::make();
  REQUIRE(loop.ok());
  return *std::move(loop);
}

TEST_CASE("timers run in order of their time, and a cancelled one never") {
  const auto loop = make_loop();
  std::string order;
  loop->after_ms(20, "b", [&] { order += "b"; });
  loop->after_ms(1, "a", [&] { order += "a"; });
  const auto never = loop->after_ms(10, "x", [&] { order += "x"; });
  loop->after_ms(30, "c", [&] {
    order += "c";
    loop->stop();
  });
  loop->cancel(never);
  loop->cancel(never);
  const int64_t begin = monotonic_us();
  loop->run();
  CHECK(order == "abc");
  CHECK(monotonic_us() - begin >= 29000);
}

TEST_CASE("a timer may cancel another that is due in the same turn") {
  const auto loop = make_loop();
  bool ran = false;
  Loop::TimerId second = 0;
  loop->after_ms(0, "first", [&] {
    loop->cancel(second);
    loop->stop();
  });
  second = loop->after_ms(0, "second", [&] { ran = true; });
  usleep(1000);
  loop->run();
  CHECK_FALSE(ran);
}

TEST_CASE("deferred work runs in the same turn, before its end") {
  const auto loop = make_loop();
  std::string order;
  loop->on_turn_end([&] {
    order += "E";
    if (order.size() >= 3) loop->stop();
  });
  loop->after_ms(0, "t", [&] {
    order += "t";
    loop->defer([&] { order += "d"; });
  });
  loop->run();
  CHECK(order == "tdE");
}

TEST_CASE("an event of a closed descriptor does not reach the next owner of its number") {
  const auto loop = make_loop();
  auto a = *socket_pair(SocketType::stream);
  auto b = *socket_pair(SocketType::stream);
  REQUIRE(write(a.second.get(), "x", 1) == 1);
  REQUIRE(write(b.second.get(), "x", 1) == 1);
  int wrong = 0;
  // Whichever comes first closes the other and puts a quiet socket in its place.
  auto quiet = *socket_pair(SocketType::stream);
  int done = 0;
  const auto replace = [&](Fd& mine, Fd& other) {
    loop->forget(mine.get());
    if (done++ > 0) return;
    const int number = other.get();
    loop->forget(number);
    REQUIRE(dup3(quiet.first.get(), number, O_CLOEXEC) == number);
    REQUIRE(loop->watch(number, EPOLLIN, "new", [&](uint32_t) { ++wrong; }).ok());
  };
  REQUIRE(
      loop->watch(a.first.get(), EPOLLIN, "a", [&](uint32_t) { replace(a.first, b.first); }).ok());
  REQUIRE(
      loop->watch(b.first.get(), EPOLLIN, "b", [&](uint32_t) { replace(b.first, a.first); }).ok());
  loop->after_ms(20, "end", [&] { loop->stop(); });
  loop->run();
  CHECK(done == 1);
  CHECK(wrong == 0);
}

TEST_CASE("signals arrive with number and sender") {
  const auto loop = make_loop();
  int signal = 0;
  int sender = 0;
  REQUIRE(loop->on_signals({SIGUSR1},
                           [&](int s, int pid) {
                             signal = s;
                             sender = pid;
                             loop->stop();
                           })
              .ok());
  REQUIRE(kill(getpid(), SIGUSR1) == 0);
  loop->run();
  CHECK(signal == SIGUSR1);
  CHECK(sender == getpid());
}

TEST_CASE("an idle loop says so once, until something happened") {
  const auto loop = make_loop();
  int idle = 0, idle_at_work = -1;
  loop->on_idle(5, [&] { ++idle; });
  loop->after_ms(60, "work", [&] { idle_at_work = idle; });
  loop->after_ms(120, "end", [&] { loop->stop(); });
  loop->run();
  CHECK(idle_at_work == 1);
  CHECK(idle == 2);
}

TEST_CASE("a callback above 5 ms is told by name") {
  const auto loop = make_loop();
  std::string name;
  loop->on_slow([&](const char* n, int64_t us) {
    name = n;
    CHECK(us >= 5000);
  });
  loop->after_ms(0, "sleeper", [&] {
    usleep(7000);
    loop->stop();
  });
  loop->run();
  // The timer itself and the descriptor callback around it are both told, the outer one last.
  CHECK((name == "sleeper" || name == "timers"));
}

}  // namespace
}  // namespace codexos

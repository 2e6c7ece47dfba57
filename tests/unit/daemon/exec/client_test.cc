// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/client.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <random>

#include "daemon/exec/link.h"
#include "daemon/exec/processes.h"

using namespace codexos;
using namespace codexos::exec;

namespace {

std::string frame(uint8_t type, const std::string& payload) {
  const FrameHeader h{type, 0, 0, static_cast<uint32_t>(payload.size())};
  return std::string(reinterpret_cast<const char*>(&h), sizeof h) + payload;
}

struct Ends {
  Fd ours, theirs;
  Ends() {
    int fds[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    ours.reset(fds[0]);
    theirs.reset(fds[1]);
  }
};

}  // namespace

TEST_CASE("frames are the same however they are cut into pieces") {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    Ends e;
    Client c(std::move(e.theirs));
    const std::string bytes = frame(1, "hello") + frame(2, "") + frame(99, std::string(50, 'x')) +
                              frame(3, std::string("\x0f\0\0\0", 4)) + frame(1, "") +
                              frame(4, std::string("\x28\0\x84\0", 4)) + frame(1, "world");
    std::string input;
    std::vector<int> types;
    std::vector<uint32_t> numbers;
    for (size_t at = 0; at < bytes.size();) {
      const size_t n = std::min<size_t>(bytes.size() - at, 1 + random() % 20);
      REQUIRE(send(e.ours.get(), bytes.data() + at, n, 0) == static_cast<ssize_t>(n));
      at += n;
      REQUIRE(c.receive(65536));
      ClientFrame f;
      while (c.next(f)) {
        if (f.type == FrameType::input)
          input += std::string(f.payload);
        else
          types.push_back(static_cast<int>(f.type));
        if (f.type == FrameType::signal) numbers.push_back(f.number(0, 4));
        if (f.type == FrameType::resize) numbers.push_back(f.number(2, 2));
      }
    }
    CHECK(input == "helloworld");
    CHECK(types == std::vector<int>{2, 99, 3, 4});
    CHECK(numbers == std::vector<uint32_t>{15, 132});
  }
}

TEST_CASE("random bytes from a client do no harm") {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    Ends e;
    Client c(std::move(e.theirs));
    for (int i = 0; i < 20; ++i) {
      std::string bytes(1 + random() % 64, '\0');
      for (char& b : bytes) b = static_cast<char>(random() % 3 == 0 ? random() % 256 : 0);
      REQUIRE(send(e.ours.get(), bytes.data(), bytes.size(), 0) > 0);
      REQUIRE(c.receive(65536));
      ClientFrame f;
      while (c.next(f)) CHECK(f.number(12, 4) <= 0xffffffffU);
    }
  }
}

TEST_CASE("what a client does not take waits, and is sent in order") {
  Ends e;
  Client c(std::move(e.theirs));
  std::string want;
  while (c.has_room()) {
    c.send(FrameType::output, 1, std::string(10000, 'a'));
    want += frame(16, std::string(10000, 'a'));
    want[want.size() - 10007] = 1;
  }
  c.put(FrameType::exit, 0, "end");
  want += frame(19, "end");
  std::string got;
  while (got.size() < want.size()) {
    char some[65536];
    const ssize_t n = recv(e.ours.get(), some, sizeof some, MSG_DONTWAIT);
    if (n > 0) got.append(some, static_cast<size_t>(n));
    c.flush();
  }
  CHECK((got == want));
  CHECK(c.idle());
}

TEST_CASE("only the same secret is the same, and no secret is nobody's") {
  CHECK(same_secret("abc", "abc"));
  CHECK(!same_secret("abd", "abc"));
  CHECK(!same_secret("ab", "abc"));
  CHECK(!same_secret("", ""));
}

TEST_CASE("outside of a pid namespace of its own a pause touches nobody") {
  TaskCgroup none;
  Pause p(none);
  CHECK(!p.stop().empty());
  CHECK(!p.active());
}

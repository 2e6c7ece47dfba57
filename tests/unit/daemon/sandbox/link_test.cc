// SPDX-License-Identifier: Apache-2.0
// The daemon's end of a link: order kept when the peer is slow, descriptors alive while they wait,
// and safe to destroy from its own handlers.
#include "daemon/sandbox/link.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/os/socket.h"
#include "daemon/sandbox/launcher.h"

namespace codexos::daemon {
namespace {

struct Rig {
  Rig() {
    auto l = Loop::make();
    REQUIRE(l.ok());
    loop = *std::move(l);
    auto pair = socket_pair(SocketType::seqpacket);
    REQUIRE(pair.ok());
    peer = std::move(pair->second);
    auto made = Link::make(*loop, std::move(pair->first));
    REQUIRE(made.ok());
    link = *std::move(made);
  }
  std::unique_ptr<Loop> loop;
  Fd peer;
  std::unique_ptr<Link> link;
};

TEST_CASE("messages arrive in order, with what they hold") {
  Rig rig;
  std::string seen;
  rig.link->handle(
      [&](LinkMessage& m) { seen += std::to_string(static_cast<uint32_t>(m.type)) + " "; },
      [&] {
        seen += "closed";
        rig.loop->stop();
      });
  REQUIRE(send_link(rig.peer.get(), LinkType::parked, {}, {}).ok());
  REQUIRE(send_link(rig.peer.get(), LinkType::prepared, {}, {}).ok());
  rig.peer.reset();
  rig.loop->run();
  CHECK(seen == "65 66 closed");
}

TEST_CASE("a peer that does not read loses nothing, and no descriptor closes while it waits") {
  Rig rig;
  constexpr int kCount = 50;
  for (int i = 0; i < kCount; ++i) {
    const Fd file(open("/dev/null", O_RDONLY | O_CLOEXEC));
    rig.link->send(LinkType::hello, Hello{std::string(60000, 'a' + i % 26)}, {file.get()});
  }
  int got = 0;
  REQUIRE(rig.loop
              ->watch(rig.peer.get(), EPOLLIN, "peer",
                      [&](uint32_t) {
                        auto m = try_recv_link(rig.peer.get());
                        REQUIRE(m.ok());
                        if (!*m) return;
                        const auto hello = from_binary<Hello>((*m)->payload);
                        REQUIRE(hello.ok());
                        CHECK(hello->secret[0] == 'a' + got % 26);
                        REQUIRE((*m)->fds.size() == 1);
                        if (++got == kCount) rig.loop->stop();
                      })
              .ok());
  rig.loop->run();
  CHECK(got == kCount);
}

TEST_CASE("a long message travels beside the packet") {
  Rig rig;
  rig.link->send(LinkType::hello, Hello{std::string(500000, 'x')});
  const auto m = recv_link(rig.peer.get());
  REQUIRE(m.ok());
  const auto hello = from_binary<Hello>(m->payload);
  REQUIRE(hello.ok());
  CHECK(hello->secret.size() == 500000);
}

TEST_CASE("a link may be destroyed by the handler of its own message") {
  Rig rig;
  bool closed = false;
  rig.link->handle(
      [&](LinkMessage&) {
        rig.link.reset();
        rig.loop->stop();
      },
      [&] { closed = true; });
  REQUIRE(send_link(rig.peer.get(), LinkType::parked, {}, {}).ok());
  REQUIRE(send_link(rig.peer.get(), LinkType::parked, {}, {}).ok());
  rig.loop->run();
  CHECK_FALSE(closed);
}

TEST_CASE("sending to a peer that is gone is told by closed, not by a crash") {
  Rig rig;
  int closed = 0;
  rig.link->handle([](LinkMessage&) {},
                   [&] {
                     ++closed;
                     rig.loop->stop();
                   });
  CHECK(rig.link->alive());
  rig.peer.reset();
  CHECK_FALSE(rig.link->alive());
  rig.link->send(LinkType::go);
  rig.link->send(LinkType::go);
  rig.loop->run();
  CHECK(closed == 1);
}

TEST_CASE("bytes that are no message close the link") {
  Rig rig;
  bool closed = false;
  rig.link->handle([](LinkMessage&) {},
                   [&] {
                     closed = true;
                     rig.loop->stop();
                   });
  REQUIRE(write(rig.peer.get(), "x", 1) == 1);
  rig.loop->run();
  CHECK(closed);
}

TEST_CASE("file systems have the names that people know") {
  CHECK(filesystem_name(0x794c7630) == "overlay");
  CHECK(filesystem_name(0xef53) == "ext4");
  CHECK(filesystem_name(0x1234) == "file system 0x1234");
}

TEST_CASE("codexos-exec is looked for beside the daemon, and the error names the places") {
  CHECK(*find_exec("/nowhere/bin/codexosd", "/x/codexos-exec") == "/x/codexos-exec");
  const auto missing = find_exec("/nowhere/bin/codexosd", nullptr);
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().message.find("/nowhere/bin") != std::string::npos);
}

}  // namespace
}  // namespace codexos::daemon

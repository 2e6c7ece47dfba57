// SPDX-License-Identifier: Apache-2.0
#include "core/os/link.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "core/base/binary.h"

using namespace codexos;

namespace {
struct Pair {
  Fd a, b;
  Pair() {
    int fds[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
    a.reset(fds[0]);
    b.reset(fds[1]);
  }
};
ino_t inode(int fd) {
  struct stat st {};
  fstat(fd, &st);
  return st.st_ino;
}
}  // namespace

TEST_CASE("a message arrives with its type, bytes and descriptors, which are CLOEXEC") {
  Pair p;
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const Fd r(ends[0]), w(ends[1]);
  REQUIRE(send_link(p.a.get(), LinkType::client, "hello", {r.get(), w.get()}).ok());
  auto m = recv_link(p.b.get());
  REQUIRE(m.ok());
  CHECK(m->type == LinkType::client);
  CHECK(m->payload == "hello");
  REQUIRE(m->fds.size() == 2);
  CHECK(inode(m->fds[1].get()) == inode(w.get()));
  CHECK((fcntl(m->fds[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("a payload above the inline limit travels in a memfd, before the other descriptors") {
  Pair p;
  const std::string big(3 << 20, 'x');
  REQUIRE(send_link(p.a.get(), LinkType::exec, big, {p.a.get()}).ok());
  auto m = recv_link(p.b.get());
  REQUIRE(m.ok());
  CHECK(m->type == LinkType::exec);
  CHECK(m->payload == big);
  CHECK(m->fds.size() == 1);
}

TEST_CASE("many descriptors fit in one message") {
  Pair p;
  REQUIRE(send_link(p.a.get(), LinkType::parked, "", std::vector<int>(200, p.a.get())).ok());
  auto m = recv_link(p.b.get());
  REQUIRE(m.ok());
  CHECK(m->fds.size() == 200);
}

TEST_CASE("nothing there, a closed side and a wrong message are told apart") {
  Pair p;
  auto none = try_recv_link(p.b.get());
  REQUIRE(none.ok());
  CHECK(!none->has_value());
  REQUIRE(send(p.a.get(), "x", 1, 0) == 1);
  auto bad = recv_link(p.b.get());
  REQUIRE(!bad.ok());
  CHECK(bad.error().code == Code::invalid);
  // A long message must bring a sealed memfd: a plain file could change while it is read.
  const uint32_t type = static_cast<uint32_t>(LinkType::job) | kLinkInMemfd;
  REQUIRE(send(p.a.get(), &type, sizeof type, 0) == 4);
  CHECK(!recv_link(p.b.get()).ok());
  p.a.reset();
  auto gone = recv_link(p.b.get());
  REQUIRE(!gone.ok());
  CHECK(gone.error().code == Code::unavailable);
  CHECK(send_link(p.b.get(), LinkType::go, "", {}).error().code == Code::unavailable);
}

TEST_CASE("sending without waiting says when the other side does not read") {
  Pair p;
  Status s;
  for (int i = 0; i < 10000 && s.ok(); ++i)
    s = try_send_link(p.a.get(), LinkType::signal, std::string(1000, 'x'), {});
  REQUIRE(!s.ok());
  CHECK(s.error().code == Code::exhausted);
}

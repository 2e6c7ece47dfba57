// SPDX-License-Identifier: Apache-2.0
// Sockets, spawning, files and places: what the rest of the program takes for granted.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "core/os/file.h"
#include "core/os/host.h"
#include "core/os/place.h"
#include "core/os/socket.h"
#include "core/os/spawn.h"
#include "tests/unit/temp_dir.h"

namespace codexos {
namespace {

void write_file(const std::string& path, std::string_view text) {
  auto fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  REQUIRE(fd.ok());
  REQUIRE(write_all(fd->get(), text).ok());
}

TEST_CASE("a socket is 0600, connects, and a path longer than sockaddr_un does too") {
  const TempDir dir;
  const std::string deep = dir.path + "/" + std::string(120, 'd');
  REQUIRE(make_dir(deep, 0700).ok());
  for (const std::string& path : {dir.path + "/s", deep + "/s"}) {
    CHECK(connect_unix(path, SocketType::stream).error().code == Code::unavailable);
    {
      const auto first = listen_unix(path, SocketType::stream);
      REQUIRE(first.ok());
    }
    CHECK(connect_unix(path, SocketType::stream).error().code == Code::unavailable);
    const auto listener = listen_unix(path, SocketType::stream);  // replaces the leftover
    REQUIRE_MESSAGE(listener.ok(), listener.error().message);
    struct stat st {};
    REQUIRE(stat(path.c_str(), &st) == 0);
    CHECK((st.st_mode & 0777) == 0600);
    CHECK(connect_unix(path, SocketType::stream).ok());
  }
  write_file(dir.path + "/file", "keep me");
  CHECK(listen_unix(dir.path + "/file", SocketType::stream).error().code == Code::conflict);
  CHECK(*read_file(dir.path + "/file") == "keep me");
  CHECK(listen_unix(dir.path + "/" + std::string(200, 'x'), SocketType::stream).ok() == false);
}

TEST_CASE("a message brings its bytes, descriptors and sender") {
  auto pair = *socket_pair(SocketType::stream);
  const bool pidfds = want_sender_id(pair.second.get());
  bool again = false;
  const auto sent = send_bytes(pair.first.get(), "hello", {0, 1}, again);
  REQUIRE(sent.ok());
  CHECK(*sent == 5);
  char room[16];
  const auto got = receive(pair.second.get(), room, sizeof room, again);
  REQUIRE(got.ok());
  CHECK(std::string_view(room, got->bytes) == "hello");
  CHECK(got->fds.size() == 2);
  CHECK((fcntl(got->fds[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
  REQUIRE(got->sender.has_value());
  CHECK(got->sender->uid == getuid());
  CHECK(got->sender->pid == getpid());
  CHECK(static_cast<bool>(got->sender->pidfd) == pidfds);
}

TEST_CASE("nothing there is no error, the end is zero bytes, a gone peer no signal") {
  auto pair = *socket_pair(SocketType::stream);
  REQUIRE(fcntl(pair.second.get(), F_SETFL, O_NONBLOCK) == 0);
  bool again = false;
  char room[16];
  CHECK(receive(pair.second.get(), room, sizeof room, again).ok());
  CHECK(again);
  pair.first.reset();
  const auto end = receive(pair.second.get(), room, sizeof room, again);
  REQUIRE(end.ok());
  CHECK_FALSE(again);
  CHECK(end->bytes == 0);
  CHECK_FALSE(send_bytes(pair.second.get(), "x", {}, again).ok());
}

size_t open_descriptors() { return real_host().list("/proc/self/fd").size(); }

TEST_CASE("a peer that went without reading all of ours is an end of stream, not an error") {
  auto pair = *socket_pair(SocketType::stream);
  bool again = false;
  REQUIRE(send_bytes(pair.second.get(), "unread", {}, again).ok());
  pair.first.reset();
  char room[8];
  const auto end = receive(pair.second.get(), room, sizeof room, again);
  REQUIRE(end.ok());
  CHECK(end->bytes == 0);
  CHECK_FALSE(again);
}

TEST_CASE("a message with too many descriptors is refused and leaks none") {
  auto pair = *socket_pair(SocketType::stream);
  REQUIRE(want_sender_id(pair.second.get()) == want_sender_id(pair.second.get()));
  const size_t before = open_descriptors();
  std::vector<int> many(60, 0);
  char byte = 'x';
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(60 * sizeof(int))] = {};
  msghdr m{};
  m.msg_iov = &part;
  m.msg_iovlen = 1;
  m.msg_control = control;
  m.msg_controllen = sizeof control;
  cmsghdr* c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(60 * sizeof(int));
  memcpy(CMSG_DATA(c), many.data(), 60 * sizeof(int));
  REQUIRE(sendmsg(pair.first.get(), &m, 0) == 1);
  bool again = false;
  char room[16];
  CHECK_FALSE(receive(pair.second.get(), room, sizeof room, again).ok());
  CHECK(open_descriptors() == before);
}

int wait_code(pid_t pid) {
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST_CASE(
    "a child gets exactly the descriptors that are listed, under the numbers that are asked") {
  int fds[2];
  REQUIRE(pipe2(fds, O_CLOEXEC) == 0);
  const Fd out(fds[0]);
  Fd in(fds[1]);
  const Fd leaky(fcntl(0, F_DUPFD, 50));  // not CLOEXEC
  SpawnOptions o;
  o.path = "/bin/sh";
  o.argv = {"sh", "-c", "echo $(ls /proc/self/fd | wc -l) $X; echo hi >&3"};
  o.env = {"X=1", "PATH=/usr/bin:/bin"};
  o.fds = {{in.get(), 1}, {in.get(), 3}};
  const auto pid = spawn(o);
  REQUIRE(pid.ok());
  in.reset();
  CHECK(wait_code(*pid) == 0);
  char text[64] = {};
  std::string all;
  for (ssize_t n = 0; (n = read(out.get(), text, sizeof text)) > 0;)
    all.append(text, static_cast<size_t>(n));
  CHECK(all == "5 1\nhi\n");  // 0 1 2 3 and ls's own
}

TEST_CASE("numbers that cross each other reach the child as asked") {
  const TempDir dir;
  write_file(dir.path + "/a", "A");
  write_file(dir.path + "/b", "B");
  const auto a = open_file(dir.path + "/a", O_RDONLY);
  const auto b = open_file(dir.path + "/b", O_RDONLY);
  SpawnOptions o;
  o.path = "/bin/sh";
  const std::string na = std::to_string(b->get());
  const std::string nb = std::to_string(a->get());
  o.argv = {"sh", "-c",
            "[ $(cat <&" + na + ") = A ] && [ $(cat <&" + nb + ") = B ] && [ -z \"$(cat)\" ]"};
  o.env = {"PATH=/usr/bin:/bin"};
  o.fds = {{a->get(), b->get()}, {b->get(), a->get()}};
  const auto pid = spawn(o);
  REQUIRE(pid.ok());
  CHECK(wait_code(*pid) == 0);
}

TEST_CASE("a program that is not there is an error of spawn") {
  SpawnOptions o;
  o.path = "/nonexistent/program";
  o.argv = {"program"};
  CHECK(spawn(o).error().code == Code::not_found);
}

TEST_CASE("a process is known by its start time, and by a pidfd") {
  CHECK(process_start_time(getpid()) > 0);
  CHECK(process_start_time(getpid()) == process_start_time(getpid()));
  CHECK(process_start_time(0x7ffffff) == 0);
  CHECK(open_pidfd(getpid()).ok());
  CHECK(open_pidfd(0x7ffffff).error().code == Code::not_found);
  CHECK(boot_id().size() == 36);
}

TEST_CASE("a tree is removed without following links, whatever its modes and depth") {
  const TempDir dir;
  const std::string outside = dir.path + "/outside";
  write_file(outside, "stay");
  const std::string tree = dir.path + "/tree";
  REQUIRE(make_dirs(tree + "/work/work/inner", 0700).ok());
  REQUIRE(chmod((tree + "/work/work").c_str(), 0) == 0);
  REQUIRE(make_dir(tree + "/readonly", 0700).ok());
  write_file(tree + "/readonly/f", std::string(10000, 'x'));
  REQUIRE(chmod((tree + "/readonly").c_str(), 0555) == 0);
  REQUIRE(symlink(outside.c_str(), (tree + "/link").c_str()) == 0);
  REQUIRE(symlink(dir.path.c_str(), (tree + "/dirlink").c_str()) == 0);
  // Deeper than any path can be named.
  int at = open(tree.c_str(), O_DIRECTORY | O_CLOEXEC);
  for (int i = 0; i < 3000; ++i) {
    REQUIRE(mkdirat(at, "deep", 0700) == 0);
    const int next = openat(at, "deep", O_DIRECTORY | O_CLOEXEC);
    close(at);
    at = next;
  }
  close(at);
  const auto freed = remove_tree(tree);
  REQUIRE_MESSAGE(freed.ok(), freed.error().message);
  CHECK(*freed >= 10000);
  CHECK(access(tree.c_str(), F_OK) != 0);
  CHECK(*read_file(outside) == "stay");
  CHECK(*remove_tree(tree) == 0);
}

TEST_CASE("a lock is held by one, and given back by close") {
  const TempDir dir;
  auto a = open_file(dir.path + "/lock", O_RDWR | O_CREAT, 0600);
  const auto b = open_file(dir.path + "/lock", O_RDWR);
  CHECK(lock_file(a->get()).ok());
  CHECK(lock_file(b->get()).error().code == Code::conflict);
  a->reset();
  CHECK(lock_file(b->get()).ok());
}

TEST_CASE("files: limits, folders that exist, what is missing") {
  const TempDir dir;
  write_file(dir.path + "/f", "12345");
  CHECK(*read_file(dir.path + "/f", 5) == "12345");
  CHECK(read_file(dir.path + "/f", 4).error().code == Code::exhausted);
  CHECK(read_file(dir.path + "/missing").error().code == Code::not_found);
  CHECK(make_dirs(dir.path + "/a/b/c", 0700).ok());
  CHECK(make_dirs(dir.path + "/a/b/c", 0700).ok());
  CHECK_FALSE(make_dir(dir.path + "/f", 0700).ok());
  CHECK(*real_path(dir.path + "/a/../f") == dir.path + "/f");
}

TEST_CASE("the state folder is a function of uid, CODEXOS_HOME, passwd and HOME") {
  CHECK(find_place(0, nullptr, "/elsewhere")->home == "/var/lib/codexos");
  CHECK(find_place(0, "/x/", nullptr)->home == "/x");
  CHECK(find_place(1234, "/x", nullptr)->socket == "/x/codexosd.sock");
  CHECK(find_place(0, "", nullptr)->home == "/var/lib/codexos");
  CHECK(find_place(0, "x", nullptr).error().code == Code::invalid);
  // A uid that no machine of ours has in passwd.
  CHECK(find_place(3987654321, nullptr, "/h")->home == "/h/.local/state/codexos");
  CHECK_FALSE(find_place(3987654321, nullptr, nullptr).ok());
  CHECK_FALSE(find_place(3987654321, nullptr, "relative").ok());
}

TEST_CASE("passwd lines are read by uid, the first one counts, damaged ones do not") {
  const std::string text =
      "root:x:0:0:root:/root:/bin/bash\n\n#c\nbad:x:1000\na:x:1000:1000:A,,,:/home/a:/bin/sh\n"
      "b:x:1000:1000::/home/b:\nneg:x:-1:0::/n:\nlast:x:7:7::/home/last";
  CHECK(home_of_uid(text, 0) == "/root");
  CHECK(home_of_uid(text, 7) == "/home/last");
  CHECK(name_of_uid(text, 7) == "last");
  CHECK(name_of_uid(text, 8).empty());
  CHECK(name_of_uid(text, 1000) == "a");
  CHECK(home_of_uid(text, 4294967295U).empty());
}

TEST_CASE("the real host answers what is there and false for what is not") {
  const TempDir dir;
  write_file(dir.path + "/b", "text");
  REQUIRE(symlink("b", (dir.path + "/a").c_str()) == 0);
  const Host& host = real_host();
  PathFact fact;
  REQUIRE(host.lookup(dir.path + "/a", fact));
  CHECK(fact.path == dir.path + "/b");
  CHECK_FALSE(fact.is_dir);
  CHECK_FALSE(host.lookup(dir.path + "/c", fact));
  std::string text;
  CHECK(host.read_link(dir.path + "/a", text));
  CHECK(text == "b");
  CHECK_FALSE(host.read_link(dir.path + "/b", text));
  CHECK(host.read(dir.path + "/a", text));
  CHECK(text == "text");
  CHECK_FALSE(host.read(dir.path, text));
  CHECK(host.list(dir.path) == std::vector<std::string>{"a", "b"});
  uid_t uid = 1;
  gid_t gid = 1;
  CHECK(host.owner(dir.path, uid, gid));
  CHECK(uid == getuid());
}

}  // namespace
}  // namespace codexos

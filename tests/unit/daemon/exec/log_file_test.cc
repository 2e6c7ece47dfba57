// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/log_file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <string>

using namespace codexos;
using namespace codexos::exec;

namespace {

std::string read_from(const LogFile& log, uint64_t offset, uint64_t total) {
  std::string out;
  char some[7];
  for (;;) {
    const size_t n = log.read(offset + out.size(), total, some, sizeof some);
    if (n == 0) return out;
    out.append(some, n);
  }
}

}  // namespace

TEST_CASE("a log keeps its head and, as a ring, its tail") {
  const int fd = memfd_create("log", MFD_CLOEXEC);
  LogFile log(Fd(fd), 20);
  std::string all;
  for (int i = 0; i < 57; ++i) all += static_cast<char>('A' + i % 26);
  for (size_t at = 0; at < all.size(); at += 3) log.write(all.substr(at, 3), at);
  struct stat st {};
  fstat(fd, &st);
  CHECK(st.st_size == 20);
  CHECK(read_from(log, 0, all.size()) == all.substr(0, 10));
  CHECK(log.first_kept(10, all.size()) == 47);
  CHECK(log.first_kept(3, all.size()) == 3);
  CHECK(log.first_kept(50, all.size()) == 50);
  CHECK(read_from(log, 47, all.size()) == all.substr(47));
  CHECK(read_from(log, 20, all.size()).empty());  // overwritten
}

TEST_CASE("bytes moved from a pipe lie where written ones would") {
  LogFile log(Fd(memfd_create("log", MFD_CLOEXEC)), 16);
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const Fd r(ends[0]), w(ends[1]);
  REQUIRE(write(w.get(), "0123456789abcdefghijk", 21) == 21);
  log.take_from(r.get(), 5, 0);
  log.take_from(r.get(), 16, 5);
  CHECK(read_from(log, 0, 21) == "01234567");
  CHECK(read_from(log, 13, 21) == "defghijk");
}

TEST_CASE("a log that cannot be written is given up, and the pipe is emptied all the same") {
  Fd full(open("/dev/full", O_RDWR | O_CLOEXEC));
  REQUIRE(full);
  LogFile log(std::move(full), 100);
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  const Fd r(ends[0]), w(ends[1]);
  REQUIRE(write(w.get(), "0123456789", 10) == 10);
  log.take_from(r.get(), 10, 0);
  CHECK(!log.usable());
  char some = 0;
  CHECK(read(r.get(), &some, 1) == -1);
  log.write("x", 10);
  CHECK(log.read(0, 10, &some, 1) == 0);
  CHECK(log.error() != 0);  // of splice(2): the kernel decides which
  CHECK(log.taken(11) == 0);
}

TEST_CASE("without a descriptor or with a tiny cap nothing is kept") {
  CHECK(!LogFile(Fd(), 100).usable());
  CHECK(!LogFile(Fd(memfd_create("log", MFD_CLOEXEC)), 1).usable());
}

// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/objects.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/os/file.h"
#include "daemon/trust/digest.h"

namespace codexos::daemon {
namespace {

namespace fs = std::filesystem;

class Scratch {
 public:
  Scratch() {
    char name[] = "/tmp/codexos-objects-XXXXXX";
    top_ = mkdtemp(name);
  }
  ~Scratch() { (void)remove_tree(top_.string()); }
  fs::path dir() const { return top_ / "objects"; }
  ObjectStore store() const {
    auto s = ObjectStore::open(dir().string());
    REQUIRE(s.ok());
    return *std::move(s);
  }
  /// Files below the store.
  std::vector<fs::path> files() const {
    std::vector<fs::path> out;
    for (const auto& e : fs::recursive_directory_iterator(dir()))
      if (e.is_regular_file()) out.push_back(e.path());
    return out;
  }
  fs::path place(const std::string& id) const { return dir() / id.substr(0, 2) / id.substr(2); }

 private:
  fs::path top_;
};

void make_old(const fs::path& path) {
  const timespec times[2] = {{1000, 0}, {1000, 0}};
  REQUIRE(utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

TEST_CASE("objects: equal content is kept once, by its hash, and nobody can write it") {
  const Scratch t;
  ObjectStore store = t.store();
  const auto id = store.put_bytes("hello\n");
  REQUIRE(id.ok());
  CHECK(*id == sha256_hex("hello\n"));
  const Fd fd(memfd_create("x", MFD_CLOEXEC));
  REQUIRE(write_all(fd.get(), "hello\n").ok());
  const auto again = store.put(fd.get());
  REQUIRE(again.ok());
  CHECK(*again == *id);
  CHECK(t.files() == std::vector<fs::path>{t.place(*id)});
  struct stat st {};
  REQUIRE(stat(t.place(*id).c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0400);
  CHECK(store.has(*id));
  CHECK(*store.read(*id, 100) == "hello\n");
  CHECK(store.sync().ok());
  CHECK(store.read(*id, 3).error().code == Code::exhausted);
}

TEST_CASE("objects: a name that is no hash names nothing") {
  const Scratch t;
  const ObjectStore store = t.store();
  for (const std::string& id : {std::string("../../x"), std::string(64, 'A'), std::string(64, '/'),
                                std::string(), std::string(63, 'a')}) {
    CHECK_FALSE(store.has(id));
    CHECK(store.open_object(id).error().code == Code::not_found);
  }
  CHECK(store.open_object(std::string(64, 'a')).error().code == Code::not_found);
}

TEST_CASE("objects: holes stay holes, and an empty file is one") {
  const Scratch t;
  ObjectStore store = t.store();
  const std::string source = (t.dir() / "source").string();
  const Fd fd = *open_file(source, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  CHECK(*store.put(fd.get()) == sha256_hex(""));
  REQUIRE(ftruncate(fd.get(), 64 << 20) == 0);
  REQUIRE(pwrite(fd.get(), "x", 1, 40 << 20) == 1);
  const auto id = store.put(fd.get());
  REQUIRE(id.ok());
  CHECK(*id == *sha256_of_file(fd.get()));
  struct stat st {};
  REQUIRE(stat(t.place(*id).c_str(), &st) == 0);
  CHECK(st.st_size == 64 << 20);
  CHECK(st.st_blocks * 512 < 4 << 20);
}

TEST_CASE("objects: what a crash cut off is written again, and never read") {
  const Scratch t;
  ObjectStore store = t.store();
  const auto id = store.put_bytes("whole content");
  REQUIRE(id.ok());
  REQUIRE(chmod(t.place(*id).c_str(), 0600) == 0);
  fs::resize_file(t.place(*id), 5);
  CHECK_FALSE(store.read(*id, 100).ok());
  REQUIRE(store.put_bytes("whole content").ok());
  CHECK(*store.read(*id, 100) == "whole content");
  REQUIRE(chmod(t.place(*id).c_str(), 0600) == 0);
  std::ofstream(t.place(*id)) << "other content";
  CHECK(store.read(*id, 100).error().message.find("does not hold") != std::string::npos);
}

TEST_CASE("objects: an error leaves nothing behind") {
  const Scratch t;
  ObjectStore store = t.store();
  const Fd big(memfd_create("x", MFD_CLOEXEC));
  REQUIRE(write_all(big.get(), std::string(1 << 20, 'x')).ok());
  // The file size limit stands for a full disk: the same path through the same calls.
  rlimit old{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &old) == 0);
  rlimit small = old;
  small.rlim_cur = 4096;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  const auto put = store.put(big.get());
  const auto bytes = store.put_bytes(std::string(1 << 20, 'y'));
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  CHECK_FALSE(put.ok());
  CHECK_FALSE(bytes.ok());
  CHECK(t.files().empty());
  const Fd folder = *open_file("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  CHECK_FALSE(store.put(folder.get()).ok());
  CHECK(t.files().empty());
}

TEST_CASE("objects: a sweep takes what nothing refers to, but nothing that is young") {
  const Scratch t;
  ObjectStore store = t.store();
  const std::string a = *store.put_bytes("a"), b = *store.put_bytes("b"), c = *store.put_bytes("c");
  std::ofstream(t.dir() / "new-1-2-3") << "cut off";
  for (const auto& path : t.files()) make_old(path);
  REQUIRE(store.put_bytes("c").ok());  // put again: young
  const auto swept = store.sweep({a}, 3600);
  REQUIRE(swept.ok());
  CHECK(swept->objects == 2);
  CHECK(store.has(a));
  CHECK_FALSE(store.has(b));
  CHECK(store.has(c));
  CHECK_FALSE(fs::exists(t.dir() / "new-1-2-3"));
}

}  // namespace
}  // namespace codexos::daemon

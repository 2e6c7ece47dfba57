// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/snapshot.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/os/file.h"
#include "daemon/trust/digest.h"
#include "daemon/workspace/layers.h"

namespace codexos::daemon {
namespace {

namespace fs = std::filesystem;

void put(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

struct Scratch {
  Scratch() {
    char name[] = "/tmp/codexos-snapshot-XXXXXX";
    top = mkdtemp(name);
    fs::create_directories(top / "layer/upper");
  }
  ~Scratch() { (void)remove_tree(top.string()); }
  fs::path upper(const std::string& p) const { return top / "layer/upper" / p; }
  std::vector<Root> roots() const {
    Root r;
    r.path = "/nowhere";
    r.layer = (top / "layer").string();
    return {r};
  }
  ObjectStore objects() const {
    auto o = ObjectStore::open((top / "objects").string());
    REQUIRE(o.ok());
    return *std::move(o);
  }
  Snapshot take(const Snapshot* before, SnapshotCost& cost) const {
    ObjectStore o = objects();
    auto s = take_snapshot(roots(), before, o, cost);
    REQUIRE(s.ok());
    return *std::move(s);
  }
  fs::path top;
};

/// Everything that a layer says, as text.
std::string describe(const fs::path& dir) {
  std::vector<fs::path> all{dir};
  for (const auto& e : fs::recursive_directory_iterator(dir)) all.push_back(e.path());
  std::sort(all.begin(), all.end());
  std::string out;
  std::map<ino_t, std::string> links;
  for (const auto& path : all) {
    struct stat st {};
    REQUIRE(lstat(path.c_str(), &st) == 0);
    const std::string rel = path.lexically_relative(dir).string();
    out += rel + " " + std::to_string(st.st_mode) + " " + std::to_string(st.st_uid) + " " +
           std::to_string(st.st_mtim.tv_sec) + "." + std::to_string(st.st_mtim.tv_nsec) + " " +
           std::to_string(S_ISCHR(st.st_mode) ? st.st_rdev : 0);
    if (S_ISREG(st.st_mode)) {
      const auto fd = open_file(path.string(), O_RDONLY | O_CLOEXEC);
      REQUIRE(fd.ok());
      out += " " + *sha256_of_file(fd->get()) + " " + std::to_string(st.st_nlink) + " " +
             links.emplace(st.st_ino, rel).first->second;
    }
    if (S_ISLNK(st.st_mode)) out += " " + fs::read_symlink(path).string();
    char value[64];
    const ssize_t n = lgetxattr(path.c_str(), "user.overlay.opaque", value, sizeof value);
    if (n > 0) out += " opaque=" + std::string(value, static_cast<size_t>(n));
    const ssize_t m = lgetxattr(path.c_str(), "user.own", value, sizeof value);
    if (m > 0) out += " own=" + std::string(value, static_cast<size_t>(m));
    out += "\n";
  }
  return out;
}

void fill(const Scratch& t) {
  put(t.upper("a/text"), "hello\n");
  put(t.upper("a/empty"), "");
  put(t.upper("a/line\nfeed \xFF"), "odd name");
  put(t.upper("exec"), "#!/bin/sh\n");
  REQUIRE(chmod(t.upper("exec").c_str(), 0755) == 0);
  fs::create_symlink("a/text", t.upper("link"));
  fs::create_symlink("/nowhere\n", t.upper("dangling"));
  fs::create_hard_link(t.upper("a/text"), t.upper("hard"));
  fs::create_directories(t.upper("opaque/dir"));
  REQUIRE(setxattr(t.upper("opaque").c_str(), "user.overlay.opaque", "y", 1, 0) == 0);
  REQUIRE(setxattr(t.upper("exec").c_str(), "user.own", "v", 1, 0) == 0);
  put(t.upper("locked/inside"), "x");
  REQUIRE(chmod(t.upper("locked/inside").c_str(), 0444) == 0);
  REQUIRE(chmod(t.upper("locked").c_str(), 0555) == 0);
  const timespec times[2] = {{0, UTIME_OMIT}, {1234567890, 987654321}};
  REQUIRE(utimensat(AT_FDCWD, t.upper("a/text").c_str(), times, 0) == 0);
  REQUIRE(utimensat(AT_FDCWD, t.upper("a").c_str(), times, 0) == 0);
  REQUIRE(utimensat(AT_FDCWD, t.upper("link").c_str(), times, AT_SYMLINK_NOFOLLOW) == 0);
  if (mknod(t.upper("gone").c_str(), S_IFCHR, makedev(0, 0)) != 0)
    MESSAGE("without a whiteout: this user cannot make them");
}

TEST_CASE("a snapshot gives the layer back as it was") {
  const Scratch t;
  fill(t);
  SnapshotCost cost;
  Snapshot s = t.take(nullptr, cost);
  CHECK(s.roots.size() == 1);
  const std::string as_it_was = describe(t.top / "layer/upper");
  s.name = "one";
  const std::string file = (t.top / "manifest").string();
  REQUIRE(write_snapshot(file, s).ok());
  put(t.upper("a/text"), "other");
  fs::remove(t.upper("exec"));
  const auto back = read_snapshot(file);
  REQUIRE(back.ok());
  CHECK(back->name == "one");
  const std::string layer = (t.top / "restored").string();
  const ObjectStore objects = t.objects();
  const auto restored = restore_snapshot(back->roots[0], objects, layer);
  REQUIRE_MESSAGE(restored.ok(), restored.error().message);
  CHECK(describe(layer + "/upper") == as_it_was);
  CHECK(fs::is_directory(layer + "/work"));
  CHECK(restore_snapshot(back->roots[0], objects, layer).error().code == Code::conflict);
}

TEST_CASE("the second snapshot reads only what changed") {
  const Scratch t;
  fill(t);
  SnapshotCost first, second, third;
  const Snapshot a = t.take(nullptr, first);
  CHECK(first.stored == 5);  // a hard link is read once
  const Snapshot b = t.take(&a, second);
  CHECK(second.entries == first.entries);
  CHECK(second.stored == 0);
  put(t.upper("a/empty"), "now it holds something");
  put(t.upper("more"), "y");
  const Snapshot c = t.take(&b, third);
  CHECK(third.stored == 2);
  CHECK(third.entries == first.entries + 1);
  // a sweep that took a content away is noticed
  (void)remove_tree((t.top / "objects").string());
  SnapshotCost again;
  (void)t.take(&c, again);
  CHECK(again.stored == 6);
}

TEST_CASE("what the task made unreadable is in the snapshot, and stays unreadable") {
  const Scratch t;
  put(t.upper("dir/file"), "secret of the task's own");
  REQUIRE(chmod(t.upper("dir/file").c_str(), 0) == 0);
  REQUIRE(chmod(t.upper("dir").c_str(), 0) == 0);
  SnapshotCost cost;
  const Snapshot s = t.take(nullptr, cost);
  CHECK(cost.stored == 1);
  struct stat st {};
  REQUIRE(lstat(t.upper("dir").c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0);
  const std::string layer = (t.top / "restored").string();
  REQUIRE(restore_snapshot(s.roots[0], t.objects(), layer).ok());
  REQUIRE(lstat((layer + "/upper/dir").c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0);
}

TEST_CASE("a restore that fails leaves nothing") {
  const Scratch t;
  fill(t);
  SnapshotCost cost;
  const Snapshot s = t.take(nullptr, cost);
  (void)remove_tree((t.top / "objects").string());
  const std::string layer = (t.top / "restored").string();
  CHECK(restore_snapshot(s.roots[0], t.objects(), layer).error().code == Code::not_found);
  CHECK_FALSE(fs::exists(layer));
}

TEST_CASE("a layer that was never made is an empty snapshot") {
  const Scratch t;
  (void)remove_tree((t.top / "layer").string());
  SnapshotCost cost;
  CHECK(t.take(nullptr, cost).roots[0].entries.empty());
}

}  // namespace
}  // namespace codexos::daemon

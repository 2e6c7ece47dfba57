// SPDX-License-Identifier: Apache-2.0
// A copy that a task works on, and the layer that it becomes: the same as an overlay's would be.
#include "daemon/workspace/copy.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "core/os/file.h"
#include "daemon/workspace/layers.h"

namespace codexos::daemon {
namespace {

struct Folders {
  Folders() {
    char name[] = "/tmp/codexos-copy-XXXXXX";
    path = mkdtemp(name);
    root.path = path + "/real";
    root.copied = true;
    root.layer = new_layer("0");
    (void)make_dirs(root.path, 0755);
  }
  ~Folders() { (void)remove_tree(path); }
  std::string new_layer(const std::string& name) const {
    std::string layer = path + "/layers/" + name;
    (void)make_dirs(layer + "/upper", 0755);
    (void)make_dirs(layer + "/copy", 0755);
    return layer;
  }
  /// Relative: in the real folder.
  void write(const std::string& file, const std::string& text) const {
    const std::string to = file[0] == '/' ? file : root.path + "/" + file;
    unlink(to.c_str());
    const auto fd = open_file(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    REQUIRE(fd.ok());
    REQUIRE(write_all(fd->get(), text).ok());
  }
  void folder(const std::string& name) const {
    REQUIRE(make_dirs(name[0] == '/' ? name : root.path + "/" + name, 0755).ok());
  }
  std::string in_copy(const std::string& name) const { return copy_of(root) + "/" + name; }
  std::string changes() const {
    auto stack = LayerStack::open(root);
    REQUIRE(stack.ok());
    bool more = false;
    WalkOptions o;
    o.all_folders = true;
    const auto deltas = stack->walk(o, more);
    REQUIRE(deltas.ok());
    std::string out;
    for (const auto& d : *deltas) out += d.status + d.path + " ";
    return out;
  }
  void make() const { REQUIRE(make_copy(root, {}).ok()); }
  void settle() const {
    const auto done = settle_copy(root);
    REQUIRE_MESSAGE(done.ok(), (done.ok() ? "" : done.error().message));
  }
  std::string path;
  Root root;
};

bool exists(const std::string& path) {
  struct stat st {};
  return lstat(path.c_str(), &st) == 0;
}
std::string text_of(const std::string& path) {
  const auto text = read_file(path);
  return text.ok() ? *text : "?";
}

TEST_CASE("a copy holds what the folder holds: links, names of one file, holes, modes, times") {
  const Folders f;
  f.write("one", "text");
  f.folder("in");
  REQUIRE(link((f.root.path + "/one").c_str(), (f.root.path + "/in/again").c_str()) == 0);
  REQUIRE(symlink("../one", (f.root.path + "/in/link").c_str()) == 0);
  REQUIRE(mkfifo((f.root.path + "/fifo").c_str(), 0640) == 0);
  f.write("holes", "");
  REQUIRE(truncate((f.root.path + "/holes").c_str(), off_t{8} << 30) == 0);
  REQUIRE(chmod((f.root.path + "/one").c_str(), 0751) == 0);
  const timespec then[2] = {{1000, 1}, {2000, 2}};
  REQUIRE(utimensat(AT_FDCWD, (f.root.path + "/in").c_str(), then, 0) == 0);
  f.make();

  struct stat one {
  }, again{}, st{};
  REQUIRE(stat(f.in_copy("one").c_str(), &one) == 0);
  REQUIRE(stat(f.in_copy("in/again").c_str(), &again) == 0);
  CHECK(one.st_ino == again.st_ino);
  CHECK((one.st_mode & 07777) == 0751);
  CHECK(text_of(f.in_copy("in/link")) == "text");
  REQUIRE(stat(f.in_copy("holes").c_str(), &st) == 0);
  CHECK(st.st_size == off_t{8} << 30);
  CHECK(st.st_blocks < 100);
  REQUIRE(stat(f.in_copy("in").c_str(), &st) == 0);
  CHECK(st.st_mtim.tv_sec == 2000);
  REQUIRE(lstat(f.in_copy("fifo").c_str(), &st) == 0);
  CHECK(S_ISFIFO(st.st_mode));
  f.settle();
  CHECK(f.changes().empty());
  CHECK(!has_copy(f.root));
}

TEST_CASE("what was changed in the copy is the layer's, whatever happens to the real folder") {
  const Folders f;
  for (const char* name : {"changed", "gone", "kept", "swap", "users"}) f.write(name, "before");
  f.folder("dir/in");
  f.write("dir/in/file", "x");
  f.folder("old");
  f.write("old/a", "x");
  f.make();
  const std::string copy = copy_of(f.root);
  f.write(copy + "/new", "x");
  f.write(copy + "/changed", "after!");
  REQUIRE(unlink((copy + "/gone").c_str()) == 0);
  REQUIRE(unlink((copy + "/swap").c_str()) == 0);
  f.folder(copy + "/swap");
  f.write(copy + "/swap/x", "x");
  REQUIRE(rename((copy + "/old").c_str(), (copy + "/dir/moved").c_str()) == 0);
  REQUIRE(unlink((copy + "/dir/in/file").c_str()) == 0);
  f.write("users", "edited meanwhile");
  f.write("users-new", "made meanwhile");
  f.settle();
  CHECK(f.changes() ==
        "Mchanged Ddir/in/file Adir/moved Adir/moved/a Dgone Anew Dold Tswap Aswap/x ");
  CHECK(text_of(f.root.layer + "/upper/changed") == "after!");
  CHECK(!exists(f.root.layer + "/upper/kept"));
  CHECK(!exists(f.root.layer + "/upper/users"));
  CHECK(!exists(copy));
}

TEST_CASE("settling can be interrupted and done again") {
  const Folders f;
  f.write("changed", "before");
  f.write("gone", "x");
  f.make();
  f.write(f.in_copy("changed"), "after!");
  REQUIRE(unlink(f.in_copy("gone").c_str()) == 0);
  // As if it had been killed before its end.
  REQUIRE(link(f.in_copy("changed").c_str(), (f.root.layer + "/upper/changed").c_str()) == 0);
  REQUIRE(mknod((f.root.layer + "/upper/gone").c_str(), S_IFCHR, 0) == 0);
  CHECK(has_copy(f.root));
  f.settle();
  CHECK(f.changes() == "Mchanged Dgone ");
}

TEST_CASE("a copy begins where an earlier task ended") {
  Folders f;
  f.write("a", "1");
  f.write("b", "1");
  f.folder("d");
  f.write("d/x", "1");
  f.make();
  f.write(f.in_copy("a"), "2");
  REQUIRE(unlink(f.in_copy("b").c_str()) == 0);
  REQUIRE(remove_tree(f.in_copy("d")).ok());
  f.settle();
  f.root.lowers = {f.root.layer + "/upper"};
  f.root.layer = f.new_layer("1");
  f.make();
  CHECK(text_of(f.in_copy("a")) == "2");
  CHECK(!exists(f.in_copy("b")));
  CHECK(!exists(f.in_copy("d")));
  f.write(f.in_copy("c"), "3");
  f.settle();
  CHECK(f.changes() == "Ma Db Ac Dd ");
}

TEST_CASE("markers that a task forges are not believed") {
  const Folders f;
  f.write("file", "x");
  f.folder("dir");
  f.write("dir/x", "x");
  f.make();
  f.write(f.in_copy("file"), "");
  REQUIRE(chmod(f.in_copy("file").c_str(), 0444) == 0);
  if (setxattr(f.in_copy("file").c_str(), "user.overlay.whiteout", "y", 1, 0) != 0) return;
  REQUIRE(setxattr(f.in_copy("dir").c_str(), "user.overlay.opaque", "y", 1, 0) == 0);
  f.settle();
  CHECK(f.changes() == "Mfile ");
  struct stat st {};
  REQUIRE(stat((f.root.layer + "/upper/file").c_str(), &st) == 0);
  CHECK((st.st_mode & 07777) == 0444);
}

TEST_CASE("where no whiteout can be made, a marked file says it") {
  const Folders f;
  f.write("file", "x");
  f.write(f.root.layer + "/upper/file", "");
  if (setxattr((f.root.layer + "/upper/file").c_str(), "user.overlay.whiteout", "y", 1, 0) != 0)
    return;
  CHECK(f.changes() == "Dfile ");
}

TEST_CASE("a folder above the limit is refused before anything is copied; a copy can be stopped") {
  const Folders f;
  f.write("big", std::string(100000, 'x'));
  CopyOptions o;
  o.limit_bytes = 50000;
  const auto refused = make_copy(f.root, o);
  REQUIRE(!refused.ok());
  CHECK(refused.error().code == Code::exhausted);
  CHECK(refused.error().hint.find("--mode direct") != std::string::npos);
  CHECK(!exists(f.in_copy("big")));
  const std::atomic<bool> stop{true};
  CopyOptions stopped;
  stopped.stop = &stop;
  CHECK(make_copy(f.root, stopped).error().code == Code::unavailable);
}

}  // namespace
}  // namespace codexos::daemon

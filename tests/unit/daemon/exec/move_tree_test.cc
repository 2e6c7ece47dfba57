// SPDX-License-Identifier: Apache-2.0
// The move of a tree on a plain file system, where rename(2) would do: it must come to the same.
#include "daemon/exec/move_tree.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "core/os/file.h"

namespace codexos::exec {
namespace {

struct Scratch {
  Scratch() {
    char name[] = "/tmp/codexos-move-XXXXXX";
    path = mkdtemp(name);
    dir.reset(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  ~Scratch() { (void)remove_tree(path); }
  void folder(const std::string& name, mode_t mode = 0755) const {
    mkdir((path + "/" + name).c_str(), 0755);
    chmod((path + "/" + name).c_str(), mode);
  }
  void file(const std::string& name, const std::string& text = "x") const {
    const Fd fd(open((path + "/" + name).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    (void)write_all(fd.get(), text);
  }
  struct stat look(const std::string& name) const {
    struct stat st {};
    if (lstat((path + "/" + name).c_str(), &st) < 0) st.st_mode = 0;
    return st;
  }
  bool has(const std::string& name) const { return look(name).st_mode != 0; }
  TreeMove move(const char* from, const char* to, unsigned flags = 0) const {
    TreeMove m;
    m.old_dir = m.new_dir = dir.get();
    m.old_name = from;
    m.new_name = to;
    m.flags = flags;
    return m;
  }
  std::string path;
  Fd dir;
};

TEST_CASE("a tree is moved whole: files, links, names of one file, modes and times") {
  const Scratch s;
  s.folder("a");
  s.folder("a/in");
  s.file("a/one");
  s.file("a/in/two");
  REQUIRE(link((s.path + "/a/one").c_str(), (s.path + "/a/in/again").c_str()) == 0);
  REQUIRE(symlink("one", (s.path + "/a/link").c_str()) == 0);
  REQUIRE(mkfifo((s.path + "/a/fifo").c_str(), 0600) == 0);
  const timespec then[2] = {{1000, 1}, {2000, 2}};
  s.folder("a/closed", 0555);
  REQUIRE(utimensat(s.dir.get(), "a/in", then, 0) == 0);
  const ino_t one = s.look("a/one").st_ino;

  CHECK(move_tree(s.move("a", "b")) == 0);
  CHECK(!s.has("a"));
  CHECK(s.look("b/one").st_ino == one);
  CHECK(s.look("b/in/again").st_ino == one);
  CHECK(s.look("b/one").st_nlink == 2);
  CHECK(S_ISLNK(s.look("b/link").st_mode));
  CHECK(S_ISFIFO(s.look("b/fifo").st_mode));
  CHECK((s.look("b/closed").st_mode & 07777) == 0555);
  CHECK(s.look("b/in").st_mtim.tv_sec == 2000);
  CHECK(s.has("b/in/two"));
}

TEST_CASE("what stands at the target is treated as rename(2) does") {
  const Scratch s;
  for (const char* name : {"a", "empty", "full"}) s.folder(name);
  s.file("a/x");
  s.file("full/x");
  s.file("file");
  CHECK(move_tree(s.move("a", "full")) == ENOTEMPTY);
  CHECK(move_tree(s.move("a", "file")) == ENOTDIR);
  CHECK(move_tree(s.move("a", "empty", RENAME_NOREPLACE)) == EEXIST);
  CHECK(s.has("a/x"));
  CHECK(move_tree(s.move("a", "empty")) == 0);
  CHECK(s.has("empty/x"));
  CHECK(move_tree(s.move("empty", "new", RENAME_NOREPLACE)) == 0);
  CHECK(s.has("new/x"));
}

TEST_CASE("a move that is not wanted any more leaves nothing behind") {
  const Scratch s;
  s.folder("a");
  for (int i = 0; i < 500; ++i) s.file("a/" + std::to_string(i));
  struct Seen {
    int asked = 0;
    std::string making;
    bool told_end = false;
  } seen;
  TreeMove m = s.move("a", "b");
  m.context = &seen;
  m.wanted = [](void* c) { return ++static_cast<Seen*>(c)->asked < 4; };
  m.making = [](void* c, const char* path) {
    auto* const to = static_cast<Seen*>(c);
    if (path != nullptr)
      to->making = path;
    else
      to->told_end = true;
  };
  CHECK(move_tree(m) == ECANCELED);
  CHECK(seen.making.rfind(s.path + "/.codexos-rename-", 0) == 0);
  CHECK(seen.told_end);
  CHECK(access(seen.making.c_str(), F_OK) != 0);
  CHECK(!s.has("b"));
  CHECK(s.has("a/499"));
  CHECK(s.look("a/499").st_nlink == 1);
}

TEST_CASE("what a killed move left can be removed") {
  const Scratch s;
  s.folder("t");
  s.folder("t/in");
  s.file("t/in/x");
  chmod((s.path + "/t/in").c_str(), 0555);
  remove_tree_copy((s.path + "/t").c_str());
  CHECK(!s.has("t"));
}

}  // namespace
}  // namespace codexos::exec

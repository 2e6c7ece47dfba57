// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/diff.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "daemon/workspace/patch.h"
#include "tests/unit/daemon/workspace/layer_tree.h"

namespace codexos::daemon {
namespace {

using Lines = std::vector<std::string>;

/// "A path", "R from > to" and "I path/" lines.
Lines lines(const Tree& t, const DiffOptions& o = {}) {
  const auto diff = make_diff(t.roots(), o);
  REQUIRE(diff.ok());
  bool more = false;
  Lines out;
  for (const auto& c : changes_of(*diff, o, more))
    out.push_back(c.status + " " + (c.from.empty() ? "" : c.from + " > ") + c.path);
  CHECK(!more);
  return out;
}
std::string patch(const Tree& t, const DiffOptions& o = {}) {
  auto diff = make_diff(t.roots(), o);
  REQUIRE(diff.ok());
  PatchStream stream(std::move(*diff), o);
  std::string out;
  for (std::string piece = stream.next(1); !piece.empty(); piece = stream.next(1)) out += piece;
  return out;
}
std::string numbers(int from, int to) {
  std::string out;
  for (int i = from; i <= to; ++i) out += "line " + std::to_string(i) + "\n";
  return out;
}
bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("a patch is what git would write") {
  Tree t;
  put(t.real("src/a.txt"), "one\ntwo\nthree\n");
  put(t.upper("src/a.txt"), "one\n2\nthree\n");
  fs::permissions(t.real("src/a.txt"), fs::perms(0644));
  fs::permissions(t.upper("src/a.txt"), fs::perms(0644));
  CHECK(patch(t) ==
        "diff --git a/src/a.txt b/src/a.txt\n"
        "index 4cb29ea..f04eb26 100644\n"
        "--- a/src/a.txt\n"
        "+++ b/src/a.txt\n"
        "@@ -1,3 +1,3 @@\n"
        " one\n"
        "-two\n"
        "+2\n"
        " three\n");
}

TEST_CASE("new, empty and unfinished files, links, modes and odd names have git's forms") {
  Tree t;
  put(t.upper("empty"), "");
  put(t.upper("no end"), "x");
  put(t.upper("new\nline"), "x\n");
  fs::create_symlink("target", t.upper("link"));
  put(t.real("mode"), "same\n");
  put(t.upper("mode"), "same\n");
  fs::permissions(t.upper("mode"), fs::perms(0755));
  fs::permissions(t.real("mode"), fs::perms(0644));
  const std::string p = patch(t);
  CHECK(has(p, "diff --git a/empty b/empty\nnew file mode 100644\nindex 0000000..e69de29\ndiff"));
  CHECK(has(p, "--- /dev/null\n+++ b/no end\t\n@@ -0,0 +1 @@\n+x\n\\ No newline at end of file\n"));
  CHECK(has(p, "diff --git \"a/new\\nline\" \"b/new\\nline\"\n"));
  CHECK(has(p, "new file mode 120000\n"));
  CHECK(has(p, "+target\n\\ No newline at end of file\n"));
  CHECK(has(p, "diff --git a/mode b/mode\nold mode 100644\nnew mode 100755\ndiff"));
}

TEST_CASE("binary files are git's binary patches") {
  Tree t;
  put(t.real("b"), std::string("a\0b", 3));
  put(t.upper("b"), std::string("a\0c", 3));
  const std::string p = patch(t);
  CHECK(has(p, "GIT binary patch\nliteral 3\n"));
  CHECK(has(p, "index "));
  CHECK(!has(p, "\n--- "));
}

TEST_CASE("another type is gone and new") {
  Tree t;
  put(t.real("f"), "file\n");
  fs::create_symlink("x", t.upper("f"));
  const std::string p = patch(t);
  const size_t gone = p.find("deleted file mode 100644"), made = p.find("new file mode 120000");
  REQUIRE(gone != std::string::npos);
  REQUIRE(made != std::string::npos);
  CHECK(gone < made);
}

TEST_CASE("what git has no form for is told before the patch") {
  Tree t;
  fs::create_directories(t.upper("empty"));
  put(t.real("f"), "x");
  put(t.upper("f"), "x");
  fs::permissions(t.real("f"), fs::perms(0644));
  fs::permissions(t.upper("f"), fs::perms(0600));
  REQUIRE(mkfifo(t.upper("--- a").c_str(), 0600) == 0);
  CHECK(patch(t).starts_with("\"--- a\": new fifo\nempty: new folder\nf: mode 0644 -> 0600\n"));
}

TEST_CASE("renames: the same content, and similar text") {
  Tree t;
  put(t.real("d/exact"), numbers(1, 30));
  put(t.real("d/similar"), numbers(100, 160));
  put(t.real("d/other"), "something else\n");
  put(t.upper("exact-now"), numbers(1, 30));
  put(t.upper("similar-now"), numbers(100, 158) + "changed\n");
  put(t.upper("new"), numbers(900, 950));
  opaque(t.upper("d"));
  CHECK(lines(t) ==
        Lines{"D d/other", "R d/exact > exact-now", "A new", "R d/similar > similar-now"});
  const std::string p = patch(t);
  CHECK(has(p,
            "diff --git a/d/exact b/exact-now\nsimilarity index 100%\nrename from d/exact\n"
            "rename to exact-now\ndiff"));
  CHECK(has(p, "rename from d/similar\nrename to similar-now\nindex "));
}

TEST_CASE("ignored folders and files are told in one line, tracked and named ones are not") {
  Tree t;
  put(t.real(".gitignore"), "node_modules/\n*.o\n");
  put(t.upper("node_modules/a/x.js"), "x");
  put(t.upper("node_modules/b.js"), "x");
  put(t.upper("src/a.o"), "x");
  put(t.upper("src/a.c"), "x");
  CHECK(lines(t) == Lines{"I node_modules/", "A src/a.c", "I src/a.o"});
  CHECK(has(patch(t), "node_modules/ +2 files\nsrc/a.o +1 file\ndiff --git a/src/a.c"));
  DiffOptions o;
  o.all = true;
  CHECK(lines(t, o) ==
        Lines{"A node_modules/a/x.js", "A node_modules/b.js", "A src/a.c", "A src/a.o"});
  o.all = false;
  o.paths = {"node_modules/a"};
  CHECK(lines(t, o) == Lines{"A node_modules/a/x.js"});
  o.paths = {"*.c", "src/a.o"};
  CHECK(lines(t, o) == Lines{"A src/a.c", "A src/a.o"});
}

TEST_CASE("a task cannot hide its work by a .gitignore of its own") {
  Tree t;
  put(t.real("src/a.c"), "x");
  put(t.upper("src/a.c"), "y");
  put(t.upper(".gitignore"), "src\n");
  CHECK(lines(t) == Lines{"A .gitignore", "M src/a.c"});
}

TEST_CASE("git's own files are one line that says what happened to branches") {
  Tree t;
  const std::string old_id(40, 'a'), new_id(40, 'b');
  put(t.real(".git/HEAD"), "ref: refs/heads/main\n");
  put(t.real(".git/packed-refs"),
      "# pack-refs\n" + old_id + " refs/heads/main\n" + old_id + " refs/heads/gone\n");
  put(t.upper(".git/refs/heads/main"), new_id + "\n");
  put(t.upper(".git/refs/heads/topic"), new_id + "\n");
  put(t.upper(".git/HEAD"), "ref: refs/heads/topic\n");
  put(t.upper(".git/config"), "[core]\n");
  put(t.upper("sub/.git/HEAD"), "ref: refs/heads/x\n");
  const auto diff = make_diff(t.roots(), {});
  REQUIRE(diff.ok());
  REQUIRE((*diff)[0].groups.size() == 2);
  CHECK(group_text((*diff)[0].groups[0], (*diff)[0].root) ==
        ".git: main moved to bbbbbbb, new branch topic, now on topic, config new");
  CHECK(group_text((*diff)[0].groups[1], (*diff)[0].root) == "sub/.git: new repository, on x");
  CHECK(lines(t) == Lines{"G .git", "G sub/.git"});
}

TEST_CASE("a branch's name cannot put lines into the patch") {
  Tree t;
  put(t.real(".git/HEAD"), "ref: refs/heads/main\n");
  put(t.upper(".git/refs/heads/x\n--- a"), std::string(40, 'b') + "\n");
  CHECK(patch(t) == ".git: new branch \"x\\n--- a\"\n");
}

TEST_CASE("lines are counted") {
  Tree t;
  put(t.real("m"), "a\nb\nc\n");
  put(t.upper("m"), "a\nc\nd\ne\n");
  put(t.upper("n"), "x\ny");
  put(t.upper("b"), std::string("\0", 1));
  DiffOptions o;
  o.stat = true;
  const auto diff = make_diff(t.roots(), o);
  REQUIRE(diff.ok());
  bool more = false;
  const auto list = changes_of(*diff, o, more);
  REQUIRE(list.size() == 3);
  CHECK(list[0].binary);
  CHECK((*list[1].added == 2 && *list[1].removed == 1));
  CHECK((*list[2].added == 2 && *list[2].removed == 0));
}

TEST_CASE("a name that is not UTF-8 comes with its bytes") {
  Tree t;
  put(t.upper("b\xFF"), "x");
  const auto diff = make_diff(t.roots(), {});
  REQUIRE(diff.ok());
  bool more = false;
  const auto list = changes_of(*diff, {}, more);
  REQUIRE(list.size() == 1);
  CHECK(list[0].path == "b\\xFF");
  CHECK(list[0].raw == "Yv8=");
  CHECK(has(patch(t), "+++ \"b/b\\377\"\n"));
}

}  // namespace
}  // namespace codexos::daemon

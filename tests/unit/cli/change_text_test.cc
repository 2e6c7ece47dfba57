// SPDX-License-Identifier: Apache-2.0
#include "cli/change_text.h"

#include <doctest/doctest.h>

#include "cli/escape.h"
#include "cli/patch_text.h"
#include "cli/tasks.h"

namespace codexos::cli {
namespace {

wire::Change file(std::string status, std::string path, uint64_t added, uint64_t removed) {
  wire::Change c;
  c.status = std::move(status);
  c.path = std::move(path);
  c.root = "/w";
  c.kind = "file";
  c.added = added;
  c.removed = removed;
  return c;
}
ChangeStyle style() {
  ChangeStyle s;
  s.workspace = "/w";
  return s;
}

TEST_CASE("--stat has git's columns") {
  std::vector<wire::Change> list{file("M", "a.c", 3, 1), file("A", "src/long/name.txt", 120, 0),
                                 file("D", "gone", 0, 2), file("M", "mode", 0, 0)};
  wire::Change binary = file("A", "x.png", 0, 0);
  binary.binary = true;
  binary.new_size = 1234;
  list.push_back(binary);
  CHECK(stat_text(list, style()) ==
        " a.c               |   4 +-\n"
        " src/long/name.txt | 120 ++++++++++++++++++++++++++++++++++++++++++++++++++++++\n"
        " gone              |   2 -\n"
        " mode              |   0\n"
        " x.png             | Bin 0 -> 1234 bytes\n"
        " 5 files changed, 123 insertions(+), 3 deletions(-)\n");
}

TEST_CASE("--stat cuts long names at a slash and tells what stands for many first") {
  std::vector<wire::Change> list{
      file("A", std::string(40, 'a') + "/" + std::string(40, 'b') + "/c.txt", 1, 0)};
  wire::Change group;
  group.status = "I";
  group.path = "node_modules/";
  group.collapsed.emplace().added = 2;
  group.note = "node_modules/ +2 files";
  list.push_back(group);
  wire::Change folder = file("A", "empty", 0, 0);
  folder.kind = "folder";
  list.push_back(folder);
  CHECK(stat_text(list, style()) ==
        "node_modules/ +2 files\n"
        "empty: new folder\n"
        " .../" +
            std::string(40, 'b') + "/c.txt" + std::string(23, ' ') +
            "| 1 +\n"
            " 1 file changed, 1 insertion(+)\n");
}

TEST_CASE("a rename is shortened as git does it") {
  CHECK(rename_text("a", "b") == "a => b");
  CHECK(rename_text("d/a", "d/b") == "d/{a => b}");
  CHECK(rename_text("old/f", "new/f") == "{old => new}/f");
  CHECK(rename_text("a/b/c", "a/x/c") == "a/{b => x}/c");
  CHECK(rename_text("a/c", "a/b/c") == "a/{ => b}/c");
  CHECK(rename_text("a/b/c", "a/c") == "a/{b => }/c");
  CHECK(rename_text("a\nb", "c") == "\"a\\nb\" => c");
}

TEST_CASE("--name-status has tabs, quotes, and both names of a rename") {
  wire::Change rename = file("R", "new", 0, 0);
  rename.from = "old";
  rename.similarity = 87;
  wire::Change raw = file("A", "b\\xFF", 0, 0);
  raw.raw = "Yv8=";
  wire::Change other = file("M", "HEAD", 0, 0);
  other.root = "/main/.git";
  CHECK(name_status_text({rename, raw, other, file("D", "t\tab", 0, 0)}, style()) ==
        "R087\told\tnew\nA\t\"b\\377\"\nM\t/main/.git/HEAD\nD\t\"t\\tab\"\n");
}

TEST_CASE("a patch is coloured by where its lines stand, and neutralised") {
  PatchText text(true);
  std::string out;
  const std::string patch =
      "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n c\n--- not a header\n+\x1b[2J\n";
  for (const char c : patch) out += text.feed({&c, 1});
  out += text.finish();
  CHECK(out ==
        "\x1b[1mdiff --git a/x b/x\x1b[m\n\x1b[1m--- a/x\x1b[m\n\x1b[1m+++ b/x\x1b[m\n"
        "\x1b[36m@@ -1,2 +1,2 @@\x1b[m\n c\n\x1b[31m--- not a header\x1b[m\n"
        "\x1b[32m+^[[2J\x1b[m\n");
}

TEST_CASE("a line from others drives no terminal") {
  CHECK(harmless("plain\ttext ä€") == "plain\ttext ä€");
  CHECK(harmless("\x1b]0;t\x07\r") == "^[]0;t^G^M");
  CHECK(harmless("\xc2\x9b"
                 "31m") == "<9b>31m");
  CHECK(harmless("a\xff") == "a<ff>");
  CHECK(harmless("x\xe2\x80\xaey") == "x<U+202E>y");
}

TEST_CASE("paths are taken from the current folder, or from the workspace outside of it") {
  CHECK(workspace_path("f", "/w/sub", "/w") == "sub/f");
  CHECK(workspace_path("../f", "/w/sub", "/w") == "f");
  CHECK(workspace_path("*.c", "/w", "/w") == "*.c");
  CHECK(workspace_path(".", "/w", "/w").empty());
  CHECK(workspace_path("f", "/elsewhere", "/w") == "f");
  CHECK(workspace_path("/w/a/b", "/elsewhere", "/w") == "a/b");
  CHECK(workspace_path("/main/.git/HEAD", "/w", "/w") == "/main/.git/HEAD");
}

}  // namespace
}  // namespace codexos::cli

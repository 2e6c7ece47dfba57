// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/ignore.h"

#include <doctest/doctest.h>

namespace codexos::daemon {
namespace {

using Files = std::map<std::string, std::string>;  // folder -> text of its .gitignore

/// What holds `path`, with "/" at its end for a folder that is asked about.
std::string ignored(const Files& files, std::string path) {
  IgnoreRules rules([&](const std::string& folder) {
    const auto it = files.find(folder);
    return it == files.end() ? std::string() : it->second;
  });
  const bool folder = path.ends_with('/');
  if (folder) path.pop_back();
  return rules.ignored(path, folder);
}

TEST_CASE("a name without a slash is ignored at any depth, with all that is in it") {
  const Files f{{"", "node_modules\n*.o\n"}};
  CHECK(ignored(f, "node_modules/") == "node_modules");
  CHECK(ignored(f, "a/b/node_modules/x/y.js") == "a/b/node_modules");
  CHECK(ignored(f, "src/a.o") == "src/a.o");
  CHECK(ignored(f, "src/a.c").empty());
  CHECK(ignored(f, "src/a.o/") == "src/a.o");
}

TEST_CASE("a slash anchors a rule to its file's folder, one at the end wants a folder") {
  const Files f{{"", "/build\nout/\ndoc/*.html\n"}, {"sub", "/gen\n"}};
  CHECK(ignored(f, "build/x") == "build");
  CHECK(ignored(f, "sub/build/x").empty());
  CHECK(ignored(f, "out").empty());
  CHECK(ignored(f, "a/out/x") == "a/out");
  CHECK(ignored(f, "doc/a.html") == "doc/a.html");
  CHECK(ignored(f, "doc/b/a.html").empty());
  CHECK(ignored(f, "sub/gen/x") == "sub/gen");
  CHECK(ignored(f, "gen/x").empty());
}

TEST_CASE("two stars are any number of folders") {
  const Files f{{"", "**/logs\na/**/z\ntop/**\n"}};
  CHECK(ignored(f, "logs/x") == "logs");
  CHECK(ignored(f, "x/y/logs/z") == "x/y/logs");
  CHECK(ignored(f, "a/z") == "a/z");
  CHECK(ignored(f, "a/b/c/z") == "a/b/c/z");
  CHECK(ignored(f, "b/z").empty());
  CHECK(ignored(f, "top/x") == "top/x");
  CHECK(ignored(f, "top/").empty());
}

TEST_CASE(
    "the last rule that fits decides, a nearer file goes first, a folder cannot be reopened") {
  const Files f{{"", "*.log\n!keep.log\n/dist/\n!dist/keep\n"}, {"sub", "!*.log\nkeep.log\n"}};
  CHECK(ignored(f, "a.log") == "a.log");
  CHECK(ignored(f, "keep.log").empty());
  CHECK(ignored(f, "sub/a.log").empty());
  CHECK(ignored(f, "sub/keep.log") == "sub/keep.log");
  CHECK(ignored(f, "dist/keep") == "dist");
}

TEST_CASE("comments, blanks, escapes and line ends are read as git reads them") {
  const Files f{{"", "# no\r\n\n\\#yes\n\\!bang\nblank \nkept\\ \ncr\r\n!\n/\n[ab].c\n"}};
  CHECK(ignored(f, "# no").empty());
  CHECK(ignored(f, "#yes") == "#yes");
  CHECK(ignored(f, "!bang") == "!bang");
  CHECK(ignored(f, "blank") == "blank");
  CHECK(ignored(f, "kept ") == "kept ");
  CHECK(ignored(f, "cr") == "cr");
  CHECK(ignored(f, "a.c") == "a.c");
  CHECK(ignored(f, "c.c").empty());
}

TEST_CASE("rules that go last are asked last") {
  IgnoreRules rules(
      [](const std::string& folder) { return std::string(folder.empty() ? "!mine\n" : ""); });
  rules.add_last("mine\nyours\n");
  CHECK(rules.ignored("mine", false).empty());
  CHECK(rules.ignored("yours", false) == "yours");
}

TEST_CASE("a pattern of many stars ends") {
  std::string pattern;
  for (int i = 0; i < 60; ++i) pattern += "**/a*a*/";
  const Files f{{"", pattern + "b\n"}};
  std::string path = "a";
  for (int i = 0; i < 500; ++i) path += "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
  CHECK(ignored(f, path).empty());
}

TEST_CASE("a pathspec is a path and what is below it, or a glob") {
  CHECK(match_pathspec("src", "src"));
  CHECK(match_pathspec("src", "src/a"));
  CHECK(match_pathspec("src/", "src/a"));
  CHECK_FALSE(match_pathspec("src", "src2"));
  CHECK_FALSE(match_pathspec("src/a", "src"));
  CHECK(match_pathspec("*.c", "a/b.c"));
  CHECK(match_pathspec("s*c", "src/deep/x"));
  CHECK_FALSE(match_pathspec("*.c", "a/b.h"));
  CHECK(match_pathspec("", "anything"));
  CHECK(match_pathspec("a[b]c", "a[b]c"));
}

}  // namespace
}  // namespace codexos::daemon

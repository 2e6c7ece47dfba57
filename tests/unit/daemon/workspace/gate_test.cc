// SPDX-License-Identifier: Apache-2.0
// The gate against an attacker's table and against what honest work leaves, and against git itself.
#include "daemon/workspace/gate.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "core/os/file.h"
#include "daemon/workspace/gate_config.h"
#include "daemon/workspace/gate_names.h"

namespace codexos::daemon {
namespace {

/// A path's type is said by its text: "dir/" is a folder, "link -> target" a link, else a file;
/// "path = content" gives a file's content.
struct Entry {
  uint32_t mode = S_IFREG | 0644;
  std::string text;
};
using Tree = std::map<std::string, Entry>;

void add(Tree& tree, std::string line) {
  Entry e;
  if (const size_t at = line.find(" = "); at != std::string::npos) {
    e.text = line.substr(at + 3);
    line.resize(at);
  }
  if (const size_t at = line.find(" -> "); at != std::string::npos) {
    e.mode = S_IFLNK | 0777;
    e.text = line.substr(at + 4);
    line.resize(at);
  }
  if (line.back() == '/') {
    e.mode = S_IFDIR | 0755;
    line.pop_back();
  }
  for (size_t slash = line.find('/'); slash != std::string::npos; slash = line.find('/', slash + 1))
    tree.emplace(line.substr(0, slash), Entry{S_IFDIR | 0755, {}});
  tree[line] = e;
}

Tree tree(const std::vector<std::string>& lines) {
  Tree out;
  for (const auto& l : lines) add(out, l);
  return out;
}

class FakeView final : public GateView {
 public:
  FakeView(Tree before, Tree after) : before_(std::move(before)), after_(std::move(after)) {}
  std::optional<uint32_t> mode_before(const std::string& path) const override {
    const auto it = before_.find(path);
    return it == before_.end() ? std::nullopt : std::optional<uint32_t>(it->second.mode);
  }
  Result<std::string> link_before(const std::string& path) const override {
    return before_.at(path).text;
  }
  Result<std::string> read(GateSide side, const std::string& path, size_t) const override {
    const Tree& t = side == GateSide::before ? before_ : after_;
    const auto it = t.find(path);
    if (it == t.end() || !S_ISREG(it->second.mode))
      return Error{Code::not_found, "no file " + path, {}};
    return it->second.text;
  }
  std::vector<Delta> deltas() const {
    std::map<std::string, Delta> all;
    for (const auto& [path, e] : before_) all[path].before = facts(e);
    for (const auto& [path, e] : after_) all[path].after = facts(e);
    std::vector<Delta> out;
    for (auto& [path, d] : all) {
      d.path = path;
      if (!d.before) {
        d.status = 'A';
      } else if (!d.after) {
        d.status = 'D';
      } else if ((d.before->mode & S_IFMT) != (d.after->mode & S_IFMT)) {
        d.status = 'T';
      } else {
        d.mode = d.before->mode != d.after->mode;
        d.content = before_.at(path).text != after_.at(path).text;
        if (!d.mode && !d.content) continue;
      }
      out.push_back(d);
    }
    return out;
  }

 private:
  static Facts facts(const Entry& e) {
    Facts f;
    f.mode = e.mode;
    f.size = e.text.size();
    return f;
  }
  Tree before_, after_;
};

std::vector<Protected> gate(const Tree& before, const Tree& after, const GateOptions& o = {}) {
  const FakeView view(before, after);
  return find_protected(view.deltas(), view, o);
}
bool caught(const Tree& before, const Tree& after, const GateOptions& o = {}) {
  return !gate(before, after, o).empty();
}

const std::vector<std::string> kRepository = {".git/HEAD = ref: refs/heads/main\n",
                                              ".git/config = [core]\n\tbare = false\n",
                                              ".git/objects/pack/",
                                              ".git/refs/heads/main = 1\n",
                                              ".git/info/exclude = # nothing\n",
                                              ".git/hooks/pre-commit.sample = #!/bin/sh\n",
                                              "src/main.c = int main;"};

Tree repository(const std::vector<std::string>& more = {}) {
  Tree t = tree(kRepository);
  for (const auto& l : more) add(t, l);
  return t;
}

TEST_CASE("the gate: an attacker's new files are caught") {
  const std::vector<std::string> table = {
      // by name, in any letter case, at any depth
      ".gitmodules",
      ".GitModules",
      "sub/.gitmodules",
      ".envrc",
      "a/b/c/.ENVRC",
      ".vscode/settings.json",
      ".vscode/tasks.json",
      ".VSCode/settings.json",
      "x.code-workspace",
      ".idea/workspace.xml",
      "module.iml",
      ".claude/settings.json",
      ".claude/agents/x.md",
      "pkg/.claude/settings.local.json",
      ".codex/config.toml",
      ".cursor/mcp.json",
      ".cursorrules",
      ".gemini/settings.json",
      ".mcp.json",
      ".MCP.json",
      ".husky/pre-commit",
      ".husky/_/h",
      ".githooks/post-merge",
      ".pre-commit-config.yaml",
      "lefthook.yml",
      ".codexos.yaml",
      "sub/.codexos.yaml",
      ".CODEXOS.YAML",
      ".github/workflows/ci.yml",
      ".GitHub/Workflows/ci.yml",
      "sub/.github/workflows/x.yaml",
      ".github/actions/a/action.yml",
      ".gitlab-ci.yml",
      ".circleci/config.yml",
      "Jenkinsfile",
      "azure-pipelines.yml",
      ".bashrc",
      ".zshenv",
      ".profile",
      ".config/fish/config.fish",
      ".devcontainer/devcontainer.json",
      ".devcontainer.json",
      ".exrc",
      ".dir-locals.el",
      ".gdbinit",
      ".cargo/config.toml",
      ".npmrc",
      ".yarnrc.yml",
      ".yarn/releases/y.cjs",
      ".hg/hgrc",
      ".jj/repo/config.toml",
      ".gitconfig",
      ".ssh/config",
      "mise.toml",
      ".zed/settings.json",
      ".helix/languages.toml",
      "gradle/wrapper/gradle-wrapper.jar",
      ".mvn/extensions.xml",
      // the same, as another file system reads it
      ".vscode./settings.json",
      ".vscode /settings.json",
      ".vscode. . ./settings.json",
      ".env\xE2\x80\x8Crc",
      "\xEF\xBB\xBF.envrc",
      ".v\xC5\xBF"
      "code/x",
      ".hus\xE2\x84\xAAy/x",
      ".envrc::$DATA",
      ".vscode::$INDEX_ALLOCATION/x",
      "sub\\.vscode\\settings.json",
      "GITMOD~1",
      "gi7eba~1",
      "CLAUDE~1/settings.json",
      "MCP~1.JSO",
      "VSCODE~1/x",
      // a repository that is none by its name
      ".git -> ../elsewhere",
      ".git = gitdir: x",
      "sub/.git = gitdir: /tmp/x",
      "sub/.git -> x",
      ".GIT/config",
      ".Git/hooks/pre-commit",
      "git~1/config",
      "GIT~1/hooks/x",
      ".git./config",
      ".git /config",
      ".git::$INDEX_ALLOCATION/config",
      ".g\xE2\x80\x8Dit/config",
      "sub\\.git\\hooks\\pre-commit",
      ".git\\config",
      ".git \\config",
      // a link where a protected folder is looked for
      ".github -> ../evil",
      ".vscode -> src",
      ".yarn -> x",
      ".config -> x",
  };
  CHECK(table.size() >= 80);
  for (const auto& line : table) {
    CAPTURE(line);
    CHECK(caught(tree({"src/main.c"}), tree({"src/main.c", line})));
  }
}

TEST_CASE("the gate: inside of a git dir all that is not data is caught") {
  const std::vector<std::string> table = {".git/hooks/pre-commit = x",
                                          ".git/hooks/post-checkout",
                                          ".git/hooks/x.sample/pre-commit",
                                          ".git/hooks/pre-commit.sample -> x",
                                          ".git/hooks/pre-commit:x.sample",
                                          ".git/hooks/pre-commit.SAMPLE",
                                          ".git/hooks/.sample",
                                          ".git/HOOKS/pre-commit",
                                          ".git/commondir = ../x",
                                          ".git/Commondir = x",
                                          ".git/config.worktree",
                                          ".git/gitdir",
                                          ".git/info/attributes = * filter=x",
                                          ".git/info/grafts",
                                          ".git/info/sparse-checkout",
                                          ".git/info/exclude = *.c\n",
                                          ".git/modules/x/config",
                                          ".git/worktrees/x/HEAD",
                                          ".git/worktrees/x/gitdir",
                                          ".git/objects/info/alternates = /tmp",
                                          ".git/objects/info/http-alternates",
                                          ".git/branches/x = ext::sh",
                                          ".git/remotes/x",
                                          ".git/rebase-merge/git-rebase-todo = exec x",
                                          ".git/rebase-apply/x",
                                          ".git/sequencer/todo",
                                          ".git/index.lock",
                                          ".git/Config = [core]\n fsmonitor = x\n",
                                          ".git/config\\x",
                                          ".git/HEAD -> refs/heads/x",
                                          ".git/index -> /etc/passwd",
                                          ".git/objects -> /tmp",
                                          ".git/refs -> /tmp",
                                          ".git/unknown",
                                          ".git/objects/zz/x",
                                          ".git/objects/AB/x",
                                          ".git/objects/pack/a/b",
                                          ".git/refs\\..\\config",
                                          ".git/objects/ab/.git/config",
                                          ".git/objects/ab/.git/HEAD",
                                          ".git/logs/x -> /etc/passwd",
                                          ".git/lfs/hooks/x",
                                          ".git/refs/heads/x/.git/config",
                                          ".git/refs/heads/x/.GIT/config",
                                          ".git/refs/heads/.x",
                                          ".git/logs/.x"};
  for (const auto& line : table) {
    CAPTURE(line);
    CHECK(caught(repository(), repository({line})));
    // the same in a repository that came with the task
    std::vector<std::string> clone;
    for (const auto& l : kRepository) clone.push_back("clone/" + l);
    clone.push_back("clone/" + line);
    CHECK(caught({}, tree(clone)));
  }
}

TEST_CASE("the gate: git's settings pass by their keys only") {
  const auto after = [](const std::string& text) {
    return caught(repository(), repository({".git/config = [core]\n\tbare = false\n" + text}));
  };
  const std::vector<std::string> harmless = {
      "",
      "[remote \"origin\"]\n\turl = https://example.com/x.git\n",
      "[remote \"origin\"]\n\turl = git@example.com:x/y.git\n\tfetch = "
      "+refs/heads/*:refs/remotes/origin/*\n",
      "[remote \"a.b \\\" c\"]\n\turl = /srv/x.git\n",
      "[remote \"o\"]\n\turl = ../up\n",
      "[branch \"main\"]\n\tremote = origin\n\tmerge = refs/heads/main\n",
      "[branch \"feature/x.y\"]\n\tremote = .\n\tmerge = refs/heads/main\n",
      "[user]\n\tname = A \"B\" C\n\temail = a@b # home\n",
      "[core]\n\tfilemode = true\n",
      "\tlogallrefupdates = true\n\tignorecase\n",
      "# a comment\n; another\n\n",
      "[remote \"o\"]\n\turl = \"ssh://git@[::1]/x\"\n",
      "[core]\n\tsymlinks = false\r\n"};
  for (const auto& text : harmless) {
    CAPTURE(text);
    CHECK_FALSE(after(text));
  }
  const std::vector<std::string> risky = {
      "\tfsmonitor = ./x\n",
      "\tFsMonitor = ./x\n",
      "[core]\n\thooksPath = x\n",
      "[core]\n\tsshCommand = x\n",
      "[core] pager = x\n",
      "[core]\n\teditor = x\n",
      "[core]\n\tworktree = /\n",
      "[core]\n\tattributesfile = x\n",
      "[include]\n\tpath = x\n",
      "[ include ]\n\tpath = x\n",
      "[INCLUDE]\n\tpath = /dev/tty\n",
      "[includeIf \"gitdir:/\"]\n\tpath = /etc/passwd\n",
      "[include \"x\"]\n\tpath = x\n",
      "[core][include]\npath=x\n",
      "[alias]\n\tst = !x\n",
      "[filter \"x\"]\n\tclean = x\n",
      "[diff]\n\texternal = x\n",
      "[diff \"x\"]\n\ttextconv = x\n",
      "[merge \"x\"]\n\tdriver = x\n",
      "[credential]\n\thelper = !x\n",
      "[gpg]\n\tprogram = x\n",
      "[protocol \"ext\"]\n\tallow = "
      "always\n",
      "[remote \"o\"]\n\tuploadpack = x\n",
      "[remote \"o\"]\n\treceivepack = x\n",
      "[remote \"o\"]\n\tproxy = x\n",
      "[remote \"o\"]\n\tvcs = x\n",
      "[remote \"o\"]\n\tpushurl = "
      "x\n",
      "[remote \"o\"]\n\turl = ext::sh -c x\n",
      "[remote \"o\"]\n\turl = fd::17\n",
      "[remote \"o\"]\n\turl = -upload-pack=x\n",
      "[remote \"o\"]\n\turl = ssh://-oProxyCommand=x/y\n",
      "[remote \"o\"]\n\turl = ssh://a@-oProxyCommand=x/y\n",
      "[remote \"o\"]\n\turl = foo://x\n",
      "[branch \"m\"]\n\tremote = ext::sh\n",
      "[branch \"m\"]\n\tdescription = x\n",
      "[url \"ext::\"]\n\tinsteadOf = https:\n",
      "[extensions]\n\tworktreeConfig = true\n",
      "[http]\n\tproxy = x\n",
      "[safe]\n\tdirectory = *\n",
      "[submodule \"x\"]\n\tupdate = !x\n",
      "[receive]\n\tfsckObjects = x\n",
      "[uploadpack]\n\tpackObjectsHook = x\n",
      "[user]\n\tname = \\\n[core]\n\tfsmonitor = x\n",
      "[user]\n\tname = a\\\n",
      "[user]\n\tname = a # x \\\n\tfsmonitor = y\n",
      "[user]\n\tname = \"a\n\tb\"\n",
      std::string("[user]\n\tname = a\0[core]\n\tfsmonitor = x\n", 40),
      "[user]\rname = x\n",
      "[core \"x\"]\n\tbare = true\n",
      "[core.x]\n\tbare = true\n",
      "[core\n\tbare = true\n",
      "[user]\n\tname = a\vb\n",
      "nonsense\x01\n",
      "[core]\n\tbare = ./x\n",
      "[core]\n\trepositoryformatversion = 7\n"};
  for (const auto& text : risky) {
    CAPTURE(text);
    CHECK(after(text));
  }
}

TEST_CASE("the gate: settings that were there stay out of it, settings that go do not") {
  const std::string base = "[core]\n\tbare = false\n";
  const std::string lfs = "[filter \"lfs\"]\n\tclean = git-lfs\n";
  const auto before = repository({".git/config = " + base + lfs});
  const std::string remote = "[remote \"o\"]\n\turl = https://x/y\n";
  CHECK_FALSE(caught(before, repository({".git/config = " + base + lfs + remote})));
  CHECK(caught(before, repository({".git/config = " + base + remote})));
  const auto gone = gate(before, repository({".git/config = " + base}));
  REQUIRE(gone.size() == 1);
  CHECK(gone[0].path == ".git/config");
  CHECK(gone[0].why.find("filter.lfs.clean") != std::string::npos);
  // the order of several values decides which is obeyed
  const auto two = [&](const char* a, const char* b) {
    return repository(
        {".git/config = [credential]\n\thelper = " + std::string(a) + "\n\thelper = " + b + "\n"});
  };
  CHECK(caught(two("a", "b"), two("b", "a")));
  Tree without = repository();
  without.erase(".git/config");
  CHECK_FALSE(caught(without, repository()));
  CHECK_FALSE(caught(repository(), without));
  CHECK(caught(before, without));
}

TEST_CASE("the gate: a folder that git takes for a repository") {
  const auto bare = [](const std::string& d) {
    return std::vector<std::string>{d + "/HEAD = ref: refs/heads/x", d + "/objects/", d + "/refs/",
                                    d + "/config = [core]\n\tfsmonitor = x\n"};
  };
  CHECK(gate({}, tree(bare("docs"))).size() == 5);  // all of it, and the folder
  CHECK(gate({}, tree(bare("docs")))[0].what == "docs");
  CHECK(caught({}, tree({"d/HEAD", "d/commondir = ../e"})));
  CHECK(caught({}, tree({"d/head", "d/OBJECTS/ab/c", "d/Refs/heads/x"})));
  CHECK(caught({}, tree({"d/HEAD", "d/objects -> /tmp", "d/refs -> /tmp"})));
  CHECK(caught({}, tree({"HEAD", "objects/", "refs/"})));
  // piece by piece: what completes it is caught, whatever it is
  CHECK(caught(tree({"d/HEAD", "d/objects/"}), tree({"d/HEAD", "d/objects/", "d/refs/"})));
  CHECK(caught(tree({"d/objects/", "d/refs/"}), tree({"d/objects/", "d/refs/", "d/HEAD"})));
  CHECK(caught(tree({"d/HEAD", "d/refs/"}), tree({"d/refs/", "d/objects/"})));  // half of it taken
  // the user's own is one git dir more
  const auto fixture = tree({"t.git/HEAD", "t.git/objects/", "t.git/refs/"});
  const auto with = [&](const std::string& line) {
    Tree t = fixture;
    add(t, line);
    return t;
  };
  CHECK_FALSE(caught(fixture, with("t.git/refs/heads/x")));
  CHECK_FALSE(caught(fixture, with("t.git/objects/ab/cd")));
  CHECK(caught(fixture, with("t.git/hooks/update")));
  CHECK(caught(fixture, with("t.git/config = [core]\n\tfsmonitor = x\n")));
  CHECK(caught(fixture, {}));
  // not one
  CHECK_FALSE(caught({}, tree({"d/HEAD", "d/objects/x"})));
  CHECK_FALSE(caught({}, tree({"src/refs/x", "src/objects/y"})));
}

TEST_CASE("the gate: worktrees and submodules that were there") {
  const std::vector<std::string> more = {
      ".git/worktrees/w/HEAD = x",         ".git/worktrees/w/commondir = ../..",
      ".git/worktrees/w/gitdir = /w/.git", ".git/modules/m/HEAD",
      ".git/modules/m/objects/",           ".git/modules/m/refs/"};
  const Tree before = repository(more);
  const auto with = [&](const std::string& line) {
    Tree t = before;
    add(t, line);
    return t;
  };
  CHECK_FALSE(caught(before, with(".git/worktrees/w/HEAD = y")));
  CHECK_FALSE(caught(before, with(".git/worktrees/w/index = y")));
  CHECK_FALSE(caught(before, with(".git/worktrees/w/logs/HEAD = y")));
  CHECK_FALSE(caught(before, with(".git/modules/m/refs/heads/x = y")));
  CHECK(caught(before, with(".git/worktrees/w/commondir = /tmp")));
  CHECK(caught(before, with(".git/worktrees/w/gitdir = /tmp")));
  CHECK(caught(before, with(".git/worktrees/w/config.worktree = x")));
  CHECK(caught(before, with(".git/worktrees/v/HEAD = y")));
  CHECK(caught(before, with(".git/modules/m/hooks/post-checkout = y")));
  CHECK(caught(before, with(".git/modules/n/HEAD = y")));

  GateOptions common;
  common.git_dir = true;
  const Tree root =
      tree({"HEAD", "objects/", "refs/", "worktrees/w/HEAD", "worktrees/w/commondir"});
  const auto in_root = [&](const std::string& line) {
    Tree t = root;
    add(t, line);
    return caught(root, t, common);
  };
  CHECK_FALSE(in_root("refs/heads/x"));
  CHECK_FALSE(in_root("worktrees/w/index"));
  CHECK_FALSE(in_root("objects/ab/cdef"));
  CHECK(in_root("hooks/pre-commit"));
  CHECK(in_root("config = [core]\n\tfsmonitor = x\n"));
  CHECK(in_root("worktrees/v/gitdir"));
}

TEST_CASE("the gate: deletions, modes and types count as well") {
  const Tree before = tree({".github/workflows/ci.yml", ".vscode/x", ".envrc", "a/.git = gitdir: y",
                            "n/p/.vscode/x", "n/p/.github/workflows/y", "r/.git/HEAD"});
  const auto without = [&](const std::string& prefix) {
    Tree t = before;
    for (auto it = t.begin(); it != t.end();)
      it = it->first == prefix || it->first.compare(0, prefix.size() + 1, prefix + "/") == 0
               ? t.erase(it)
               : std::next(it);
    return t;
  };
  for (const char* path :
       {".github/workflows/ci.yml", ".github/workflows", ".github", ".vscode", ".vscode/x",
        ".envrc", "a/.git", "n/p/.vscode", "n/p/.github", "r/.git"}) {
    CAPTURE(path);
    CHECK(caught(before, without(path)));
  }
  // with everything around them: nothing is left that could obey
  CHECK_FALSE(caught(before, without("n")));
  CHECK_FALSE(caught(before, without("n/p")));
  CHECK_FALSE(caught(before, without("r")));
  // a deletion that is told as one folder
  Delta d;
  d.status = 'D';
  d.path = ".github";
  d.before = Facts{};
  d.before->mode = S_IFDIR | 0755;
  CHECK(find_protected({d}, FakeView(before, {}), {}).size() == 1);

  Tree executable = before;
  executable[".envrc"].mode = S_IFREG | 0755;
  CHECK(caught(before, executable));
  Tree hook = repository({".git/hooks/pre-commit = x"});
  Tree on = hook;
  on[".git/hooks/pre-commit"].mode = S_IFREG | 0755;
  CHECK(caught(hook, on));
  Tree file = repository();
  for (auto it = file.begin(); it != file.end();)
    it = it->first.compare(0, 5, ".git/") == 0 ? file.erase(it) : std::next(it);
  file[".git"] = Entry{S_IFREG | 0644, "gitdir: /tmp/x"};
  const auto all = gate(repository(), file);
  CHECK(all.size() >= 5);  // nothing of the old one goes alone
}

TEST_CASE("the gate: what a protected name leads to is protected as well") {
  const Tree before =
      tree({".husky -> tools/husky", "tools/husky/x", ".vscode -> ./cfg/../code",
            "code/settings.json", ".git/HEAD", ".git/objects/", ".git/refs/",
            ".git/config = [core]\n\thooksPath = scripts/hooks\n", "scripts/hooks/x"});
  const auto with = [&](const std::string& line) {
    Tree t = before;
    add(t, line);
    return t;
  };
  CHECK(caught(before, with("tools/husky/pre-commit")));
  CHECK(caught(before, with("code/settings.json = x")));
  CHECK(caught(before, with("scripts/hooks/post-merge")));
  CHECK_FALSE(caught(before, with("scripts/build")));
  CHECK_FALSE(caught(before, with("tools/x")));
}

TEST_CASE("the gate: honest work passes") {
  const std::vector<std::string> table = {"README.md",
                                          "src/git.c",
                                          ".gitignore",
                                          ".gitattributes",
                                          "github/workflows/x",
                                          ".github/CODEOWNERS",
                                          ".github/ISSUE_TEMPLATE/bug.md",
                                          "docs/.github.md",
                                          "vscode/x",
                                          "node_modules/a/index.js",
                                          "git",
                                          "git~",
                                          "x~1",
                                          "file~1.txt",
                                          "backup~",
                                          ".gitx",
                                          "a.git",
                                          "dir.git/file",
                                          "src/HEAD",
                                          "refs/x",
                                          "objects/y",
                                          "HEAD",
                                          "envrc",
                                          "claude/x",
                                          "AGENTS.md",
                                          "CLAUDE.md",
                                          "Makefile",
                                          "package.json",
                                          ".env",
                                          ".editorconfig",
                                          "config",
                                          "hooks/pre-commit",
                                          ".config/app.json",
                                          "yarn/releases/x",
                                          ".yarn/cache/x",
                                          ".cargo/registry/x",
                                          "e\xCC\x81.txt",
                                          "\xFF\xFE",
                                          "-rf",
                                          "a\nb",
                                          "a b",
                                          "trailing.",
                                          "src/.hidden",
                                          ".github.bak/workflows/x",
                                          "workflows/ci.yml",
                                          ".dir/workflows/ci.yml",
                                          "xJenkinsfile",
                                          "iml"};
  for (const auto& line : table) {
    CAPTURE(line);
    CHECK_FALSE(caught(tree({"src/main.c"}), tree({"src/main.c", line})));
  }
  const std::vector<std::string> inside = {".git/objects/ab/cdef",
                                           ".git/objects/pack/pack-1.pack",
                                           ".git/objects/info/commit-graph",
                                           ".git/objects/info/packs",
                                           ".git/info/refs",
                                           ".git/refs/heads/feature/x",
                                           ".git/packed-refs",
                                           ".git/refs/remotes/origin/HEAD",
                                           ".git/refs/stash",
                                           ".git/logs/HEAD",
                                           ".git/logs/refs/heads/x",
                                           ".git/index",
                                           ".git/ORIG_HEAD",
                                           ".git/COMMIT_EDITMSG",
                                           ".git/FETCH_HEAD",
                                           ".git/MERGE_HEAD",
                                           ".git/HEAD = ref: refs/heads/x",
                                           ".git/refs/heads/Jenkinsfile",
                                           ".git/shallow",
                                           ".git/hooks/update.sample",
                                           ".git/lfs/objects/ab/cd/x",
                                           ".git/branches/"};
  for (const auto& line : inside) {
    CAPTURE(line);
    CHECK_FALSE(caught(repository(), repository({line})));
  }
}

TEST_CASE("the gate: the policy adds names") {
  GateOptions o;
  o.names = {"deploy/prod", "SECRETS.txt"};
  CHECK(caught({}, tree({"x/deploy/prod/values.yaml"}), o));
  CHECK(caught({}, tree({"secrets.TXT"}), o));
  CHECK_FALSE(caught({}, tree({"deploy/test/values.yaml"}), o));
}

TEST_CASE("the gate: what git itself writes does not ask") {
  namespace fs = std::filesystem;
  char name[] = "/tmp/codexos-gate-XXXXXX";
  const fs::path top = mkdtemp(name);
  const auto shell = [&](const std::string& script) {
    return std::system(("cd " + top.string() + " && export HOME=" + top.string() +
                        " GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b "
                        "GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b && ( " +
                        script + " ) >out 2>&1")
                           .c_str()) == 0;
  };
  const bool made = shell(R"(
    git --version && git init -q -b main origin && cd origin && echo a >f && git add f &&
    git commit -qm one && git tag v1 && cd .. && mkdir real layer && git clone -q origin real/old &&
    mkdir layer/upper && cp -a real/old layer/upper/old && cd layer/upper &&
    git init -q new && git clone -q ../../origin clone && git clone -q --depth 1 \
      "file://$PWD/../../origin" shallow &&
    git -C new remote add up https://example.com/x.git && cd old && git checkout -qb work &&
    echo b >>f && git commit -qam two && git branch -q -u origin/main work &&
    git checkout -q main && git merge -q --no-ff -m m work && echo c >>f &&
    git stash -q && git stash pop -q && git checkout -q f && echo c >g && git add g && git commit -qm three && git rebase -q --onto v1 HEAD~1 &&
    git gc -q && git pack-refs --all && git branch -q -D work && git config user.name x)");
  if (!made) {
    MESSAGE("skipped: git does not do it here: " << *read_file((top / "out").string()));
  } else {
    struct stat st {};
    REQUIRE(stat((top / "real").c_str(), &st) == 0);
    Root root;
    root.path = (top / "real").string();
    root.dev = st.st_dev;
    root.ino = st.st_ino;
    root.layer = (top / "layer").string();
    const auto layers = LayerStack::open(root);
    REQUIRE(layers.ok());
    WalkOptions o;
    o.all_folders = true;
    o.expand_deleted_folders = true;
    const auto look = [&] {
      bool more = false;
      const auto deltas = layers->walk(o, more);
      REQUIRE(deltas.ok());
      return find_protected(*deltas, *layers, {});
    };
    for (const auto& p : look()) CHECK_MESSAGE(false, p.path << ": " << p.why);
    REQUIRE(
        shell("cd layer/upper/clone && git config core.fsmonitor ./x && git clone -q --bare . "
              "../docs && git worktree add -q ../wt && echo x >.git/hooks/pre-push"));
    std::set<std::string> whats;
    for (const auto& p : look()) whats.insert(p.what);
    std::string all;
    for (const auto& w : whats) all += w + "\n";
    CHECK(
        all ==
        "clone/.git/config\nclone/.git/hooks\nclone/.git/worktrees\nclone/.git/worktrees/wt\ndocs\n"
        "wt/.git\n");
  }
  (void)remove_tree(top.string());
}

}  // namespace
}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/os/file.h"
#include "core/os/host.h"
#include "daemon/workspace/workspace.h"

namespace codexos::daemon {
namespace {

namespace fs = std::filesystem;

/// A home with a state folder, in a real temporary folder.
class Home {
 public:
  Home() {
    char name[] = "/tmp/codexos-find-XXXXXX";
    top_ = mkdtemp(name);
    fs::create_directories(top_ / "home/.local/state/codexos/tenants");
  }
  ~Home() { (void)remove_tree(top_.string()); }
  std::string path(const std::string& p) const { return (top_ / p).string(); }
  std::string dir(const std::string& p) const {
    fs::create_directories(top_ / p);
    return path(p);
  }
  void file(const std::string& p, const std::string& text) const {
    fs::create_directories((top_ / p).parent_path());
    std::ofstream(top_ / p) << text;
  }
  void repository(const std::string& git) const {
    dir(git + "/objects");
    dir(git + "/refs");
    file(git + "/HEAD", "ref: refs/heads/main\n");
  }
  WorkspaceRequest request(const std::string& cwd) const {
    WorkspaceRequest r;
    r.caller.home = path("home");
    r.cwd = path(cwd);
    r.state_home = path("home/.local/state/codexos");
    return r;
  }
  Result<Workspace> find(const std::string& cwd, const std::string& w = "") const {
    auto r = request(cwd);
    if (!w.empty()) r.workspace = path(w);
    return find_workspace(r, real_host());
  }

 private:
  fs::path top_;
};

TEST_CASE("the workspace is the git work tree that holds the current directory") {
  Home h;
  h.repository("home/p/.git");
  h.dir("home/p/src/deep");
  const auto w = h.find("home/p/src/deep");
  REQUIRE(w.ok());
  CHECK(w->roots.size() == 1);
  CHECK(w->roots[0].path == h.path("home/p"));
  CHECK(w->roots[0].ino != 0);
  CHECK(w->roots[0].owner_uid == getuid());
  CHECK(w->cwd == h.path("home/p/src/deep"));
}

TEST_CASE("-w narrows it, and the task starts there when the current directory is elsewhere") {
  Home h;
  h.repository("home/p/.git");
  h.dir("home/p/src/deep");
  const auto w = h.find("home/p/src/deep", "home/p/src");
  REQUIRE(w.ok());
  CHECK(w->roots[0].path == h.path("home/p/src"));
  CHECK(w->cwd == h.path("home/p/src/deep"));
  h.dir("home/q");
  CHECK(h.find("home/p", "home/q")->cwd == h.path("home/q"));
}

TEST_CASE("a folder called .git that is no git dir is passed over") {
  Home h;
  h.dir("home/p/sub/.git");
  h.repository("home/p/.git");
  CHECK(h.find("home/p/sub")->roots[0].path == h.path("home/p"));
}

TEST_CASE("a dotfiles repository in the home falls back to the current directory") {
  Home h;
  h.repository("home/.git");
  h.dir("home/p/q");
  CHECK(h.find("home/p/q")->roots[0].path == h.path("home/p/q"));
}

TEST_CASE("refused folders are refused with the reason") {
  Home h;
  h.dir("home/.ssh/deep");
  h.dir("home/.config/gh");
  h.dir("home/p");
  struct Row {
    const char* path;
    const char* reason;
  };
  for (const Row row :
       {Row{"home", "home folder"}, Row{"", "holds your home"},
        Row{"home/.local/state/codexos", "state folder"},
        Row{"home/.local/state/codexos/tenants", "lies in the state folder"},
        Row{"home/.local", "holds the state folder"}, Row{"home/.ssh/deep", "never shown"},
        Row{"home/.config/gh", "never shown"}, Row{"home/.config", "holds"}})
    for (const bool named : {false, true}) {
      CAPTURE(row.path);
      const auto w =
          named ? h.find("home/p", *row.path != '\0' ? row.path : ".") : h.find(row.path);
      REQUIRE(!w.ok());
      CHECK(w.error().code == Code::denied);
      CHECK(w.error().message.find(row.reason) != std::string::npos);
    }
  for (const char* path :
       {"/", "/proc", "/proc/self", "/sys/class", "/dev", "/etc", "/usr", "/home"}) {
    auto r = h.request("home/p");
    r.workspace = path;
    const auto w = find_workspace(r, real_host());
    REQUIRE(!w.ok());
    CHECK(w.error().code == Code::denied);
  }
}

TEST_CASE("HOME set elsewhere does not lay the real home open") {
  Home h;
  h.dir("home/.ssh");
  auto r = h.request("home");
  r.caller.passwd_home = r.caller.home;
  r.caller.home = h.dir("other");
  CHECK(!find_workspace(r, real_host()).ok());
  r.cwd = h.path("home/.ssh");
  CHECK(!find_workspace(r, real_host()).ok());
}

TEST_CASE("a link does not lead around a refusal, and the workspace is its realpath") {
  Home h;
  h.dir("home/.aws");
  h.dir("home/p");
  fs::create_symlink(h.path("home/.aws"), h.path("home/innocent"));
  fs::create_symlink(h.path("home/p"), h.path("home/link"));
  CHECK(!h.find("home/innocent").ok());
  CHECK(h.find("home/link")->roots[0].path == h.path("home/p"));
}

TEST_CASE("what does not exist is said") {
  Home h;
  h.dir("home/p");
  h.file("home/f", "x");
  CHECK(h.find("home/gone").error().code == Code::invalid);
  CHECK(h.find("home/p", "home/gone").error().code == Code::invalid);
  CHECK(h.find("home/p", "home/f").error().message.find("not a folder") != std::string::npos);
}

TEST_CASE("mode none has no workspace") {
  Home h;
  auto r = h.request("home/gone");
  r.mode = wire::WorkspaceMode::none;
  const auto w = find_workspace(r, real_host());
  REQUIRE(w.ok());
  CHECK(w->roots.empty());
  CHECK(w->cwd == h.path("home"));
}

void make_worktree(const Home& h) {
  h.repository("home/main/.git");
  h.file("home/wt/.git", "gitdir: " + h.path("home/main/.git/worktrees/wt") + "\n");
  h.file("home/main/.git/worktrees/wt/HEAD", "ref: refs/heads/x\n");
  h.file("home/main/.git/worktrees/wt/commondir", "../..\n");
  h.file("home/main/.git/worktrees/wt/gitdir", h.path("home/wt/.git") + "\n");
}

TEST_CASE("a worktree brings the repository it belongs to") {
  Home h;
  make_worktree(h);
  h.dir("home/wt/src");
  const auto w = h.find("home/wt/src");
  REQUIRE(w.ok());
  REQUIRE(w->roots.size() == 2);
  CHECK(w->roots[0].path == h.path("home/wt"));
  CHECK(w->roots[0].role == MountRole::workspace);
  CHECK(w->roots[1].path == h.path("home/main/.git"));
  CHECK(w->roots[1].role == MountRole::gitdir);
}

TEST_CASE("a worktree's pointer back may be relative") {
  Home h;
  make_worktree(h);
  h.file("home/wt/.git", "gitdir: ../main/.git/worktrees/wt\n");
  h.file("home/main/.git/worktrees/wt/gitdir", "../../../../wt/.git\n");
  CHECK(h.find("home/wt")->roots.size() == 2);
}

TEST_CASE("a .git file that names somebody else's repository brings nothing") {
  Home h;
  make_worktree(h);
  h.file("home/evil/.git", "gitdir: " + h.path("home/main/.git/worktrees/wt") + "\n");
  CHECK(h.find("home/evil")->roots.size() == 1);
  h.file("home/evil/.git", "gitdir: " + h.path("home/main/.git") + "\n");
  CHECK(h.find("home/evil")->roots.size() == 1);
  h.dir("home/.ssh/objects");
  h.dir("home/.ssh/refs");
  h.file("home/.ssh/HEAD", "");
  h.file("home/.ssh/config", "[core]\n\tworktree = " + h.path("home/evil") + "\n");
  h.file("home/evil/.git", "gitdir: " + h.path("home/.ssh") + "\n");
  CHECK(h.find("home/evil")->roots.size() == 1);
}

TEST_CASE("a commondir that does not list the worktree brings nothing") {
  Home h;
  make_worktree(h);
  h.repository("home/other");
  h.file("home/main/.git/worktrees/wt/commondir", h.path("home/other") + "\n");
  CHECK(h.find("home/wt")->roots.size() == 1);
}

TEST_CASE("a submodule brings its git dir from the repository above") {
  Home h;
  h.repository("home/super/.git");
  h.repository("home/super/.git/modules/m");
  h.file("home/super/.git/modules/m/config", "[core]\n\tbare = false\n\tworktree = ../../../m\n");
  h.file("home/super/m/.git", "gitdir: ../.git/modules/m\n");
  const auto w = h.find("home/super/m");
  REQUIRE(w.ok());
  REQUIRE(w->roots.size() == 2);
  CHECK(w->roots[1].path == h.path("home/super/.git/modules/m"));
}

TEST_CASE("a worktree inside its repository's folder is not covered by it") {
  Home h;
  h.repository("home/p/.git");
  h.file("home/p/.git/wt/.git", "gitdir: " + h.path("home/p/.git/worktrees/wt") + "\n");
  h.file("home/p/.git/worktrees/wt/HEAD", "x");
  h.file("home/p/.git/worktrees/wt/commondir", "../..\n");
  h.file("home/p/.git/worktrees/wt/gitdir", h.path("home/p/.git/wt/.git") + "\n");
  const auto w = h.find("home/p/.git/wt");
  REQUIRE(w.ok());
  CHECK(w->roots.size() == 1);
}

TEST_CASE("mount points below a folder are found, with escaped names, not the folder itself") {
  const std::string info =
      "21 1 8:1 / / rw - ext4 /dev/sda rw\n"
      "22 21 0:5 / /home/p rw - tmpfs t rw\n"
      "23 22 0:6 / /home/p/node_modules rw shared:1 - tmpfs t rw\n"
      "24 22 0:7 / /home/p/with\\040blank rw - tmpfs t rw\n"
      "25 21 0:8 / /home/pq/x rw - tmpfs t rw\n";
  CHECK(mounts_below(info, "/home/p") ==
        std::vector<std::string>{"/home/p/node_modules", "/home/p/with blank"});
  CHECK(mounts_below(info, "/home/p/node_modules").empty());
  CHECK(mounts_below("", "/").empty());
}

}  // namespace
}  // namespace codexos::daemon

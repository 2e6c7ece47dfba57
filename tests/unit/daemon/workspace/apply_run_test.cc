// SPDX-License-Identifier: Apache-2.0
// apply_run against a real folder: what a walk over layers made by hand says is applied, taken
// back, undone, with a user who writes in between.
#include "daemon/workspace/apply_run.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "daemon/workspace/apply_prepare.h"
#include "tests/unit/daemon/workspace/layer_tree.h"

namespace codexos::daemon {
namespace {

std::string text(const fs::path& p) {
  std::ifstream in(p);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Images in memory; the digest is the content itself.
class Memory : public Images {
 public:
  Result<std::string> keep(int fd) override {
    auto d = digest(fd);
    if (d.ok()) kept_.insert(*d);
    return d;
  }
  Result<std::string> digest(int fd) override {
    char buffer[4096];
    const ssize_t n = pread(fd, buffer, sizeof buffer, 0);
    if (n < 0) return errno_error("read", errno);
    return "c:" + std::string(buffer, static_cast<size_t>(n));
  }
  std::string digest_of(const std::string& bytes) override { return "c:" + bytes; }
  Result<Fd> open(const std::string& digest) override {
    if (kept_.count(digest) == 0) return Error{Code::not_found, "no image", {}};
    Fd fd(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    CODEXOS_TRY(write_all(fd.get(), std::string_view(digest).substr(2)));
    return fd;
  }

 private:
  std::set<std::string> kept_;
};

struct Applied {
  std::vector<Op> ops;
  wire::ApplyResult result;
  Status status;
  std::vector<std::string> left;
};

/// The task began long after everything in the tree was written.
ApplyRequest request_of(const Tree& t, wire::ApplyBody body = {}) {
  ApplyRequest r;
  r.task = "t";
  r.roots = t.roots();
  r.body = body;
  r.tasks[""].times.started_us = int64_t{4'000'000'000} * 1'000'000;
  return r;
}

using Meanwhile = std::function<void()>;
Applied run(Prepared& p, const Tree& t, Images& images, const Meanwhile& meanwhile = nullptr) {
  Applied out;
  auto opened = ApplyRun::open("x", t.roots(), images);
  REQUIRE(opened.ok());
  ApplyRun& r = *opened;
  out.status = r.stage(p.ops, open_contents(p, images));
  if (out.status.ok()) {
    if (meanwhile) meanwhile();
    out.status = r.swap(p.ops);
  }
  out.left = r.left();
  if (!r.holds_old(p.ops) || out.status.ok()) r.clean();
  out.ops = p.ops;
  out.result = p.result;
  return out;
}
Applied apply(const Tree& t, Images& images, const Meanwhile& meanwhile = nullptr,
              wire::ApplyBody body = {}) {
  auto p = prepare_apply(request_of(t, body), images);
  REQUIRE(p.ok());
  return run(*p, t, images, meanwhile);
}
Applied undo(const Tree& t, Images& images, const std::vector<Op>& ops) {
  UndoRequest u;
  u.task = "t";
  u.roots = t.roots();
  u.ops = ops;
  auto p = prepare_undo(u, images);
  REQUIRE(p.ok());
  return run(*p, t, images);
}

TEST_CASE("apply: new, changed, other type, folders; undo brings everything back") {
  Tree t;
  Memory images;
  put(t.real("changed"), "old");
  put(t.real("type/inner"), "i");
  put(t.real("file"), "f");
  REQUIRE(chmod(t.real("changed").c_str(), 0640) == 0);
  put(t.upper("changed"), "new");
  put(t.upper("added/deep/n"), "n");
  fs::create_directories(t.upper("empty"));
  put(t.upper("type"), "now a file");
  put(t.upper("file/inside"), "now a folder");
  fs::create_symlink("changed", t.upper("link"));
  REQUIRE(chmod(t.upper("changed").c_str(), 04755) == 0);
  const auto a = apply(t, images);
  REQUIRE_MESSAGE(a.status.ok(), (a.status.ok() ? "" : a.status.error().message));
  CHECK(text(t.real("changed")) == "new");
  struct stat st {};
  REQUIRE(stat(t.real("changed").c_str(), &st) == 0);
  CHECK((st.st_mode & 07777) == 0755);
  CHECK(text(t.real("added/deep/n")) == "n");
  CHECK(fs::is_directory(t.real("empty")));
  CHECK(text(t.real("type")) == "now a file");
  CHECK(text(t.real("file/inside")) == "now a folder");
  CHECK(fs::read_symlink(t.real("link")) == "changed");
  CHECK(!fs::exists(t.real(".codexos-x")));
  CHECK(t.changes() == std::vector<std::string>{"M changed"});  // its set-id bit alone

  const auto u = undo(t, images, a.ops);
  REQUIRE(u.status.ok());
  CHECK(text(t.real("changed")) == "old");
  REQUIRE(stat(t.real("changed").c_str(), &st) == 0);
  CHECK((st.st_mode & 07777) == 0640);
  CHECK(text(t.real("type/inner")) == "i");
  CHECK(text(t.real("file")) == "f");
  for (const char* gone : {"added", "empty", "link"})
    CHECK(!fs::exists(fs::symlink_status(t.real(gone))));

  const auto again = undo(t, images, u.ops);
  REQUIRE(again.status.ok());
  CHECK(text(t.real("changed")) == "new");
  CHECK(text(t.real("file/inside")) == "now a folder");
}

TEST_CASE("a deletion is applied and undone") {
  Tree t;
  Memory images;
  put(t.real("d/a"), "a");
  put(t.real("d/e/b"), "b");
  fs::create_symlink("a", t.real("d/l"));
  REQUIRE(chmod(t.real("d/e").c_str(), 0700) == 0);
  if (!whiteout(t.upper("d"))) return;
  const auto a = apply(t, images);
  REQUIRE(a.status.ok());
  CHECK(!fs::exists(t.real("d")));
  REQUIRE(undo(t, images, a.ops).status.ok());
  CHECK(text(t.real("d/e/b")) == "b");
  CHECK(fs::read_symlink(t.real("d/l")) == "a");
  struct stat st {};
  REQUIRE(stat(t.real("d/e").c_str(), &st) == 0);
  CHECK((st.st_mode & 07777) == 0700);
}

TEST_CASE("what the user does meanwhile takes everything back and is kept") {
  struct Case {
    const char* what;
    std::function<void(const Tree&, Fd& held)> meanwhile;
    const char* path;
    const char* wanted;
  };
  const Case cases[] = {
      {"written", [](const Tree& t, Fd&) { put(t.real("z"), "mine"); }, "z", "mine"},
      {"written with equal size", [](const Tree& t, Fd&) { put(t.real("z"), "new"); }, "z", "new"},
      {"replaced",
       [](const Tree& t, Fd&) {
         put(t.real("z.tmp"), "mine");
         fs::rename(t.real("z.tmp"), t.real("z"));
       },
       "z", "mine"},
      {"made where the task made one", [](const Tree& t, Fd&) { put(t.real("added"), "mine"); },
       "added", "mine"},
      {"open for writing",
       [](const Tree& t, Fd& held) { held.reset(open(t.real("z").c_str(), O_WRONLY | O_CLOEXEC)); },
       "z", "old"},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    Tree t;
    Memory images;
    put(t.real("a"), "old");
    put(t.real("z"), "old");
    put(t.upper("a"), "task");
    put(t.upper("added"), "task");
    put(t.upper("folder/f"), "task");
    put(t.upper("z"), "task");
    Fd held;
    const auto a = apply(t, images, [&] { c.meanwhile(t, held); });
    REQUIRE(!a.status.ok());
    CHECK(a.status.error().code == Code::conflict);
    CHECK(text(t.real("a")) == "old");
    CHECK(text(t.real(c.path)) == c.wanted);
    CHECK(!fs::exists(t.real("folder")));
    CHECK(a.left.empty());
    CHECK(!fs::exists(t.real(".codexos-x")));
  }
}

TEST_CASE("a swap that was cut anywhere is finished by the next") {
  for (int n = 0; n < 24; ++n) {
    const int cut = n / 2;
    const bool user_writes = n % 2 == 1;
    Tree t;
    Memory images;
    put(t.real("a"), "old a");
    put(t.real("b/c"), "old c");
    put(t.real("gone"), "old gone");
    put(t.upper("a"), "new a");
    put(t.upper("b"), "now a file");
    put(t.upper("n/o"), "new o");
    auto p = prepare_apply(request_of(t), images);
    REQUIRE(p.ok());
    auto first = ApplyRun::open("x", t.roots(), images);
    REQUIRE(first.ok());
    REQUIRE(first->stage(p->ops, open_contents(*p, images)).ok());
    // What a crash after `cut` steps leaves: the rest of the operations is not known to it.
    auto some = order_steps(p->ops, {MountRole::workspace});
    for (size_t i = 0; i < some.size() && i < static_cast<size_t>(cut); ++i) {
      // By hand, as the step does it.
      const Op& op = p->ops[some[i].op];
      const std::string own = t.real(".codexos-x/" + std::to_string(some[i].op)).string();
      const std::string at = t.real(op.path).string();
      if (some[i].act == Act::take_out) fs::rename(at, own);
      if (some[i].act == Act::remove_folder) fs::remove(at);
      if (some[i].act == Act::make_folder) REQUIRE(mkdir(at.c_str(), 0700) == 0);
      if (some[i].act == Act::put && op.pre.is_content())
        REQUIRE(renameat2(AT_FDCWD, own.c_str(), AT_FDCWD, at.c_str(), RENAME_EXCHANGE) == 0);
      if (some[i].act == Act::put && !op.pre.is_content()) fs::rename(own, at);
    }
    auto next = ApplyRun::open("x", t.roots(), images);
    REQUIRE(next.ok());
    if (user_writes) put(t.real("n/o"), "mine");
    const auto swapped = next->swap(p->ops);
    if (!user_writes) {
      REQUIRE(swapped.ok());
      next->clean();
      CHECK(!fs::exists(t.real(".codexos-x")));
    }
    CHECK(text(t.real("n/o")) == (user_writes ? "mine" : "new o"));
    if (swapped.ok()) {  // also where the user wrote to what was put already
      CHECK(text(t.real("a")) == "new a");
      CHECK(text(t.real("b")) == "now a file");
    } else {
      CHECK(text(t.real("a")) == "old a");
      CHECK(text(t.real("b/c")) == "old c");
    }
  }
}

TEST_CASE("undo leaves what was changed since, and takes nothing of the user's with a folder") {
  Tree t;
  Memory images;
  put(t.real("f"), "old");
  put(t.upper("f"), "task");
  put(t.upper("d/g"), "task");
  const auto a = apply(t, images);
  REQUIRE(a.status.ok());
  put(t.real("d/mine"), "mine");
  put(t.real("f"), "mine");
  UndoRequest u{"t", t.roots(), a.ops, {}, {}};
  auto p = prepare_undo(u, images);
  REQUIRE(p.ok());
  CHECK(p->result.outcome == wire::ApplyOutcome::conflict);
  CHECK(p->result.conflicts.size() == 1);
  u.body.on_conflict = wire::OnConflict::ours;
  p = prepare_undo(u, images);
  REQUIRE(p.ok());
  REQUIRE(run(*p, t, images).status.ok());
  CHECK(text(t.real("f")) == "mine");
  CHECK(text(t.real("d/mine")) == "mine");
  CHECK(!fs::exists(t.real("d/g")));
}

TEST_CASE("names of one file stay names of one file, attributes come along") {
  Tree t;
  Memory images;
  put(t.upper("one"), "x");
  fs::create_hard_link(t.upper("one"), t.upper("two"));
  REQUIRE(setxattr(t.upper("one").c_str(), "user.color", "blue", 4, 0) == 0);
  const auto a = apply(t, images);
  REQUIRE(a.status.ok());
  struct stat one {
  }, two{};
  REQUIRE(stat(t.real("one").c_str(), &one) == 0);
  REQUIRE(stat(t.real("two").c_str(), &two) == 0);
  CHECK(one.st_ino == two.st_ino);
  char value[8] = {};
  CHECK(getxattr(t.real("two").c_str(), "user.color", value, sizeof value) == 4);
  CHECK(std::string(value) == "blue");
}

TEST_CASE("a link instead of a folder above is not followed") {
  Tree t;
  Memory images;
  put(t.real("d/keep"), "x");
  put(t.real("elsewhere/keep"), "x");
  put(t.upper("d/f"), "task");
  const auto a = apply(t, images, [&] {
    fs::rename(t.real("d"), t.real("moved"));
    fs::create_symlink("elsewhere", t.real("d"));
  });
  REQUIRE(!a.status.ok());
  CHECK(!fs::exists(t.real("elsewhere/f")));
  CHECK(!fs::exists(t.real("moved/f")));
}

TEST_CASE("paths: a path, a folder, a glob") {
  CHECK(is_selected({}, "/ws", "a"));
  CHECK(is_selected({"/ws/a"}, "/ws", "a"));
  CHECK(is_selected({"/ws/a"}, "/ws", "a/b"));
  CHECK(!is_selected({"/ws/a"}, "/ws", "ab"));
  CHECK(is_selected({"/ws/*.md"}, "/ws", "x.md"));
  CHECK(is_selected({"/ws"}, "/ws", "x"));
  CHECK(is_selected({"a/"}, "/ws", "a/b"));
}

}  // namespace
}  // namespace codexos::daemon

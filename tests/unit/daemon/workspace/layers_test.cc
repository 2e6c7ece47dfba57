// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/layers.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "tests/unit/daemon/workspace/layer_tree.h"

namespace codexos::daemon {
namespace {

using Lines = std::vector<std::string>;

LayerStack open_stack(const Tree& t, bool with_earlier = false) {
  auto stack = LayerStack::open(t.roots(with_earlier)[0]);
  REQUIRE(stack.ok());
  return std::move(*stack);
}
std::vector<Delta> walk(const LayerStack& stack, const WalkOptions& o = {}) {
  bool more = false;
  auto deltas = stack.walk(o, more);
  REQUIRE(deltas.ok());
  CHECK(!more);
  return std::move(*deltas);
}
/// "A path" lines.
Lines lines(const std::vector<Delta>& deltas) {
  Lines out;
  for (const auto& d : deltas) out.push_back(std::string(1, d.status) + " " + d.path);
  return out;
}
std::string text_of(const Fd& fd) {
  char buffer[100];
  const ssize_t n = fd ? read(fd.get(), buffer, sizeof buffer) : -1;
  return n < 0 ? "?" : std::string(buffer, static_cast<size_t>(n));
}
bool set_xattr(const fs::path& path, const char* name) {
  return setxattr(path.c_str(), name, "v", 1, 0) == 0;
}

TEST_CASE("a delta has the facts of both sides and says what differs") {
  Tree t;
  put(t.real("a"), "one");
  put(t.upper("a"), "three");
  put(t.real("b"), "same");
  put(t.upper("b"), "same");
  fs::permissions(t.upper("b"), fs::perms::owner_all);
  put(t.upper("c"), "new");
  const auto stack = open_stack(t);
  const auto d = walk(stack);
  REQUIRE(lines(d) == Lines{"M a", "M b", "A c"});
  CHECK(d[0].before->size == 3);
  CHECK(d[0].after->size == 5);
  CHECK((d[0].content && !d[0].mode && !d[0].xattrs));
  CHECK((!d[1].content && d[1].mode));
  CHECK((d[1].after->mode & 07777) == 0700);
  CHECK(!d[2].before);
  CHECK(text_of(stack.open_before(d[0])) == "one");
  CHECK(text_of(stack.open_after(d[0])) == "three");
  CHECK(text_of(stack.open_before(d[2])) == "?");
}

TEST_CASE("links are read and never followed") {
  Tree t;
  fs::create_symlink("old", t.real("l"));
  fs::create_symlink("/etc/shadow", t.upper("l"));
  const auto stack = open_stack(t);
  const auto d = walk(stack);
  REQUIRE(lines(d) == Lines{"M l"});
  CHECK(*stack.link_before(d[0]) == "old");
  CHECK(*stack.link_after(d[0]) == "/etc/shadow");
  CHECK(!stack.open_after(d[0]));
  Delta through = d[0];
  through.path = "out/passwd";
  fs::create_symlink("/etc", t.upper("out"));
  CHECK(!stack.open_after(through));
  through.path = "../../real/l";
  CHECK(!stack.link_after(through).ok());
}

TEST_CASE("other user attributes are a change; the overlay's own are none and not shown") {
  Tree t;
  for (const char* name : {"f", "g"}) {
    put(t.real(name), "same");
    put(t.upper(name), "same");
  }
  fs::create_directories(t.real("d"));
  fs::create_directories(t.upper("d"));
  if (!set_xattr(t.upper("f"), "user.note")) {
    MESSAGE("skipped: this file system has no user attributes");
    return;
  }
  set_xattr(t.upper("g"), "user.overlay.origin");
  set_xattr(t.upper("g"), "user.overlay.overlay.opaque");
  set_xattr(t.upper("d"), "user.note");
  const auto stack = open_stack(t);
  const auto d = walk(stack);
  REQUIRE(lines(d) == Lines{"M d", "M f"});
  CHECK((d[1].xattrs && !d[1].content && !d[1].mode));
  CHECK(user_xattrs(stack.open_after(d[1]).get()) ==
        std::map<std::string, std::string>{{"user.note", "v"}});
}

TEST_CASE("new folders are listed where they are empty, or all of them") {
  Tree t;
  put(t.upper("new/sub/f"), "x");
  fs::create_directories(t.upper("new/empty"));
  const auto stack = open_stack(t);
  CHECK(lines(walk(stack)) == Lines{"A new/empty", "A new/sub/f"});
  WalkOptions o;
  o.all_folders = true;
  CHECK(lines(walk(stack, o)) == Lines{"A new", "A new/empty", "A new/sub", "A new/sub/f"});
  o.all_folders = false;
  o.expand_new_folders = false;
  CHECK(lines(walk(stack, o)) == Lines{"A new"});
}

TEST_CASE("what was in a folder that is gone is listed when asked for") {
  Tree t;
  put(t.real("d/a"), "x");
  put(t.real("d/sub/b"), "x");
  put(t.real("f/c"), "x");
  put(t.upper("f"), "a file now");
  put(t.real("o/gone/e"), "x");
  opaque(t.upper("o"));
  const bool can = whiteout(t.upper("d"));
  WalkOptions o;
  o.expand_deleted_folders = true;
  const auto stack = open_stack(t);
  Lines wanted{"T f", "D f/c", "D o/gone", "D o/gone/e"};
  if (can) wanted.insert(wanted.begin(), {"D d", "D d/a", "D d/sub", "D d/sub/b"});
  CHECK(lines(walk(stack, o)) == wanted);
}

TEST_CASE("a path is judged by the task whose layer holds it") {
  Tree t;
  put(t.real("a"), "0");
  put(t.real("d/x"), "0");
  put(t.earlier("a"), "1");
  put(t.earlier("b"), "1");
  opaque(t.earlier("d"));
  put(t.upper("b"), "2");
  put(t.upper("d/y"), "2");
  const auto stack = open_stack(t, true);
  const auto d = walk(stack);
  REQUIRE(lines(d) == Lines{"M a", "A b", "D d/x", "A d/y"});
  CHECK(d[0].layer == 1);
  CHECK(d[1].layer == 0);
  CHECK(d[2].layer == 1);
  CHECK(d[3].layer == 0);
  CHECK(text_of(stack.open_after(d[0])) == "1");
  CHECK(text_of(stack.open_after(d[1])) == "2");
}

TEST_CASE("a layer's task is the one in whose folder it lies") {
  Tree t;
  auto root = t.roots()[0];
  root.lowers = {t.top() + "/tenants/default/tasks/abc234/layers/0/upper", t.top() + "/elsewhere"};
  for (const auto& lower : root.lowers) fs::create_directories(lower);
  const auto stack = LayerStack::open(root);
  REQUIRE(stack.ok());
  CHECK(stack->layer_task(0).empty());
  CHECK(stack->layer_task(1) == "abc234");
  CHECK(stack->layer_task(2).empty());
  CHECK(stack->layer_task(-1).empty());
  CHECK(stack->layer_task(9).empty());
}

TEST_CASE("one path of the merged state is found in whatever layer holds it") {
  Tree t;
  put(t.real("d/real"), "real");
  put(t.real("d/both"), "real");
  put(t.real("o/hidden"), "real");
  put(t.earlier("d/both"), "earlier");
  put(t.upper("d/new"), "upper");
  opaque(t.upper("o"));
  const auto stack = open_stack(t, true);
  CHECK(text_of(stack.open_merged("d/real")) == "real");
  CHECK(text_of(stack.open_merged("d/both")) == "earlier");
  CHECK(text_of(stack.open_merged("d/new")) == "upper");
  CHECK(!stack.open_merged("o/hidden"));
  CHECK(!stack.look_after("o/hidden"));
  CHECK(!stack.look_after("d/new/below-a-file"));
  CHECK(stack.look_before("o/hidden"));
  CHECK(stack.look_after("o")->is_dir());
  CHECK(stack.list_merged("d") == Lines{"both", "new", "real"});
  CHECK(stack.list_merged("o").empty());
  CHECK(stack.list_merged("") == Lines{"d", "o"});
}

TEST_CASE("without contents another time is another content") {
  Tree t;
  put(t.real("f"), "same");
  put(t.upper("f"), "same");
  const timespec times[2] = {{1, 0}, {1, 0}};
  REQUIRE(utimensat(AT_FDCWD, t.upper("f").c_str(), times, 0) == 0);
  WalkOptions o;
  o.contents = false;
  const auto stack = open_stack(t);
  CHECK(walk(stack).empty());
  CHECK(lines(walk(stack, o)) == Lines{"M f"});
}

}  // namespace
}  // namespace codexos::daemon

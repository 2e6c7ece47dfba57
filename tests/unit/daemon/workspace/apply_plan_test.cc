// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/apply_plan.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

namespace codexos::daemon {
namespace {

constexpr int64_t kStartUs = 1'700'000'000'000'000;
constexpr int64_t kNs = 1000;

/// A file whose ctime lies `us` after the task's start.
Facts file(int64_t us, uint64_t ino = 7, uint32_t mode = 0644) {
  Facts f;
  f.mode = S_IFREG | mode;
  f.dev = 1;
  f.ino = ino;
  f.size = 10;
  f.nlink = 1;
  f.ctime_ns = f.mtime_ns = (kStartUs + us) * kNs;
  return f;
}
Facts of_type(uint32_t type) {
  Facts f = file(-1'000'000);
  f.mode = type | 0755;
  return f;
}
Delta delta(char status, std::optional<Facts> before, std::optional<Facts> after) {
  Delta d;
  d.status = status;
  d.path = "f";
  d.before = before;
  d.after = after;
  d.content = true;
  return d;
}
Recorded recorded(std::optional<Facts> f, bool text = false) {
  Recorded r;
  r.facts = f;
  r.digest = f ? "d" : "";
  r.text = text;
  return r;
}
const Facts kLong = file(-1'000'000), kDuring = file(2'000'000), kLater = file(9'000'000);
const Facts kTask = file(1'000'000, 99);

struct Case {
  const char* what;
  Delta d;
  std::optional<Recorded> r;
  TaskTimes t;
  bool same;
  Verdict verdict;
};

TEST_CASE("a path is judged by what the user did to it, and when") {
  const TaskTimes t{kStartUs, 0};
  const TaskTimes stepped{kStartUs, 3'000'000}, back{kStartUs, -3'000'000},
      unknown{kStartUs, std::nullopt};
  const Facts folder = of_type(S_IFDIR);
  const Case cases[] = {
      {"untouched", delta('M', kLong, kTask), recorded(kLong), t, false, Verdict::take},
      {"new, and nothing was there", delta('A', {}, kTask), recorded({}), t, false, Verdict::take},
      {"written while the task ran", delta('M', kDuring, kTask), recorded(kDuring, true), t, false,
       Verdict::conflict},
      {"text, written since it ended", delta('M', kLater, kTask), recorded(kLong, true), t, false,
       Verdict::merge},
      {"binary, written since it ended", delta('M', kLater, kTask), recorded(kLong), t, false,
       Verdict::conflict},
      {"written both while it ran and since", delta('M', kLater, kTask), recorded(kDuring, true), t,
       false, Verdict::conflict},
      {"written since, but back to what it was", delta('M', kLater, kTask), recorded(kLong), t,
       true, Verdict::take},
      {"written while it ran, then back to that", delta('M', kLater, kTask), recorded(kDuring), t,
       true, Verdict::conflict},
      {"removed by the user", delta('A', {}, kTask), recorded(kLong), t, false, Verdict::conflict},
      {"made by the user since", delta('M', kLater, kTask), recorded({}), t, false,
       Verdict::conflict},
      {"removed by the task, untouched", delta('D', kLong, {}), recorded(kLong), t, false,
       Verdict::take},
      {"removed by the task, written since", delta('D', kLater, {}), recorded(kLong, true), t,
       false, Verdict::conflict},
      {"removed by the task, made here since", delta('D', kLater, {}), recorded({}), t, false,
       Verdict::conflict},
      {"other type, untouched", delta('T', kLong, of_type(S_IFLNK)), recorded(kLong), t, false,
       Verdict::take},
      {"other type, written since", delta('T', kLater, of_type(S_IFLNK)), recorded(kLong, true), t,
       false, Verdict::conflict},
      {"no record, old", delta('M', kLong, kTask), {}, t, false, Verdict::take},
      {"no record, young", delta('M', kDuring, kTask), {}, t, false, Verdict::conflict},
      {"no record, absent", delta('A', {}, kTask), {}, t, false, Verdict::take},
      {"within the margin of the clock",
       delta('M', file(-5'000), kTask),
       {},
       t,
       false,
       Verdict::conflict},
      {"just outside of the margin", delta('M', file(-11'000), kTask), {}, t, false, Verdict::take},
      {"outside of a shorter tick",
       delta('M', file(-5'000), kTask),
       {},
       {kStartUs, 0, 4'000},
       false,
       Verdict::take},
      {"the clock went forward", delta('M', kLong, kTask), recorded(kLong), stepped, false,
       Verdict::conflict},
      {"the clock went back", delta('M', kLong, kTask), recorded(kLong), back, false,
       Verdict::conflict},
      {"older than the step", delta('M', file(-4'000'000), kTask), recorded(file(-4'000'000)),
       stepped, false, Verdict::take},
      {"the clock is unknown", delta('M', kLong, kTask), recorded(kLong), unknown, false,
       Verdict::conflict},
      {"the clock is unknown, nothing there",
       delta('A', {}, kTask),
       {},
       unknown,
       false,
       Verdict::take},
      {"a folder that the task removed", delta('D', folder, {}), recorded(folder), t, false,
       Verdict::take},
      {"a folder without record", delta('D', of_type(S_IFDIR), {}), {}, t, false, Verdict::take},
      {"a folder the user removed", delta('A', {}, folder), recorded(folder), t, false,
       Verdict::take},
      {"a folder where there was a file", delta('T', kLong, folder), recorded(kLong), t, false,
       Verdict::take},
      {"the user made a file of the folder", delta('T', kLater, folder), recorded(folder), t, false,
       Verdict::conflict},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    const auto j = judge(c.d, c.r ? &*c.r : nullptr, c.t, c.same);
    CHECK(static_cast<int>(j.verdict) == static_cast<int>(c.verdict));
    CHECK((j.verdict == Verdict::take) == j.why.empty());
  }
}

TEST_CASE("modes merge like texts") {
  CHECK(merge_modes(0644, 0644, 0755) == 0755);
  CHECK(merge_modes(0644, 0600, 0644) == 0600);
  CHECK(merge_modes(0644, 0755, 0755) == 0755);
  CHECK(!merge_modes(0644, 0600, 0755));
}

TEST_CASE("devices, pipes and sockets are refused") {
  for (const uint32_t type : {S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK})
    CHECK(!why_refused(of_type(type)).empty());
  for (const uint32_t type : {S_IFREG, S_IFDIR, S_IFLNK}) CHECK(why_refused(of_type(type)).empty());
}

TEST_CASE("links that leave the workspace need consent, but not those to programs of the system") {
  const auto leaves = [](const std::string& path, const std::string& target) {
    return !why_leaves("/ws", path, target).empty();
  };
  CHECK(!leaves("l", "x"));
  CHECK(!leaves("a/l", "../x"));
  CHECK(!leaves("a/b/l", "../../x"));
  CHECK(leaves("l", "../x"));
  CHECK(leaves("a/l", "../../x"));
  CHECK(leaves("a/l", "b/../../../x"));
  CHECK(leaves("l", "/etc/passwd"));
  CHECK(!leaves("l", "/ws/inner"));
  CHECK(leaves("l", "/ws/../etc"));
  CHECK(leaves("l", "/wsx/f"));
  CHECK(!leaves("venv/bin/python3", "/usr/bin/python3"));
  CHECK(!leaves("l", "/opt/tool/bin/x"));
  CHECK(leaves("l", "/usr"));
  CHECK(leaves("l", "/usr/../etc/shadow"));
  CHECK(leaves("l", "/usr/lib/.."));
  CHECK(leaves("l", "/usrx/f"));
}

Op op(const std::string& path, EntryKind pre, EntryKind post) {
  Op o;
  o.path = path;
  o.pre.kind = pre;
  o.post.kind = post;
  return o;
}
std::vector<std::string> order(const std::vector<Op>& ops) {
  std::vector<std::string> out;
  for (const Step& s : order_steps(ops, {MountRole::workspace})) {
    constexpr const char* kNames[] = {"out ", "rmdir ", "mkdir ", "put ", "mode "};
    out.push_back(kNames[static_cast<int>(s.act)] + ops[s.op].path);
  }
  return out;
}

TEST_CASE("steps: room, folders from the top, content, then what goes away") {
  using K = EntryKind;
  const std::vector<Op> ops{
      op("a", K::file, K::folder),     op("a/x", K::absent, K::file),
      op("b", K::folder, K::file),     op("b/c", K::folder, K::absent),
      op("b/c/f", K::file, K::absent), op("d", K::folder, K::absent),
      op("d/e", K::folder, K::absent), op("d/e/f", K::link, K::absent),
      op("m", K::folder, K::folder),   op("n", K::absent, K::folder),
      op("n/o", K::absent, K::folder),
  };
  const std::vector<std::string> wanted{
      "out a", "out b/c/f", "rmdir b/c", "rmdir b", "mkdir a",  "mkdir n", "mkdir n/o", "put a/x",
      "put b", "out d/e/f", "rmdir d/e", "rmdir d", "mode n/o", "mode a",  "mode m",    "mode n"};
  CHECK(order(ops) == wanted);
}

TEST_CASE("steps of git: objects, refs with HEAD last, then what git does not need any more") {
  using K = EntryKind;
  const std::vector<Op> ops{op(".git/HEAD", K::file, K::file),
                            op(".git/objects/aa/1", K::absent, K::file),
                            op(".git/objects/bb/2", K::file, K::absent),
                            op(".git/packed-refs", K::absent, K::file),
                            op(".git/refs/heads/main", K::file, K::file),
                            op(".git/refs/heads/old", K::file, K::absent),
                            op("file", K::file, K::file)};
  const std::vector<std::string> wanted{"put .git/objects/aa/1", "put file",
                                        "put .git/packed-refs",  "put .git/refs/heads/main",
                                        "put .git/HEAD",         "out .git/refs/heads/old",
                                        "out .git/objects/bb/2"};
  CHECK(order(ops) == wanted);
}

}  // namespace
}  // namespace codexos::daemon

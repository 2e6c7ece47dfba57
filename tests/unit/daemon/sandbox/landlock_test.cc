// SPDX-License-Identifier: Apache-2.0
#include "daemon/sandbox/landlock.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>

#include "tests/unit/daemon/sandbox/fake_host.h"

namespace codexos::daemon {
namespace {

FakeHost host_with_things() {
  FakeHost h;
  h.dir("/usr").dir("/usr/bin").file("/usr/bin/sh").link("/bin", "usr/bin").dir("/proc");
  h.dir("/etc").file("/etc/passwd").file("/etc/hosts").file("/etc/machine-id");
  h.file("/dev/null").file("/dev/tty");
  h.dir("/home/ann/.local/bin").file("/home/ann/.local/bin/tool").dir("/home/ann/data/in");
  h.dir("/home/ann/.local/state/codexos");
  return h;
}
ViewRequest ann_alone() {
  ViewRequest r;
  r.caller.uid = r.caller.gid = 1001;
  r.caller.user = "ann";
  r.caller.home = "/home/ann";
  r.caller.env["PATH"] = "/home/ann/.local/bin:/usr/bin";
  r.state_home = "/home/ann/.local/state/codexos";
  r.cwd = "/home/ann";
  return r;
}
LandlockPlaces places_of_ann() {
  return {"/state/t/private", "/home/ann/.local/state/codexos", "/home/ann"};
}

Result<std::vector<PathRule>> rules_for(const ViewRequest& r, const Host& h) {
  const auto view = make_view(r, h);
  REQUIRE(view.ok());
  std::vector<std::string> notes;
  auto mounts = make_job_mounts(r, *view, h, notes);
  REQUIRE(mounts.ok());
  return landlock_rules(*view, *mounts, places_of_ann(), h);
}
const PathRule* rule(const std::vector<PathRule>& rules, const std::string& path) {
  const auto it =
      std::find_if(rules.begin(), rules.end(), [&](const PathRule& r) { return r.path == path; });
  return it == rules.end() ? nullptr : &*it;
}

wire::TaskCreate plain_request() {
  wire::TaskCreate c;
  c.argv = {"true"};
  c.isolation = wire::Isolation::landlock;
  return c;
}
std::string refusal_of(const wire::TaskCreate& c, bool root = false) {
  const auto s = check_for_landlock(c, root);
  return s.ok() ? "" : s.error().message;
}

}  // namespace

TEST_CASE("landlock: what the view would show is a rule, what it would make is the task's own") {
  const FakeHost h = host_with_things();
  const auto rules = rules_for(ann_alone(), h);
  REQUIRE(rules.ok());
  REQUIRE(rule(*rules, "/usr") != nullptr);
  CHECK(rule(*rules, "/usr")->access == RuleAccess::read);
  CHECK(rule(*rules, "/usr")->ino != 0);
  CHECK(rule(*rules, "/proc")->access == RuleAccess::read);
  CHECK(rule(*rules, "/dev/null")->access == RuleAccess::devices);
  CHECK(rule(*rules, "/home/ann/.local/bin")->access == RuleAccess::read);
  CHECK(rule(*rules, "/state/t/private/home")->access == RuleAccess::write);
  CHECK(rule(*rules, "/state/t/private/tmp")->access == RuleAccess::write);
  CHECK(rule(*rules, "/etc/passwd") != nullptr);
  CHECK(rule(*rules, "/etc/machine-id") == nullptr);
  for (const char* never : {"/", "/home", "/home/ann", "/tmp", "/run", "/dev", "/dev/shm", "/etc"})
    CHECK_MESSAGE(rule(*rules, never) == nullptr, never);
  size_t writable = 0;
  for (const auto& r : *rules) writable += r.access == RuleAccess::write ? 1 : 0;
  CHECK(writable == 2);
}

TEST_CASE("landlock: terminals are the shim's to open") {
  const auto rules = rules_for(ann_alone(), host_with_things());
  REQUIRE(rules.ok());
  for (const char* path : {"/dev/ptmx", "/dev/pts"}) CHECK(rule(*rules, path)->shim_only);
}

TEST_CASE("landlock: what is shown is shown where it is, or refused") {
  FakeHost h = host_with_things();
  ViewRequest r = ann_alone();
  r.show = {"/home/ann/data", "/home/ann/data/in:rw"};
  auto rules = rules_for(r, h);
  REQUIRE(rules.ok());
  CHECK(rule(*rules, "/home/ann/data")->access == RuleAccess::read);
  CHECK(rule(*rules, "/home/ann/data")->required);
  CHECK(rule(*rules, "/home/ann/data/in")->access == RuleAccess::write);
  r.show = {"/home/ann/data:/mnt/data"};
  rules = rules_for(r, h);
  REQUIRE_FALSE(rules.ok());
  CHECK(rules.error().message.find("at another place") != std::string::npos);
}

TEST_CASE("landlock: what would have to be covered is refused, but for sockets") {
  FakeHost h = host_with_things();
  h.socket("/home/ann/data/in/s").mode("/home/ann/data/in/s", S_IFSOCK | 0600);
  ViewRequest r = ann_alone();
  r.show = {"/home/ann/data"};
  CHECK(rules_for(r, h).ok());
  h.dir("/home/ann/.config/gh");
  r.show = {"/home/ann/.config"};
  const auto rules = rules_for(r, h);
  REQUIRE_FALSE(rules.ok());
  CHECK(rules.error().message.find("/home/ann/.config/gh") != std::string::npos);
  Mount hidden;
  hidden.kind = MountKind::hide;
  hidden.role = MountRole::hidden;
  hidden.target = "/home/ann/work/secret";
  const auto view = make_view(ann_alone(), h);
  REQUIRE(view.ok());
  CHECK_FALSE(landlock_rules(*view, {hidden}, places_of_ann(), h).ok());
}

TEST_CASE("landlock: the state folder lies in nothing that may be read") {
  FakeHost h = host_with_things();
  h.dir("/usr/lib/state");
  LandlockPlaces p = places_of_ann();
  p.state_home = "/usr/lib/state";
  const auto view = make_view(ann_alone(), h);
  REQUIRE(view.ok());
  CHECK_FALSE(landlock_rules(*view, {}, p, h).ok());
}

TEST_CASE("landlock: the home has links to what the view shows there") {
  const FakeHost h = host_with_things();
  const auto view = make_view(ann_alone(), h);
  REQUIRE(view.ok());
  const auto home = landlock_home(*view, places_of_ann());
  const auto link = std::find_if(home.begin(), home.end(),
                                 [](const Mount& m) { return m.target == ".local/bin"; });
  REQUIRE(link != home.end());
  CHECK(link->kind == MountKind::symlink);
  CHECK(link->source == "/home/ann/.local/bin");
}

TEST_CASE("landlock: what such a task cannot have is refused by its option") {
  CHECK(refusal_of(plain_request()).empty());
  const auto with = [](auto change) {
    wire::TaskCreate c = plain_request();
    change(c);
    return c;
  };
  const auto names = [](const std::string& message, const char* option) {
    return message.find(std::string(": ") + option) != std::string::npos;
  };
  using C = wire::TaskCreate;
  CHECK(names(refusal_of(with([](C& c) { c.net = wire::Network::allow; })), "--net"));
  CHECK(names(refusal_of(with([](C& c) { c.net = wire::Network::host; })), "--net"));
  CHECK(names(refusal_of(with([](C& c) { c.publish = {80}; })), "--publish"));
  CHECK(names(refusal_of(with([](C& c) { c.reach = {80}; })), "--reach"));
  CHECK(names(refusal_of(with([](C& c) { c.seccomp = wire::SeccompProfile::nested; })),
              "--seccomp nested"));
  CHECK(names(refusal_of(with([](C& c) { c.learn = true; })), "--learn"));
  CHECK(names(refusal_of(with([](C& c) { c.write = {"x"}; })), "--write"));
  CHECK(names(refusal_of(with([](C& c) { c.agent = "claude"; })), "-a"));
  const auto direct = with([](C& c) { c.mode = wire::WorkspaceMode::direct; });
  CHECK(refusal_of(direct).empty());
  CHECK(names(refusal_of(direct, true), "--mode"));
}

TEST_CASE("landlock: a kernel without scopes is refused with the reason") {
  CHECK(check_landlock_abi(6).ok());
  for (const int abi : {0, 1, 2, 5}) {
    const auto s = check_landlock_abi(abi);
    REQUIRE_FALSE(s.ok());
    CHECK(s.error().code == Code::unavailable);
    CHECK(s.error().message.find("ABI " + std::to_string(abi)) != std::string::npos);
  }
}

}  // namespace codexos::daemon

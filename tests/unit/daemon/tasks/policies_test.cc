// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/policies.h"

#include <doctest/doctest.h>

#include "tests/unit/daemon/sandbox/fake_host.h"

namespace codexos::daemon {
namespace {

constexpr uid_t kOwner = 1000;  // of everything on the fake host

PolicyPlace place() {
  PolicyPlace p;
  p.uid = kOwner;
  p.home = "/home/u";
  p.cwd = "/w/sub";
  p.workspace = "/w";
  return p;
}

Error error_of(Policies& policies, const PolicyPlace& at, const wire::PolicyAsk& ask = {}) {
  auto d = policies.decide(at, ask, {}, {});
  REQUIRE_FALSE(d.ok());
  return d.error();
}

TEST_CASE("without files nothing is said; a file counts as soon as it is there, and as it is now") {
  FakeHost host;
  host.dir("/home/u").dir("/w/sub");
  Policies policies(host, nullptr);
  CHECK_FALSE(policies.decide(place(), {}, {}, {})->said);
  host.file("/home/u/.config/codexos/config.yaml", "limits: {timeout: 5s}");
  CHECK(policies.decide(place(), {}, {}, {})->resolved.rights.limits.timeout_ms == 5000);
  host.file("/home/u/.config/codexos/config.yaml", "limits: {timeout: 6s}");
  CHECK(policies.decide(place(), {}, {}, {})->resolved.rights.limits.timeout_ms == 6000);
  host.file("/w/.codexos.yaml", "limits: {timeout: 4s}");
  CHECK(policies.decide(place(), {}, {}, {})->resolved.rights.limits.timeout_ms == 4000);
  PolicyPlace nowhere = place();
  nowhere.workspace.clear();
  CHECK(policies.decide(nowhere, {}, {}, {})->resolved.rights.limits.timeout_ms == 6000);
}

TEST_CASE("more files than are kept: each question is answered by its own") {
  FakeHost host;
  host.dir("/home/u");
  host.file("/home/u/.config/codexos/config.yaml", "env: [ONE]");
  Policies policies(host, nullptr);
  for (int i = 1; i <= 200; ++i) {
    PolicyPlace p = place();
    p.workspace = p.cwd = "/w/" + std::to_string(i);
    host.dir(p.cwd);
    host.file(p.cwd + "/.codexos.yaml", "limits: {timeout: " + std::to_string(i) + "s}");
    const auto d = policies.decide(p, {}, {}, {});
    REQUIRE(d.ok());
    CHECK(d->resolved.rights.limits.timeout_ms == static_cast<uint64_t>(i) * 1000);
    CHECK(d->resolved.rights.env == policy::Names{"ONE"});
  }
}

TEST_CASE("XDG_CONFIG_HOME names another folder, if it is absolute") {
  FakeHost host;
  host.dir("/home/u").dir("/w/sub");
  host.file("/xdg/codexos/config.yaml", "limits: {timeout: 5s}");
  Policies policies(host, nullptr);
  wire::PolicyAsk ask;
  ask.config_home = "/xdg";
  CHECK(policies.decide(place(), ask, {}, {})->resolved.rights.limits.timeout_ms == 5000);
  ask.config_home = "xdg";
  CHECK_FALSE(policies.decide(place(), ask, {}, {})->said);
}

TEST_CASE("who could have written a file decides whether it counts") {
  FakeHost host;
  host.dir("/home/u").dir("/w/sub");
  host.file("/home/u/.config/codexos/config.yaml", "net: none");
  Policies policies(host, nullptr);
  PolicyPlace other = place();
  other.uid = 1001;
  CHECK(error_of(policies, other).message.find("belongs to another user (uid 1000)") !=
        std::string::npos);
  host.mode("/home/u/.config/codexos/config.yaml", 0100646);
  CHECK(error_of(policies, place()).message.find("others can write to it") != std::string::npos);
  host.mode("/home/u/.config/codexos/config.yaml", 0100664);
  CHECK(policies.decide(place(), {}, {}, {})->said);
  host.file(kSystemPolicy, "net: none");
  const Error e = error_of(policies, place());
  CHECK(e.code == Code::denied);
  CHECK(e.message.find(kSystemPolicy) == 0);
}

TEST_CASE("a project's file that is a link, or no file, stops the start") {
  FakeHost host;
  host.dir("/home/u").dir("/w/sub").file("/home/u/.ssh/id", "net: none");
  host.link("/w/.codexos.yaml", "/home/u/.ssh/id");
  Policies policies(host, nullptr);
  CHECK(error_of(policies, place()).message == "/w/.codexos.yaml: is a link");
  FakeHost second;
  second.dir("/home/u").dir("/w/sub").dir("/w/.codexos.yaml");
  Policies more(second, nullptr);
  CHECK(more.decide(place(), {}, {}, {}).error().message.find("is no regular file") !=
        std::string::npos);
}

TEST_CASE("a policy that is named has to be there, and keeps the others out") {
  FakeHost host;
  host.dir("/home/u").dir("/w/sub");
  host.file("/w/.codexos.yaml", "nonsense: 1").file("/w/sub/p.yaml", "limits: {timeout: 1s}");
  Policies policies(host, nullptr);
  wire::PolicyAsk ask;
  ask.settings = {{"CODEXOS_POLICY", "p.yaml"}};
  const auto d = policies.decide(place(), ask, {}, {});
  if (!d.ok()) FAIL(d.error().message);
  CHECK(d->resolved.rights.limits.timeout_ms == 1000);
  ask.file = "/w/none.yaml";
  CHECK(error_of(policies, place(), ask).code == Code::not_found);
  CHECK(error_of(policies, place()).message.find("nonsense") != std::string::npos);
}

TEST_CASE("the host's network takes a policy, not only an option") {
  FakeHost host;
  host.dir("/home/u").dir("/w/sub");
  Policies policies(host, nullptr);
  const std::string own = "/home/u/.config/codexos/config.yaml";
  wire::TaskCreate c;
  c.net = wire::Network::host;
  const auto asked = [&] { return policies.decide(place(), {}, options_of(c), {}); };
  CHECK(asked().error().code == Code::denied);
  host.file(own, "limits: {timeout: 5s}");
  CHECK(asked().error().message.find("no policy admits") != std::string::npos);
  host.file("/w/.codexos.yaml", "net: host");  // not trusted
  CHECK_FALSE(asked().ok());
  host.file(own, "ceiling: {net: host}");
  CHECK(asked()->resolved.rights.net == wire::Network::host);
  c.net = wire::Network::none;
  CHECK(asked()->resolved.rights.net == wire::Network::none);
  host.file(own, "profiles: {open: {net: host}}");
  wire::PolicyAsk ask;
  ask.profile = "open";
  CHECK(policies.decide(place(), ask, {}, {})->resolved.rights.net == wire::Network::host);
  host.file("/w/p.yaml", "net: host");
  ask = {};
  ask.file = "/w/p.yaml";
  CHECK(policies.decide(place(), ask, {}, {})->resolved.rights.net == wire::Network::host);
}

TEST_CASE("options say what they are, also when they have their default value") {
  wire::TaskCreate c;
  CHECK(options_of(c).empty());
  c.show = {"/a", "/b:rw"};
  c.limits.timeout_ms = 90000;
  c.policy.given = {"net", "seccomp"};
  std::string all;
  for (const auto& s : options_of(c)) all += s.from + "; ";
  CHECK(all == "--show /a; --show /b:rw; --net none; --seccomp default; --timeout 1m30s; ");
  c.policy.given.clear();
  c.net = wire::Network::allow;
  c.allow = {"a.org"};
  CHECK(options_of(c)[2].from == "--allow a.org");
  CHECK(options_of(c)[3].from == "--timeout 1m30s");
  c.allow.clear();  // --publish
  CHECK(options_of(c)[2].from == "--net allow");
  policy::Rights r;
  r.limits.timeout_ms = 5;
  r.seccomp = wire::SeccompProfile::nested;
  apply_rights(r, c);
  CHECK(c.show.empty());
  CHECK(c.limits.timeout_ms == 5);
  CHECK(c.seccomp == wire::SeccompProfile::nested);
}

}  // namespace
}  // namespace codexos::daemon

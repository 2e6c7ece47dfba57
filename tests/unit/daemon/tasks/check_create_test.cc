// SPDX-License-Identifier: Apache-2.0
// Requests that are refused before anything is looked at.
#include <doctest/doctest.h>

#include <string>

#include "daemon/tasks/planner.h"

namespace codexos::daemon {
namespace {

wire::TaskCreate good() {
  wire::TaskCreate c;
  c.argv = {"true"};
  c.cwd = "/tmp";
  return c;
}

Code code_of(const wire::TaskCreate& c) {
  const auto s = check_create(c);
  REQUIRE_FALSE(s.ok());
  return s.error().code;
}

TEST_CASE("a plain request is accepted") { CHECK(check_create(good()).ok()); }

TEST_CASE("a request without a program is refused") {
  auto c = good();
  c.argv = {};
  CHECK(code_of(c) == Code::invalid);
  c.argv = {""};
  CHECK(code_of(c) == Code::invalid);
}

TEST_CASE("an agent takes the place of a program, and what belongs to it needs one") {
  auto c = good();
  c.argv = {};
  c.agent = "claude";
  c.prompt = "a job";
  CHECK(check_create(c).ok());
  c.argv = {"true"};
  CHECK(code_of(c) == Code::invalid);
  c = good();
  c.extra = {"--model"};
  CHECK(code_of(c) == Code::invalid);
  c = good();
  c.agent_use = wire::AgentUse::version;
  CHECK(code_of(c) == Code::invalid);
  c = good();
  c.argv = {};
  c.agent = "claude";
  c.prompt = std::string("a\0b", 3);
  CHECK(code_of(c) == Code::invalid);
}

TEST_CASE("a NUL byte is refused wherever it would cut a string short") {
  const std::string nul("a\0b", 3);
  auto c = good();
  c.argv.push_back(nul);
  CHECK(code_of(c) == Code::invalid);
  c = good();
  c.env["K"] = nul;
  CHECK(code_of(c) == Code::invalid);
  c = good();
  c.cwd = "/" + nul;
  CHECK(code_of(c) == Code::invalid);
  c = good();
  c.show = {nul};
  CHECK(code_of(c) == Code::invalid);
}

TEST_CASE("variables need a name without '='") {
  for (const char* name : {"", "A=B"}) {
    auto c = good();
    c.env[name] = "x";
    CHECK(code_of(c) == Code::invalid);
  }
}

TEST_CASE("argv and env above 1 MiB are refused before the kernel does") {
  auto c = good();
  c.argv.push_back(std::string(2 << 20, 'x'));
  CHECK(code_of(c) == Code::invalid);
}

TEST_CASE("names follow the rule and cannot be taken for something else") {
  for (const char* name : {"a b", "ä", "-x", ".x", "last", "a/b"}) {
    auto c = good();
    c.name = name;
    CHECK(code_of(c) == Code::invalid);
  }
  auto c = good();
  c.name = std::string(65, 'x');
  CHECK(code_of(c) == Code::invalid);
  c.name = "build-1.2_x";
  CHECK(check_create(c).ok());
}

TEST_CASE("a network is asked for by rules that can be read") {
  auto c = good();
  c.net = wire::Network::allow;
  c.allow = {"example.org", "@npm"};
  CHECK(check_create(c).ok());
  c.allow = {"https://example.org"};
  CHECK(code_of(c) == Code::invalid);
  c = good();
  c.allow = {"example.org"};  // without net allow
  CHECK(code_of(c) == Code::invalid);
  c = good();
  c.net = wire::Network::allow;
  c.reach = {5432};
  c.publish = {3000};
  CHECK(check_create(c).ok());
  c.publish = {70000};
  CHECK(code_of(c) == Code::invalid);
}

TEST_CASE("paths must be absolute") {
  auto c = good();
  c.cwd = "tmp";
  CHECK(code_of(c) == Code::invalid);
  c = good();
  c.workspace = "tmp";
  CHECK(code_of(c) == Code::invalid);
}

TEST_CASE("write and from make sense with held-back changes only") {
  auto c = good();
  c.mode = wire::WorkspaceMode::direct;
  c.from = "last";
  CHECK(code_of(c) == Code::invalid);
  c = good();
  c.mode = wire::WorkspaceMode::none;
  c.write = {"out"};
  CHECK(code_of(c) == Code::invalid);
}

}  // namespace
}  // namespace codexos::daemon

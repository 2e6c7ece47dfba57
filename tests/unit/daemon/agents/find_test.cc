// SPDX-License-Identifier: Apache-2.0
// Where an agent's program is found, and which files of a workspace are hidden from it.
#include "daemon/agents/find.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/unit/daemon/sandbox/fake_host.h"

namespace codexos::daemon {
namespace {

Caller caller(const std::string& path) {
  Caller c;
  c.home = "/home/u";
  c.env["PATH"] = path;
  return c;
}

void program(FakeHost& host, const std::string& path) { host.file(path).mode(path, 0100755); }

Preset preset() {
  Preset p;
  p.name = p.program = "agent";
  p.places = {"~/.local/bin", "~/.nvm/versions/node/*/bin"};
  return p;
}

TEST_CASE("PATH goes before the places, and a folder that is on PATH is not added to it") {
  FakeHost host;
  program(host, "/usr/bin/agent");
  program(host, "/home/u/.local/bin/agent");
  const auto found = find_program(preset(), caller("/usr/bin"), host);
  CHECK(found.path == "/usr/bin/agent");
  CHECK(found.folder.empty());
}

TEST_CASE("of several versions of node the newest one's program is taken") {
  FakeHost host;
  for (const char* v : {"v8.9.0", "v22.9.0", "v22.10.1"})
    program(host, std::string("/home/u/.nvm/versions/node/") + v + "/bin/agent");
  const auto found = find_program(preset(), caller("/usr/bin"), host);
  CHECK(found.path == "/home/u/.nvm/versions/node/v22.10.1/bin/agent");
  CHECK(found.folder == "/home/u/.nvm/versions/node/v22.10.1/bin");
}

TEST_CASE("npm's own prefix is looked in as well") {
  FakeHost host;
  host.file("/home/u/.npmrc", "registry=x\nprefix = ~/packages\n");
  program(host, "/home/u/packages/bin/agent");
  CHECK(find_program(preset(), caller("/usr/bin"), host).path == "/home/u/packages/bin/agent");
}

TEST_CASE("nowhere is nowhere") {
  FakeHost host;
  CHECK(find_program(preset(), caller("/usr/bin"), host).path.empty());
}

TEST_CASE(".env files are found where the user's sources are; examples are none") {
  FakeHost host;
  for (const char* f : {"/w/.env", "/w/.env.local", "/w/.env.example", "/w/packages/a/.env.prod",
                        "/w/node_modules/x/.env", "/w/environment", "/w/.envrc"})
    host.file(f);
  const auto found = find_env_files("/w", host);
  CHECK(found.complete);
  CHECK(found.paths ==
        std::vector<std::string>{"/w/.env", "/w/.env.local", "/w/packages/a/.env.prod"});
}

TEST_CASE("a path is in git's index by its whole name") {
  std::string index("DIRC\0\0\0\2", 8);
  index += std::string(40, 'x') + std::string("\0\x08", 2) + "sub/.env" + std::string("\0\0", 2);
  CHECK(in_git_index(index, "sub/.env"));
  CHECK_FALSE(in_git_index(index, ".env"));
  CHECK_FALSE(in_git_index(index, "ub/.env"));
  CHECK_FALSE(in_git_index("", ".env"));
}

}  // namespace
}  // namespace codexos::daemon

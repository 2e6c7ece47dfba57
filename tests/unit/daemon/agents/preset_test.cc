// SPDX-License-Identifier: Apache-2.0
// Presets: ours can be read, wrong ones say where, a user's own goes first.
#include "daemon/agents/preset.h"

#include <doctest/doctest.h>

#include <fstream>

#include "core/os/file.h"
#include "tests/unit/temp_dir.h"

namespace codexos::daemon {
namespace {

constexpr const char* kLeast = "name: mine\nprogram: p\njob: [\"{program}\", \"{prompt}\"]\n";

std::string why(const std::string& more) {
  const auto p = read_preset(std::string(kLeast) + more, "f.yaml");
  return p.ok() ? "" : p.error().message;
}

void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

TEST_CASE("every preset that is compiled in can be read, and has the name of its file") {
  CHECK(built_in_presets().size() == 6);
  for (const auto& row : built_in_presets()) {
    const auto p = load_preset(std::string(row.name), "/nonexistent");
    REQUIRE_MESSAGE(p.ok(), (p.ok() ? "" : p.error().message));
    CHECK(p->name == row.name);
    CHECK(p->source == "built in");
    CHECK_FALSE(p->about.empty());
    CHECK(p->idle_timeout_s > 0);
  }
}

TEST_CASE("what is wrong is named with file, line and field") {
  CHECK(why("").empty());
  CHECK(why("evnets: x\n") == "f.yaml:4: unknown field \"evnets\"");
  CHECK(why("events: other\n").find("f.yaml:4: field \"events\" must be") == 0);
  CHECK(why("resume: [\"{program}\", \"{sesion}\"]\n").find("f.yaml:4:") == 0);
  CHECK(why("resume: [other]\n").find("resume[0]") != std::string::npos);
  CHECK(why("folders: [../x]\n").find("below HOME") != std::string::npos);
  CHECK(why("folders: [.a, .a/b]\n").find("in each other") != std::string::npos);
  CHECK(why("folders: [.a]\nseed: {.a/b/c: x}\n").find("right in") != std::string::npos);
  CHECK(why("login: {file: ~/.x, keys: [a]}\n").find("either link or env") != std::string::npos);
  CHECK(why("login: {file: /etc/shadow, link: .a/x, keys: [a]}\n").find("login.file") !=
        std::string::npos);
  CHECK(why("exits: {\"many\": x}\n").find("exit codes") != std::string::npos);
  CHECK(read_preset("name: A b\nprogram: p\njob: [\"{program}\"]\n", "f")
            .error()
            .message.find("field \"name\"") != std::string::npos);
}

TEST_CASE("a user's own preset goes before ours, and a path is a preset too") {
  const TempDir dir;
  write(dir.path + "/claude.yaml", "name: claude\nprogram: other\njob: [\"{program}\"]\n");
  write(dir.path + "/mine.yaml", kLeast);
  write(dir.path + "/wrong.yaml", kLeast);
  CHECK(load_preset("claude", dir.path)->program == "other");
  CHECK(load_preset("mine", dir.path)->source == dir.path + "/mine.yaml");
  CHECK(load_preset(dir.path + "/mine.yaml", "/nonexistent")->name == "mine");
  CHECK(load_preset("wrong", dir.path).error().message.find("its name is mine") !=
        std::string::npos);
  CHECK(load_preset("nosuch", dir.path).error().code == Code::not_found);
  CHECK(load_preset("nosuch", dir.path).error().message.find("mine, opencode") !=
        std::string::npos);
  CHECK(preset_names(dir.path).size() == 8);
}

TEST_CASE("command lines are filled word by word") {
  const Blanks b{"/bin/p", "do {session} it", "s-1", "/home/u", "/l", {"--model", "{prompt}"}};
  CHECK(fill_argv({"{program}", "{extra}", "--s={session}", "{prompt}"}, b) ==
        std::vector<std::string>{"/bin/p", "--model", "{prompt}", "--s=s-1", "do {session} it"});
  CHECK(fill_text("{home}/.x {\"a\": 1} {other", b) == "/home/u/.x {\"a\": 1} {other");
  Blanks none = b;
  none.prompt.clear();
  CHECK(fill_argv({"{program}", "{prompt}"}, none) == std::vector<std::string>{"/bin/p"});
}

}  // namespace
}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
#include "cli/args.h"

#include <doctest/doctest.h>

#include <set>

using namespace codexos;
using namespace codexos::cli;

namespace {

using Args = std::vector<std::string>;

Invocation parsed(const Args& args) {
  Parsed p;
  const Status s = parse_args(args, p);
  REQUIRE_MESSAGE(s.ok(), (s.ok() ? "" : s.error().message));
  REQUIRE(std::holds_alternative<Invocation>(p.wants));
  return std::get<Invocation>(p.wants);
}

struct Refused {
  Error error;
  Fails fails;
};
Refused refused(const Args& args) {
  Parsed p;
  const Status s = parse_args(args, p);
  REQUIRE_FALSE(s.ok());
  return {s.error(), p.fails};
}

}  // namespace

TEST_CASE("everything behind -- is the task's, untouched") {
  const auto inv = parsed({"run", "-d", "--", "ls", "--json", "--", "-x"});
  CHECK(inv.command->name == "run");
  CHECK(inv.has("detach"));
  CHECK(inv.payload == Args{"ls", "--json", "--", "-x"});
  CHECK(inv.words.empty());
  CHECK_FALSE(inv.has("json"));
}

TEST_CASE("options of run end at its first word, and the corrected line can be told") {
  const auto inv = parsed({"-q", "run", "-d", "--name", "x", "npm", "test", "--detach"});
  CHECK(inv.words == Args{"npm", "test", "--detach"});
  CHECK(inv.before == Args{"codexos", "-q", "run", "-d", "--name", "x"});
}

TEST_CASE("options take their value in every usual form") {
  CHECK(parsed({"run", "--name=a", "--", "x"}).value("name") == "a");
  CHECK(parsed({"run", "--name", "-x", "--", "x"}).value("name") == "-x");
  CHECK(parsed({"run", "-wdir", "--", "x"}).value("workspace") == "dir");
  CHECK(parsed({"run", "-eA=1", "-e", "B", "--", "x"}).values("env") == Args{"A=1", "B"});
  CHECK(parsed({"run", "--mount", "/a", "--", "x"}).values("show") == Args{"/a"});
  CHECK(parsed({"run", "--name", "a", "--name", "b", "--", "x"}).value("name") == "b");
  const auto bundle = parsed({"ps", "-aq"});
  CHECK(bundle.has("all"));
  CHECK(bundle.has("quiet"));
}

TEST_CASE("a repeated option does not swallow the word behind it") {
  const auto inv = parsed({"exec", "-e", "A=1", "task", "--", "ls"});
  CHECK(inv.words == Args{"task"});
  CHECK(inv.values("env") == Args{"A=1"});
}

TEST_CASE("global options stand before or after the command") {
  Parsed p;
  REQUIRE(parse_args({"--json", "--color", "never", "ps"}, p).ok());
  CHECK(p.globals.json);
  CHECK(p.globals.color == Color::never);
  Parsed q;
  REQUIRE(parse_args({"ps", "--json", "--socket=/s"}, q).ok());
  CHECK(q.globals.json);
  CHECK(q.globals.socket == "/s");
}

TEST_CASE("a mistyped verb or flag gets the nearest one") {
  CHECK(refused({"rnu"}).error.hint == "did you mean codexos run?");
  CHECK(refused({"daemon", "strat"}).error.hint == "did you mean codexos daemon start?");
  CHECK(refused({"run", "--detatch", "--", "x"}).error.hint == "did you mean --detach?");
  CHECK(refused({"ps", "--jsn"}).error.hint == "did you mean --json?");
  CHECK(refused({"run", "--mode", "overlya", "--", "x"}).error.hint ==
        "did you mean --mode overlay?");
}

TEST_CASE("what is known and has not landed is refused by name") {
  for (const Args& args :
       {Args{"timeline"}, Args{"run", "--tools", "1", "--", "x"}, Args{"--tenant", "other", "ps"},
        Args{"run", "--tools", "a", "--", "x"}}) {
    const auto r = refused(args);
    CHECK(r.error.code == Code::unsupported);
    CHECK(r.error.message.find("not available in this version") != std::string::npos);
  }
  CHECK(parsed({"--tenant", "default", "ps"}).command->name == "ps");
}

TEST_CASE("errors of run, exec, wait and attach are 125") {
  CHECK(refused({"run", "--nope", "--", "x"}).fails == Fails::with_125);
  CHECK(refused({"wait"}).fails == Fails::with_125);
  CHECK(refused({"attach"}).fails == Fails::with_125);
  CHECK(refused({"exec", "--nope"}).fails == Fails::with_125);
  CHECK(refused({"ps", "--nope"}).fails == Fails::by_code);
}

TEST_CASE("wrong usage is said") {
  CHECK(refused({}).error.code == Code::invalid);
  CHECK(refused({"run", "--name"}).error.message == "run: option --name needs a value");
  CHECK(refused({"logs", "a", "b"}).error.message == "logs: unexpected argument b");
  CHECK(refused({"stop"}).error.message == "stop: TASK is missing");
  CHECK(refused({"daemon"}).error.code == Code::invalid);
  CHECK(refused({"-d", "run"}).error.code == Code::invalid);
}

TEST_CASE("a word that cannot be a task is wrong usage") {
  CHECK(refused({"inspect", "../../etc"}).error.code == Code::invalid);
  CHECK(refused({"stop", "--", "-x y"}).error.code == Code::invalid);
  CHECK(parsed({"stop", "--", "-x"}).words == Args{"-x"});
}

TEST_CASE("help is asked for anywhere but behind --") {
  for (const Args& args : {Args{"--help"}, Args{"run", "-h"}, Args{"daemon", "--help"}}) {
    Parsed p;
    REQUIRE(parse_args(args, p).ok());
    CHECK(std::holds_alternative<WantsHelp>(p.wants));
  }
  CHECK(parsed({"run", "--", "ls", "--help"}).payload.size() == 2);
}

TEST_CASE("every row of the table is whole") {
  std::set<std::string_view> names;
  for (const Command& c : commands()) {
    CAPTURE(c.name);
    CHECK(names.insert(c.name).second);
    CHECK((c.landed == Landed::later || c.run != nullptr));
    CHECK_FALSE(c.summary.empty());
    CHECK_FALSE(c.summary.ends_with('.'));
    if (c.landed == Landed::later || c.group == Group::hidden) continue;
    for (const Example& e : c.examples) CHECK(e.line.find("codexos") != e.line.npos);
    std::set<std::string_view> options;
    for (const auto rows : {c.options, global_options()})
      for (const Option& o : rows) {
        CAPTURE(o.names);
        for (const std::string_view n : names_of(o)) CHECK(options.insert(n).second);
        CHECK_FALSE(o.help.empty());
        CHECK((o.value.empty() == (o.kind == Kind::none)));
      }
  }
}

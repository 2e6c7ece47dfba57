// SPDX-License-Identifier: Apache-2.0
// Strict YAML: what it reads, what it refuses, and where it says so.
#include "core/policy/yaml.h"

#include <doctest/doctest.h>

namespace codexos::yaml {
namespace {

struct Inner {
  std::string host;
  int32_t port = 443;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("host", s.host);
    v("port", s.port);
  }
};
struct Outer {
  std::string name;
  bool on = false;
  std::vector<Inner> rules;
  std::map<std::string, std::string> env;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("name", s.name);
    v("on", s.on);
    v("rules", s.rules);
    v("env", s.env);
  }
};

std::string why(std::string_view text) {
  const auto r = decode<Outer>(text, "f.yaml");
  return r.ok() ? "" : r.error().message;
}

TEST_CASE("a document is read by the fields of its type") {
  const auto r = decode<Outer>(
      "# a comment\n"
      "name: \"8080\"\n"
      "on: true\n"
      "rules:\n"
      "  - host: a.example\n"
      "  - {host: b.example, port: 80}\n"
      "env: {A: 'yes', B: no, C: \"\"}\n",
      "f.yaml");
  REQUIRE(r.ok());
  CHECK(r->name == "8080");
  CHECK(r->on);
  REQUIRE(r->rules.size() == 2);
  CHECK(r->rules[0].port == 443);
  CHECK(r->rules[1].port == 80);
  CHECK(r->env.at("B") == "no");  // not a boolean
  CHECK(r->env.at("C").empty());
}

TEST_CASE("an empty document is an empty object") {
  CHECK(decode<Outer>("", "f.yaml").ok());
  CHECK(decode<Outer>("# nothing\n", "f.yaml").ok());
}

TEST_CASE("errors name file, line and field") {
  CHECK(why("name: x\nnmae: y\n") == "f.yaml:2: unknown field \"nmae\"");
  CHECK(decode<Outer>("nmae: y\n", "f.yaml").error().hint == "did you mean \"name\"?");
  CHECK(why("name: x\nrules:\n  - host: a\n    port: many\n") ==
        "f.yaml:4: field \"rules[0].port\" must be an integer");
  CHECK(why("name: 8080\n") == "f.yaml:1: field \"name\" must be a string");
  CHECK(why("on: yes\n") == "f.yaml:1: field \"on\" must be true or false");
  CHECK(why("- a\n") == "f.yaml:1: the document must be an object");
  CHECK(why("name: [\n").rfind("f.yaml:", 0) == 0);
}

TEST_CASE("what could be read in two ways is refused") {
  CHECK(why("name: a\nname: b\n") == "f.yaml:2: \"name\" stands here twice (first in line 1)");
  CHECK(why("rules:\n  - {host: a, host: b}\n").find("twice") != std::string::npos);
  CHECK(why("env: &a {X: y}\n").find("anchors") != std::string::npos);
  CHECK(why("env:\n  <<: {X: y}\n").find("merge keys") != std::string::npos);
  CHECK(why("name: !!binary aGk=\n").find("tags") != std::string::npos);
  CHECK(why("name: a\n---\nname: b\n").find("second document") != std::string::npos);
  CHECK(why("? [a]\n: b\n").find("key must be text") != std::string::npos);
}

TEST_CASE("size and depth are bounded") {
  CHECK(why(std::string(kMaxBytes + 1, '#')).find("larger than") != std::string::npos);
  std::string deep = "name: ";
  for (int i = 0; i < 100; ++i) deep += "[x, ";
  deep += std::string(100, ']');
  CHECK(why(deep).find("nested deeper") != std::string::npos);
  std::string many;  // each key is compared with all before it
  for (size_t i = 0; i <= kMaxKeys; ++i) many += "k" + std::to_string(i) + ": 1\n";
  CHECK(why(many).find("more than 1000 keys") != std::string::npos);
  CHECK(why(std::string("name: a\0b", 9)).find("NUL") != std::string::npos);
  CHECK(why("name: \"\xff\"\n").find("UTF-8") != std::string::npos);
}

TEST_CASE("what is written is read as the same value") {
  const auto value = json::parse(
      R"({"plain":"text","empty":"","yes":"true","number":"12","null":"null","tilde":"~",
          "colon":"a: b","hash":"#x","lines":"a\nb","quote":"\"q\" 'r'","list":[1,-2,0.5,true,null],
          "none":[],"nothing":{},"deep":[{"a":[{"b":"c"}]},["x"]],"key: odd":1,"12":2})");
  REQUIRE(value.ok());
  const std::string text = write(*value);
  CHECK(text.back() == '\n');
  const auto read = parse(text, "written");
  REQUIRE(read.ok());
  CHECK(json::dump(read->value) == json::dump(*value));
}

}  // namespace
}  // namespace codexos::yaml

// SPDX-License-Identifier: Apache-2.0
// JSON: what is written, what is left out, and what a strict reader refuses.
#include "core/json/json.h"

#include <doctest/doctest.h>

#include "core/wire/event.h"
#include "core/wire/task.h"

namespace codexos::json {
namespace {

struct Inner {
  int32_t n = 1;
  std::string s;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("n", s.n);
    v("s", s.s);
  }
};
struct Outer {
  Inner inner{5, "five"};  // another default than Inner's own
  std::vector<Inner> list;
  std::map<std::string, Inner> map;
  std::optional<Inner> maybe;
  std::optional<int32_t> set = 3;
  bool flag = true;
  double ratio = 0.5;
  uint64_t big = 0;
  uint32_t small = 0;
  TaskState state = TaskState::queued;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("inner", s.inner);
    v("list", s.list);
    v("map", s.map);
    v("maybe", s.maybe);
    v("set", s.set);
    v("flag", s.flag);
    v("ratio", s.ratio);
    v("big", s.big);
    v("small", s.small);
    v("state", s.state);
  }
};

std::string why(std::string_view text) {
  const auto r = decode<Outer>(text, Unknown::refuse);
  return r.ok() ? "" : r.error().message;
}

TEST_CASE("a default struct is written empty for requests and whole for answers") {
  CHECK(encode(Outer{}, Defaults::omit) == "{}");
  const Value v = *parse(encode(Outer{}));
  CHECK(v.size() == 9);  // all but the nullopt
  CHECK_FALSE(v.contains("maybe"));
  CHECK(v["state"] == "queued");
}

struct Many {
  std::vector<std::string> strings;
  std::map<std::string, int64_t> numbers;
  std::vector<std::optional<double>> ratios;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("strings", s.strings);
    v("numbers", s.numbers);
    v("ratios", s.ratios);
  }
};

TEST_CASE("text is written as the library writes it") {
  Many x;
  for (int c = 1; c < 256; ++c) {
    const std::string one(1, static_cast<char>(c));
    x.strings.push_back("a" +
                        (c < 128 ? one : "\xc3" + std::string(1, static_cast<char>(c & 0xbf))));
    x.numbers[x.strings.back()] = c % 2 == 0 ? INT64_MIN + c : c;
  }
  x.strings.emplace_back("\0zero", 5);
  x.strings.emplace_back("\xf0\x9f\x90\xb1 \"quoted\" \\");
  x.strings.emplace_back();
  x.ratios = {0.1, -1e300, std::nullopt, 3.0};
  const std::string text = encode(x);
  const auto value = parse(text);
  REQUIRE_MESSAGE(value.ok(), value.error().message);
  CHECK(dump(*value) == text);
  const auto back = decode<Many>(text, Unknown::refuse);
  REQUIRE(back.ok());
  CHECK(back->strings == x.strings);
  CHECK(back->numbers == x.numbers);
  CHECK(encode(std::vector<std::string>{"\xff"}) == R"([{"base64":"/w=="}])");
}

TEST_CASE("a name that is given twice is found among few and among many") {
  for (const int count : {2, 23, 24, 25, 26, 100}) {
    std::string text = "{";
    for (int i = 0; i < count; ++i) text += "\"k" + std::to_string(i) + "\":1,";
    CHECK(parse(text + "\"last\":1}").ok());
    for (const int again : {0, count - 1})
      CHECK_FALSE(parse(text + "\"k" + std::to_string(again) + "\":1}").ok());
  }
}

TEST_CASE("what is left out comes back by itself, also below another default") {
  Outer x;
  x.inner.n = 1;  // Inner's default, but not Outer's
  x.list = {Inner{}, Inner{7, ""}};
  x.map["k"] = Inner{};
  x.maybe = Inner{};
  x.set.reset();
  x.flag = false;
  x.big = UINT64_MAX;
  x.state = TaskState::lost;
  for (const Defaults d : {Defaults::omit, Defaults::write}) {
    const std::string text = encode(x, d);
    const auto y = decode<Outer>(text, Unknown::refuse);
    REQUIRE_MESSAGE(y.ok(), text);
    CHECK(y->inner.n == 1);
    CHECK(y->inner.s == "five");
    REQUIRE(y->list.size() == 2);
    CHECK(y->list[1].n == 7);
    CHECK(y->map.at("k").n == 1);
    CHECK(y->maybe.has_value());
    CHECK(y->big == UINT64_MAX);
    CHECK(y->state == TaskState::lost);
    if (d == Defaults::omit) CHECK_FALSE(y->set.has_value());
  }
  CHECK(encode(x, Defaults::omit).find("five") == std::string::npos);
}

TEST_CASE("a strict reader names the path of what it refuses") {
  CHECK(why(R"({"flga":true})") == "unknown field \"flga\"");
  CHECK(decode<Outer>(R"({"flga":true})", Unknown::refuse).error().hint ==
        "did you mean \"flag\"?");
  CHECK(why(R"({"list":[{},{"n":1,"x":2}]})") == "unknown field \"list[1].x\"");
  CHECK(why(R"({"map":{"a":{"n":"1"}}})") == "field \"map.a.n\" must be an integer");
  CHECK(why(R"({"inner":null})") == "field \"inner\" must be an object");
  CHECK(why(R"({"state":"asleep"})").find("must be one of queued, starting") != std::string::npos);
  CHECK(why("[]") == "the document must be an object");
  CHECK(decode<Outer>(R"({"flga":true,"inner":{"zzz":1}})", Unknown::ignore).ok());
}

TEST_CASE("integers are checked against their type") {
  CHECK(why(R"({"small":4294967295})").empty());
  CHECK(why(R"({"small":4294967296})") == "field \"small\" must be between 0 and 4294967295");
  CHECK(why(R"({"small":-1})") == "field \"small\" must be between 0 and 4294967295");
  CHECK(why(R"({"big":18446744073709551615})").empty());
  CHECK(why(R"({"big":18446744073709551616})") == "field \"big\" must be an integer");
  CHECK(why(R"({"inner":{"n":2147483648}})").find("between") != std::string::npos);
  CHECK(why(R"({"inner":{"n":18446744073709551615}})").find("between") != std::string::npos);
  CHECK(why(R"({"small":1.0})") == "field \"small\" must be an integer");
  CHECK(why(R"({"ratio":1})").empty());
}

TEST_CASE("repeated keys, bad UTF-8, trailing text and deep nesting are refused") {
  CHECK(why(R"({"flag":true,"flag":false})") == "JSON: field \"flag\" is given twice");
  CHECK(why(R"({"inner":{"n":1,"n":2}})") == "JSON: field \"n\" is given twice");
  CHECK(why("{\"inner\":{\"s\":\"\xff\"}}").find("JSON: parse error") == 0);
  CHECK_FALSE(why("{} x").empty());
  CHECK_FALSE(why("").empty());
  CHECK_FALSE(why("{\"flag\":tru").empty());
  CHECK(parse(std::string(64, '[') + std::string(64, ']')).ok());
  CHECK(parse(std::string(65, '[') + std::string(65, ']')).error().message ==
        "JSON: nested deeper than 64 levels");
  CHECK_FALSE(parse(std::string(100000, '[')).ok());
  CHECK_FALSE(parse("1e999").ok());
}

TEST_CASE("members keep their order, and a great many of them cost no more than their number") {
  CHECK(encode(Inner{2, "x"}) == R"({"n":2,"s":"x"})");
  CHECK(dump(*parse(R"({"b":1,"a":{"d":1,"c":2}})")) == R"({"b":1,"a":{"d":1,"c":2}})");
  std::string text = "{";
  for (int i = 0; i < 100000; ++i) text += "\"k" + std::to_string(i) + "\":{},";
  text += "\"last\":1}";
  CHECK(parse(text)->size() == 100001);
  CHECK(decode<Outer>("{\"map\":" + text + "}", Unknown::refuse).error().message ==
        "field \"map.last\" must be an object");
}

TEST_CASE("a string whose bytes are not UTF-8 travels as base64, whatever holds it") {
  Inner x;
  x.s = "a\xff";
  CHECK(encode(x) == R"({"n":1,"s":{"base64":"Yf8="}})");
  CHECK(decode<Inner>(encode(x), Unknown::refuse)->s == x.s);
  wire::TaskCreate t;
  t.argv = {"printf", "\xff", "ü"};
  t.cwd = "/latin\xe9";
  t.env["V"] = "\x80";
  const std::string text = encode(t, Defaults::omit);
  CHECK(
      text ==
      R"({"argv":["printf",{"base64":"/w=="},"ü"],"cwd":{"base64":"L2xhdGlu6Q=="},"env":{"V":{"base64":"gA=="}}})");
  const auto back = decode<wire::TaskCreate>(text, Unknown::refuse);
  REQUIRE(back.ok());
  CHECK(back->argv == t.argv);
  CHECK(back->cwd == t.cwd);
  CHECK(back->env == t.env);
  CHECK(why(R"({"inner":{"s":{"base64":"*"}}})") == "field \"inner.s.base64\" is damaged");
  CHECK(why(R"({"inner":{"s":{"base64":"Yf8=","x":1}}})") ==
        "field \"inner.s\" must be a string, or {\"base64\": ...}");
  CHECK(why(R"({"inner":{"s":{}}})") == "field \"inner.s\" must be a string, or {\"base64\": ...}");
}

TEST_CASE("bytes of a value of one's own are replaced when they are not UTF-8") {
  CHECK(dump(Value("a\xff")) == "\"a\xEF\xBF\xBD\"");
}

TEST_CASE("wire types survive the trip") {
  wire::TaskCreate t;
  t.argv = {"make", "test"};
  t.mode = wire::WorkspaceMode::read_only;
  t.env["A"] = "1";
  const std::string text = encode(t, Defaults::omit);
  CHECK(text == R"({"argv":["make","test"],"env":{"A":"1"},"mode":"read-only"})");
  CHECK(decode<wire::TaskCreate>(text, Unknown::refuse)->mode == wire::WorkspaceMode::read_only);
  wire::Event e;
  e.usage = Usage{};
  CHECK(decode<wire::Event>(encode(e), Unknown::refuse)->usage.has_value());
}

}  // namespace
}  // namespace codexos::json

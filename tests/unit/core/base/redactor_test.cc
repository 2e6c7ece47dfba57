// SPDX-License-Identifier: Apache-2.0
#include "core/base/redactor.h"

#include <doctest/doctest.h>

#include <chrono>
#include <random>
#include <string>

#include "core/base/spellings.h"
#include "core/base/text.h"

using namespace codexos;

namespace {
constexpr char kValue[] = "s3cr\"t/+val ue~<&>\xc3\xa9\xf0\x9f\x94\x91";

/// Redacted in pieces of random sizes.
std::string in_pieces(const Redactor& r, std::string_view text, std::mt19937& random) {
  Redactor::Stream s(r);
  std::string out;
  while (!text.empty()) {
    const size_t n = std::min<size_t>(text.size(), random() % 7);
    s.feed(text.substr(0, n), out);
    text.remove_prefix(n);
  }
  s.finish(out);
  return out;
}
}  // namespace

TEST_CASE("a value is overwritten by as many stars, in every spelling") {
  Redactor r;
  REQUIRE(r.add(kValue, 0));
  r.finish();
  for (const auto& form : spellings_of(kValue)) {
    const std::string text = "before " + form + " behind";
    CHECK(r.redacted(text) == "before " + std::string(form.size(), '*') + " behind");
  }
}

TEST_CASE("base64 is found in the middle of something longer") {
  Redactor r;
  r.add("correct-horse-battery", 0);
  r.finish();
  for (const std::string before : {"", "u", "us", "use", "user:"}) {
    const std::string text = to_base64(before + "correct-horse-battery" + "!!");
    const std::string found = r.redacted(text);
    CHECK(found.size() == text.size());
    // What is left has bits of the first and last byte at most.
    CHECK(std::count(found.begin(), found.end(), '*') >= 26);
  }
}

TEST_CASE("a long value is found in what tools break into lines, and by its own lines") {
  const std::string value = "a long value of\nsome lines, of which one is as long as this is\n";
  Redactor r;
  r.add(value, 0);
  r.finish();
  const auto all_stars = [&](const std::string& text, size_t left) {
    const std::string found = r.redacted(text);
    return found.size() == text.size() &&
           text.size() - left <= static_cast<size_t>(std::count(found.begin(), found.end(), '*'));
  };
  std::string wrapped = to_base64(value);
  for (const size_t columns : {76, 64}) {
    std::string text = wrapped;
    text.insert(columns, "\r\n");
    CHECK(all_stars(text, 3));
    text.erase(columns, 1);
    CHECK(all_stars(text, 3));
  }
  CHECK(r.redacted("some lines, of which one is as long as this is") == std::string(46, '*'));
  // Too short to be searched for by itself, and without the line end behind it.
  CHECK(r.redacted("a long value of") == "a long value of");
  CHECK(r.redacted(value) == std::string(value.size() - 1, '*') + "\n");
}

TEST_CASE("a very long value is found as it is and in base64") {
  std::string value;
  for (size_t i = 0; value.size() <= kMaxSpelled; ++i) value += std::to_string(i * 7919) + "-";
  Redactor r;
  REQUIRE(r.add(value, 0));
  r.finish();
  CHECK(r.redacted(value) == std::string(value.size(), '*'));
  CHECK(r.redacted(to_base64(value)).find(to_base64(value).substr(0, 8)) == std::string::npos);
}

TEST_CASE("100,000 random cuts make no difference") {
  Redactor r;
  r.add(kValue, 0);
  r.add("aaaaaaaab", 1);
  r.add("aaaabaaaabaaaac", 2);
  r.finish();
  std::mt19937 random(7);
  const auto forms = spellings_of(kValue);
  for (int i = 0; i < 100'000; ++i) {
    std::string text;
    for (int n = 0; n < 4; ++n) {
      text.append(random() % 12, "ab"[random() % 2]);
      const std::string& form = forms[random() % forms.size()];
      if (random() % 3 == 0)
        text += form.substr(0, random() % form.size());  // only a beginning
      else
        text += random() % 2 == 0 ? form : std::string("aaaaaaaab");
    }
    const std::string whole = r.redacted(text);
    REQUIRE(in_pieces(r, text, random) == whole);
    for (const auto& form : forms) REQUIRE(whole.find(form) == std::string::npos);
    REQUIRE(whole.find("aaaaaaaab") == std::string::npos);
    REQUIRE(whole.size() == text.size());
  }
}

TEST_CASE("overlapping values are all overwritten, and told by their tags") {
  Redactor r;
  r.add("12345678", 1);
  r.add("0123456789", 2);
  r.add("89abcdefgh", 3);
  r.finish();
  std::string tags;
  Redactor::Stream s(r, [&tags](uint32_t tag) { tags += std::to_string(tag); });
  std::string out;
  s.feed("-0123456789abcdefgh-", out);
  s.finish(out);
  CHECK(out == "-" + std::string(18, '*') + "-");
  CHECK(tags == "123");
}

TEST_CASE("nothing is held back but what may become a value") {
  Redactor r;
  r.add("supersecret", 0);
  r.finish();
  Redactor::Stream s(r);
  std::string out;
  s.feed("data: sup", out);
  CHECK(out == "data: ");
  CHECK(s.held().size() == 3);
  s.feed("per\n", out);
  CHECK(out == "data: supper\n");
  CHECK(s.held().empty());
  s.feed("x supersecre", out);
  s.finish(out);
  CHECK(out == "data: supper\nx supersecre");
}

TEST_CASE("what is too short is not searched for") {
  Redactor r;
  CHECK_FALSE(r.add("1234567", 0));
  r.finish();
  CHECK(r.empty());
  CHECK(r.redacted("1234567") == "1234567");
}

TEST_CASE("200 MB are searched in a second") {
  Redactor r;
  r.add("sk-proj-0123456789abcdefghijklmnopqrstuvwxyz", 0);
  r.add(kValue, 1);
  r.finish();
  std::mt19937 random(1);
  std::string text;
  for (int i = 0; i < 1 << 20; ++i) text += static_cast<char>(' ' + random() % 95);
  Redactor::Stream s(r);
  std::string out;
  constexpr int kRounds = 50;
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < kRounds; ++i) {
    s.feed(text, out);
    out.clear();
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  MESSAGE("redactor: " << kRounds * 1.048576 / took.count() << " MB/s");  // timing decides nothing
}

// SPDX-License-Identifier: Apache-2.0
// The log: what came with a request stays inside its quotes.
#include "core/base/log.h"

#include <doctest/doctest.h>

namespace codexos {
namespace {

std::string line(std::string_view who, std::string_view text,
                 std::initializer_list<LogField> fields = {}) {
  const std::string whole = format_log_line(1700000000000001, LogLevel::warning, who, text, fields);
  const std::string_view head = "time=2023-11-14T22:13:20.000001Z level=warning ";
  REQUIRE(whole.substr(0, head.size()) == head);
  return whole.substr(head.size());
}

TEST_CASE("an entry is one line of names and values") {
  CHECK(line("helpers", "lost", {{"pid", "7"}}) == "component=helpers message=lost pid=7\n");
  CHECK(line("task abc", "not adopted yet") ==
        "component=task message=\"not adopted yet\" task=abc\n");
  CHECK(line("x", "") == "component=x message=\"\"\n");
}

TEST_CASE("a value can begin neither a line nor a field") {
  CHECK(line("x", "a\nlevel=error") == "component=x message=\"a\\x0alevel=error\"\n");
  CHECK(line("x", "a\" b=\\") == "component=x message=\"a\\\" b=\\\\\"\n");
  CHECK(line("x", "\x1b[31m\x7f") == "component=x message=\"\\x1b[31m\\x7f\"\n");
  CHECK(line("x", "grüße") == "component=x message=grüße\n");
  CHECK(line("x", std::string(100000, 'a')).size() < 5000);
}

}  // namespace
}  // namespace codexos

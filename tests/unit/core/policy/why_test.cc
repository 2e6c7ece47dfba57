// SPDX-License-Identifier: Apache-2.0
#include "core/policy/why.h"

#include <doctest/doctest.h>

#include <string>

#include "core/policy/policy_file.h"
#include "core/policy/policy_text.h"

using namespace codexos;
using namespace codexos::policy;

namespace {

wire::Event refused(const char* what, const char* target, int port, const char* hint) {
  wire::Event e;
  e.type = wire::EventType::denied;
  e.what = what;
  e.target = target;
  if (port != 0) e.port = port;
  e.hint = hint;
  return e;
}

}  // namespace

TEST_CASE("refusals of the same thing are one reason, the most frequent first") {
  std::vector<Reason> all;
  add_denial(refused("network", "a.org", 22, "--allow a.org:22"), all);
  for (int i = 0; i < 3; ++i) add_denial(refused("dns", "b.org", 0, "--allow b.org"), all);
  add_denial(refused("network", "2001:db8::1", 443, "--allow 2001:db8::1"), all);
  wire::Event other;
  other.type = wire::EventType::task_started;
  add_denial(other, all);
  Known k;
  k.task.id = "t";
  const Why why = explain(k, all);
  REQUIRE(why.reasons.size() == 3);
  CHECK(why.reasons[0].target == "b.org");
  CHECK(why.reasons[0].times == 3);
  CHECK(why.reasons[0].policy == "allow: [b.org]");
  CHECK(why.reasons[1].target == "a.org:22");
  CHECK(why.reasons[2].target == "[2001:db8::1]:443");
  const std::string lines = closing_lines(why, 2);
  CHECK(why.reasons[1].text == "a.org:22 was refused");
  CHECK(lines ==
        "b.org was refused (3 times) · --allow b.org\na.org:22 was refused · --allow "
        "a.org:22\nand 1 more · codexos why");
  const std::string text = policy_text(suggest(k, why));
  CHECK(text == "net: allow\nallow:\n  - b.org\n  - 'a.org:22'\n  - '2001:db8::1'\n");
  CHECK(load_policy(text, "p", Rank::given).ok());
}

TEST_CASE("names that a task chose do not reach a terminal as they are") {
  std::vector<Reason> all;
  add_denial(refused("dns", "a\x1b[2J\n.org", 0, "--allow a\x1b.org"), all);
  for (const char c : closing_lines(explain(Known{}, all), 3))
    CHECK((static_cast<unsigned char>(c) >= 0x20 || c == '\n'));
  CHECK(closing_lines(explain(Known{}, all), 3).find('\n') == std::string::npos);
  CHECK(suggest(Known{}, explain(Known{}, all)).empty());  // it is no rule
}

TEST_CASE("the most frequent refusals come first, and at most so many are named at the end") {
  const auto reason = [](const char* target, uint64_t times) {
    Reason r;
    r.what = "network";
    r.target = target;
    r.times = times;
    r.text = r.target + " was refused";
    r.option = "--allow " + r.target;
    return r;
  };
  const Known k;
  const Why why = explain(k, {reason("a.org:22", 1), reason("b.org", 3), reason("c.org", 1)});
  CHECK(closing_lines(why, 2) ==
        "b.org was refused (3 times) · --allow b.org\na.org:22 was refused · --allow a.org:22\n"
        "and 1 more · codexos why");
  const std::string text = policy_text(suggest(k, why));
  CHECK(text == "net: allow\nallow:\n  - b.org\n  - 'a.org:22'\n  - c.org\n");
  CHECK(load_policy(text, "p", Rank::given).ok());
  CHECK(suggest(k, explain(k, {reason("no rule", 1)})).empty());
}

TEST_CASE("a limit names who set it and the next longer one") {
  Known k;
  k.task.cause = "time_limit";
  k.rights.limits.timeout_ms = 90000;
  k.sources = {{"timeout", "90s", "~/c.yaml"}};
  const Why why = explain(k, {});
  REQUIRE(why.reasons.size() == 1);
  CHECK(why.reasons[0].text == "it ran longer than its time limit of 1m30s");
  CHECK(why.reasons[0].rule == "~/c.yaml");
  CHECK(why.reasons[0].option == "--timeout 3m");
  CHECK(closing_lines(why, 3).empty());  // the end says so itself
  CHECK(policy_text(suggest(k, why)) == "limits:\n  timeout: '3m'\n");
  k.task.cause = "exited";
  CHECK(explain(k, {}).reasons.empty());
}

TEST_CASE("paths that were missing are shown by the suggested policy") {
  Known k;
  k.rights.show = {"/had:ro"};
  k.missing = {{"/it's here", false, false}, {"/w/.env", false, true}};
  k.sources = {{"hide", "/w/.env", "p.yaml"}};
  const Why why = explain(k, {});
  REQUIRE(why.reasons.size() == 2);
  CHECK(why.reasons[0].option == "--show '/it'\\''s here'");
  CHECK(why.reasons[0].policy == "show: ['/it''s here']");
  CHECK(why.reasons[1].rule == "p.yaml");
  const std::string text = policy_text(suggest(k, why));
  const auto read = load_policy(text, "p", Rank::given);
  if (!read.ok()) FAIL(read.error().message);
  CHECK(read->settings.show == Names{"/had:ro", "/it's here", "/w/.env"});
}

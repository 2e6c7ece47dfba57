// SPDX-License-Identifier: Apache-2.0
#include "core/policy/policy_file.h"

#include <doctest/doctest.h>

#include <string>

#include "core/policy/policy_text.h"
#include "core/policy/resolve.h"
#include "core/policy/settings.h"

using namespace codexos;
using namespace codexos::policy;

namespace {

struct Wrong {
  const char* yaml;
  const char* message;  // a part of it
  const char* hint = "";
  Rank rank = Rank::user;
};

constexpr Wrong kWrong[] = {
    {"nett: none\n", "p.yaml:1: unknown field \"nett\"", "did you mean \"net\"?"},
    {"version: 1\nlimits:\n  timeot: 5m\n", "p.yaml:3: unknown field \"limits.timeot\"",
     "did you mean \"timeout\"?"},
    {"profiles:\n  ci:\n    sho: [/x]\n", "p.yaml:3: unknown field \"profiles.ci.sho\"", "show"},
    {"net: none\nnet: host\n", "p.yaml:2: ", ""},
    {"net: everything\n", "p.yaml:1: field \"net\" must be one of none, allow, host"},
    {"net: [none]\n", "p.yaml:1: field \"net\" must be a string"},
    {"show: /data\n", "p.yaml:1: field \"show\" must be an array"},
    {"limits: 5m\n", "p.yaml:1: field \"limits\" must be an object"},
    {"limits:\n  timeout: 30\n", "p.yaml:2: field \"limits.timeout\" must be a string", "quotes"},
    {"limits:\n  timeout: 5 parsecs\n", "p.yaml:2: limits.timeout: '5 parsecs' is not a time",
     "30m"},
    {"limits:\n  idle_timeout: ''\n", "p.yaml:2: limits.idle_timeout: '' is not a time"},
    {"limits:\n  max_cost: 2\n", "p.yaml:2: limits.max_cost: a limit of cost is not available",
     "take the line out"},
    {"ceiling:\n  limits: {max_cost: '1'}\n", "p.yaml:2: ceiling.limits.max_cost: "},
    {"profiles: {x: {limits: {pids: 1}}}\n", "p.yaml:1: profiles.x.limits.pids: '1' is less"},
    {"limits: {memory: 12}\n", "p.yaml:1: field \"limits.memory\" must be a string", "quotes"},
    {"secrets: [TOKEN]\n", "p.yaml:1: secrets: secrets: not available in this version"},
    {"version: 2\n", "p.yaml:1: version: this version of codexos reads version 1"},
    {"allow: ['https://x.org/y']\n", "p.yaml:1: allow[0]: https://x.org/y: it is a URL", "x.org"},
    {"allow:\n  - good.org\n  - '@nothing'\n", "p.yaml:3: allow[1]: ", "groups"},
    {"net: none\nallow: [x.org]\n", "p.yaml:2: allow: nothing can be allowed with net: none"},
    {"env: ['*']\n", "env[0]: * would pass on everything"},
    {"env: ['A=b']\n", "env[0]: A=b: is not a variable's name"},
    {"env: [HOME]\n", "env[0]: HOME: a task has a home of its own"},
    {"env: ['PA*']\n", "env[0]: PA*: a task's PATH"},
    {"hide: ['../x']\n", "hide[0]: ../x: .. leads out"},
    {"hide: ['.']\n", "hide[0]: .: all of it cannot be hidden"},
    {"hide: ['a*/b']\n", "hide[0]: a*/b: * may stand at the end"},
    {"hide: ['']\n", "hide[0]: is empty"},
    {"show: [data]\n", "show[0]: data: is not absolute", "/"},
    {"show: ['/a:/b:ro:x']\n", "show[0]: /a:/b:ro:x: expected SRC[:DST][:ro|rw]"},
    {"protect: [/etc/x]\n", "protect[0]: /etc/x: is a path of the workspace"},
    {"protect: ['*']\n", "protect[0]: *: * alone"},
    {"protect: ['a*b*']\n", "protect[0]: a*b*: only one *"},
    {"profiles: {default: {}}\n", "profiles.default: the profile default"},
    {"profiles: {'a b': {}}\n", "profiles.a b: a profile's name"},
    {"ceiling: {net: none}\n", "ceiling: a project cannot set a ceiling", "settings",
     Rank::project},
    {"tests: [{expect: yes}]\n", "tests[0]: a test asks one question"},
    {"tests: [{reach: x.org, read: /y}]\n", "tests[0]: a test asks one question"},
    {"- a\n- b\n", "p.yaml:1: the document must be an object"},
    {"net: &x none\nseccomp: *x\n", "p.yaml:1: anchors and aliases are not allowed"},
    {"net: !!str none\n", "p.yaml:1: tags are not allowed"},
    {"net: none\n---\nnet: host\n", "a second document"},
    {"net: {\n", "p.yaml:"},
    {"net: \"\\x00\"\n", "p.yaml:1: field \"net\" must be one of"},
};

}  // namespace

TEST_CASE("a policy file that is wrong in any way is refused, with file, line, field and a hint") {
  for (const Wrong& w : kWrong) {
    CAPTURE(w.yaml);
    const auto r = load_policy(w.yaml, "p.yaml", w.rank);
    REQUIRE_FALSE(r.ok());
    CAPTURE(r.error().message);
    CAPTURE(r.error().hint);
    CHECK(r.error().code == Code::invalid);
    CHECK(r.error().message.find(w.message) != std::string::npos);
    CHECK(r.error().hint.find(w.hint) != std::string::npos);
  }
}

TEST_CASE("all values that are wrong are told at once") {
  const auto r = read_policy("env: ['*', '1A']\nhide: [/]\n", "p.yaml", Rank::user);
  CHECK(r.problems.size() == 3);
}

TEST_CASE("a policy file that is too large or no text is refused") {
  CHECK_FALSE(load_policy(std::string(kMaxPolicyBytes + 1, '#'), "p", Rank::user).ok());
  CHECK_FALSE(load_policy(std::string("net: none\n\0", 11), "p", Rank::user).ok());
  CHECK_FALSE(load_policy("hide: [\"\xff\"]\n", "p", Rank::user).ok());
  std::string deep = "show: ";
  for (int i = 0; i < 5000; ++i) deep += '[';
  CHECK_FALSE(load_policy(deep, "p", Rank::user).ok());
  std::string many = "hide:\n";
  for (int i = 0; i < 1001; ++i) many += "  - a\n";
  CHECK_FALSE(load_policy(many, "p", Rank::user).ok());
}

TEST_CASE("a whole policy file is read") {
  const auto r = load_policy(
      "version: 1\nshow: [~/data, '/opt/x:/y:rw']\nhide: [.env, 'secrets/*']\nnet: allow\n"
      "allow: [registry.npmjs.org, '*.example.org:8443', '@pypi', '10.0.0.0/8:5432']\n"
      "isolation: full\nseccomp: nested\nlimits: {timeout: 1h30m, idle_timeout: '0'}\n"
      "env: [DATABASE_URL, 'AWS_*']\nprotect: [deploy.sh, ci/release, '*.tf']\n"
      "profiles:\n  ci:\n    net: none\n    limits:\n      timeout: 10m\n"
      "ceiling:\n  seccomp: default\n"
      "tests:\n  - {reach: 'registry.npmjs.org:443', expect: 'yes'}\n  - {read: ~/.ssh, expect: "
      "'no'}\n",
      "p.yaml", Rank::user);
  if (!r.ok()) FAIL(r.error().message);
  CHECK(r->settings.show->size() == 2);
  CHECK(r->settings.net == wire::Network::allow);
  CHECK(*r->settings.limits.timeout == "1h30m");
  CHECK(r->profiles.at("ci").net == wire::Network::none);
  CHECK(r->ceiling->seccomp == wire::SeccompProfile::default_);
  CHECK(r->tests.size() == 2);
  const auto empty = load_policy("", "p", Rank::project);
  REQUIRE(empty.ok());
  CHECK(said(empty->settings).empty());
}

TEST_CASE("what is written as a policy file is read back as the same") {
  Inputs in;
  Policy p;
  p.net = wire::Network::allow;
  p.allow = Names{"*.example.org:8443", "@npm", "10.0.0.0/8:5432"};
  p.show = Names{"/data:ro", "/it's here", "/a b"};
  p.hide = Names{"/w/.env", "/w/true", "/w/x: y"};
  p.env = Names{"AWS_*", "true"};
  p.limits.timeout = "1h30m";
  p.limits.idle_timeout = "5";
  p.protect = Names{"*.tf", "null", "#x", "- y"};
  p.seccomp = wire::SeccompProfile::nested;
  in.options = {{"a test", p}};
  const auto first = resolve(in);
  REQUIRE(first.ok());
  const std::string text = policy_text(first->sources);
  const auto read = load_policy(text, "p.yaml", Rank::user);
  if (!read.ok()) FAIL(read.error().message << "\n" << text);
  in.options = {{"a test", read->settings}};
  const auto second = resolve(in);
  REQUIRE(second.ok());
  CHECK(within(first->rights, second->rights));
  CHECK(within(second->rights, first->rights));
  CHECK(policy_text(second->sources) == text);
}

TEST_CASE("variables are settings") {
  const auto r = read_settings({{"CODEXOS_NET", "none"},
                                {"CODEXOS_ALLOW", "a.org,10.0.0.0/8:22,private,@npm"},
                                {"CODEXOS_TIMEOUT", "5m"},
                                {"CODEXOS_PROFILE", "ci"},
                                {"CODEXOS_POLICY", "x.yaml"},
                                {"CODEXOS_SHOW", ""}});
  if (!r.ok()) FAIL(r.error().message);
  CHECK(r->profile == "ci");
  CHECK(r->file == "x.yaml");
  CHECK(r->said.size() == 3);
  CHECK(*r->said[0].policy.allow == Names{"a.org", "10.0.0.0/8:22,private", "@npm"});
  struct Bad {
    const char *name, *value, *message;
  };
  for (const Bad& b :
       {Bad{"CODEXOS_NET", "some", "CODEXOS_NET: 'some' is none of none, allow, host"},
        Bad{"CODEXOS_TIMEOUT", "soon", "CODEXOS_TIMEOUT: 'soon' is not a time"},
        Bad{"CODEXOS_ENV", "*", "CODEXOS_ENV: * would pass on everything, tokens too"},
        Bad{"CODEXOS_HOME", "/x", "CODEXOS_HOME: is no setting"}}) {
    const auto e = read_settings({{b.name, b.value}});
    REQUIRE_FALSE(e.ok());
    CHECK(e.error().message == b.message);
  }
}

// SPDX-License-Identifier: Apache-2.0
#include "core/policy/resolve.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>

#include "core/policy/policy_file.h"
#include "core/policy/policy_text.h"

using namespace codexos;
using namespace codexos::policy;

namespace {

PolicyFile file(const char* yaml, Rank rank = Rank::user) {
  auto r = load_policy(yaml, "test", rank);
  if (!r.ok()) FAIL(r.error().message);
  return *std::move(r);
}

Said option(const char* from, const char* yaml) { return {from, file(yaml).settings}; }

/// What stands for the files of one question; the inputs point into it.
struct Files {
  PolicyFile system, user, project, given;
  Inputs in;
  Files() {
    in.home = "/home/u";
    in.workspace = "/w";
  }
  Files& etc(const char* yaml) {
    system = file(yaml, Rank::system);
    in.system = {&system, "/etc/c.yaml"};
    return *this;
  }
  Files& own(const char* yaml) {
    user = file(yaml);
    in.user = {&user, "~/c.yaml"};
    return *this;
  }
  Files& repo(const char* yaml, bool trusted = false) {
    project = file(yaml, Rank::project);
    in.project = {&project, "/w/.codexos.yaml"};
    in.trusted = trusted;
    return *this;
  }
  Files& policy(const char* yaml) {
    given = file(yaml, Rank::given);
    in.given = {&given, "p.yaml"};
    return *this;
  }
  Resolved get() const {
    auto r = resolve(in);
    if (!r.ok()) FAIL(r.error().message);
    return *std::move(r);
  }
};

}  // namespace

TEST_CASE("the higher rank wins, and lists grow") {
  Files f;
  f.etc("limits: {timeout: 1h}\nshow: [/etc-shown]\nnet: allow\nallow: [a.org]\n")
      .own("limits: {timeout: 30m}\nshow: [~/data]\nseccomp: nested\nallow: [b.org]\n")
      .repo("limits: {timeout: 20m}\nhide: [.env]\n", true);
  f.in.options = {option("CODEXOS_SECCOMP", "seccomp: default"),
                  option("--timeout 2h", "limits: {timeout: 2h}")};
  const Resolved r = f.get();
  CHECK(r.rights.limits.timeout_ms == 7200000);
  CHECK(r.rights.show == Names{"/etc-shown", "/home/u/data"});
  CHECK(r.rights.allow == Names{"a.org", "b.org"});
  CHECK(r.rights.hide == Names{"/w/.env"});
  CHECK(r.rights.seccomp == wire::SeccompProfile::default_);
  CHECK(r.notes.empty());
  std::string from;
  for (const Source& s : r.sources)
    if (s.key == "timeout") from += s.from + " " + s.value;
  CHECK(from == "--timeout 2h 2h");
}

TEST_CASE("net none takes back what was allowed below it") {
  Files f;
  f.etc("allow: [a.org]").own("net: none");
  CHECK(f.get().rights.net == wire::Network::none);
  CHECK(f.get().rights.allow.empty());
  f.in.options = {option("--allow c.org", "allow: [c.org]")};
  CHECK(f.get().rights.net == wire::Network::allow);
  CHECK(f.get().rights.allow == Names{"c.org"});
  CHECK(policy_text(f.get().sources).find("a.org") == std::string::npos);
}

TEST_CASE("a ceiling of /etc binds files with a note and options with a refusal") {
  Files f;
  f.etc("ceiling: {seccomp: default, allow: ['*.corp.org'], limits: {timeout: 1h}, hide: [/x]}")
      .own("seccomp: nested\nallow: [git.corp.org, evil.org]\nlimits: {timeout: 2h}\n");
  const Resolved r = f.get();
  CHECK(r.rights.seccomp == wire::SeccompProfile::default_);
  CHECK(r.rights.allow == Names{"git.corp.org"});
  CHECK(r.rights.limits.timeout_ms == 3600000);
  CHECK(r.rights.hide == Names{"/x"});
  CHECK(r.notes.size() == 3);
  for (const char* bad : {"seccomp: nested", "net: host", "allow: [evil.org]", "allow: ['@npm']",
                          "limits: {timeout: '0'}", "limits: {timeout: 61m}"}) {
    CAPTURE(bad);
    f.in.options = {option("--it", bad)};
    const auto e = resolve(f.in);
    REQUIRE_FALSE(e.ok());
    CHECK(e.error().code == Code::denied);
    CHECK(e.error().message.find("/etc/c.yaml") != std::string::npos);
  }
  f.in.options = {option("--show /x", "show: [/x]")};
  CHECK(f.get().rights.hide == Names{"/x"});  // what a ceiling hides no option shows
}

TEST_CASE("no limit at all is more than a ceiling allows, without a note") {
  Files f;
  f.etc("ceiling: {limits: {timeout: 1h}}");
  CHECK(f.get().rights.limits.timeout_ms == 3600000);
  CHECK(f.get().notes.empty());
  CHECK(f.get().sources.at(0).from == "the ceiling of /etc/c.yaml");
}

TEST_CASE("a project that is not trusted can only narrow; trusted, up to the user's own ceiling") {
  const char* wants =
      "net: allow\nallow: [a.org, b.org]\nseccomp: nested\nshow: [data]\nenv: [TOKEN]\n"
      "hide: [.env]\nprotect: [deploy.sh]\nlimits: {timeout: 10m}\n";
  Files f;
  f.own("ceiling: {allow: [a.org], seccomp: default}").repo(wants);
  Resolved r = f.get();
  CHECK(r.rights.net == wire::Network::none);
  CHECK(r.rights.allow.empty());
  CHECK(r.rights.show.empty());
  CHECK(r.rights.env.empty());
  CHECK(r.rights.hide == Names{"/w/.env"});
  CHECK(r.rights.protect == Names{"deploy.sh"});
  CHECK(r.rights.limits.timeout_ms == 600000);
  CHECK(r.widenings.size() == 6);
  CHECK(r.notes.empty());
  f.in.trusted = true;
  r = f.get();
  CHECK(r.rights.net == wire::Network::allow);
  CHECK(r.rights.allow == Names{"a.org"});
  CHECK(r.rights.show == Names{"/w/data"});
  CHECK(r.rights.env == Names{"TOKEN"});
  CHECK(r.rights.seccomp == wire::SeccompProfile::default_);
  CHECK(r.widenings.empty());
  CHECK(r.notes.size() == 2);
  // The user's own ceiling is for projects, not for the user.
  f.in.options = {option("--seccomp nested", "seccomp: nested")};
  CHECK(f.get().rights.seccomp == wire::SeccompProfile::nested);
}

TEST_CASE("a policy that is given takes the place of the files and binds options") {
  Files f;
  f.etc("show: [/etc-shown]\nceiling: {allow: [a.org, b.org]}")
      .own("show: [/own]\nnet: host")
      .repo("seccomp: nested", true)
      .policy("allow: [a.org]\nlimits: {timeout: 5m}\n");
  f.in.options = {option("--timeout 1m", "limits: {timeout: 1m}")};
  f.in.set = {"ANY"};
  const Resolved r = f.get();
  CHECK(r.rights.show.empty());
  CHECK(r.rights.seccomp == wire::SeccompProfile::default_);
  CHECK(r.rights.allow == Names{"a.org"});
  CHECK(r.rights.limits.timeout_ms == 60000);
  for (const char* bad : {"show: [/x]", "allow: [b.org]", "limits: {timeout: 6m}"}) {
    f.in.options = {option("--it", bad)};
    const auto e = resolve(f.in);
    REQUIRE_FALSE(e.ok());
    CHECK(e.error().message.find("p.yaml") != std::string::npos);
  }
  f.in.options.clear();
  f.policy("allow: [a.com]");
  const auto e = resolve(f.in);
  REQUIRE_FALSE(e.ok());
  CHECK(e.error().message.find("/etc/c.yaml") != std::string::npos);
  f.policy("limits: {timeout: 5m}\nceiling: {limits: {timeout: 1m}}");
  f.in.set.clear();
  CHECK(f.get().rights.limits.timeout_ms == 60000);
  f.in.set = {"ANY"};
  f.policy("env: [GOOD]");
  CHECK_FALSE(resolve(f.in).ok());  // -e ANY
  f.in.set = {"GOOD"};
  CHECK(resolve(f.in).ok());
}

TEST_CASE("profiles lie over the settings of their file; one that nobody knows is an error") {
  Files f;
  f.own("limits: {timeout: 1h}\nprofiles: {ci: {limits: {timeout: 5m}}, big: {seccomp: nested}}")
      .repo("profiles: {ci: {hide: [x]}}");
  f.in.profile = "ci";
  CHECK(f.get().rights.limits.timeout_ms == 300000);
  CHECK(f.get().rights.hide == Names{"/w/x"});
  CHECK(f.get().sources.at(0).from == "~/c.yaml (profile ci)");
  f.in.profile = "default";
  CHECK(f.get().rights.limits.timeout_ms == 3600000);
  f.in.profile = "cii";
  const auto e = resolve(f.in);
  REQUIRE_FALSE(e.ok());
  CHECK(e.error().code == Code::not_found);
  CHECK(e.error().hint.find("ci") != std::string::npos);
}

TEST_CASE("what an option shows by name a file does not hide") {
  Files f;
  f.own("hide: ['.env*', keys]");
  f.in.options = {option("--show", "show: ['/w/.env:ro']")};
  CHECK(f.get().rights.hide == Names{"/w/keys"});
  f.in.workspace.clear();
  f.in.options.clear();
  CHECK(f.get().rights.hide.empty());  // relative to a workspace that there is not
}

// --- properties ---------------------------------------------------------------------------------

namespace {

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  bool maybe(int percent) { return below(100) < percent; }
  int below(int n) { return static_cast<int>(engine_() % static_cast<uint32_t>(n)); }
  Names some(const std::vector<const char*>& from) {
    Names out;
    for (const char* x : from)
      if (maybe(35)) out.emplace_back(x);
    return out;
  }
  Policy policy(bool with_net = true) {
    Policy p;
    if (maybe(50)) p.show = some({"/a", "/a/b:rw", "/a/b/c", "/d:rw", "/d:/x:ro", "/e/"});
    if (maybe(50)) p.hide = some({"/w/.env", "/w/x*", "/a/b"});
    if (with_net && maybe(50)) p.net = static_cast<wire::Network>(below(3));
    if (maybe(50))
      p.allow = some({"a.org", "*.a.org", "x.a.org:22", "a.org:443", "10.0.0.0/8", "10.1.0.0/16",
                      "@npm", "registry.npmjs.org", "*.a.org:*"});
    if (maybe(50)) p.seccomp = static_cast<wire::SeccompProfile>(below(2));
    const auto time = [this] {
      return std::string(
          std::vector<const char*>{"0", "1m", "5m", "1h"}[static_cast<size_t>(below(4))]);
    };
    if (maybe(50)) p.limits.timeout = time();
    if (maybe(50)) p.limits.idle_timeout = time();
    if (maybe(50)) p.env = some({"A", "A_*", "A_B", "A_B*", "C"});
    if (maybe(50)) p.protect = some({"x", "y/z"});
    return p;
  }
  PolicyFile file(bool with_ceiling) {
    PolicyFile f;
    f.settings = policy();
    if (maybe(40)) f.profiles["p"] = policy();
    if (with_ceiling && maybe(60)) f.ceiling = policy();
    return f;
  }

 private:
  std::mt19937 engine_;
};

struct Sample {
  PolicyFile system, user, project;
  Inputs in;
};
void fill(Sample& s, Random& random) {
  s.in.home = "/home/u";
  s.in.workspace = "/w";
  if (random.maybe(70)) {
    s.system = random.file(true);
    s.in.system = {&s.system, "etc"};
  }
  if (random.maybe(70)) {
    s.user = random.file(true);
    s.in.user = {&s.user, "user"};
  }
  s.project = random.file(false);
  s.in.project = {&s.project, "project"};
}

}  // namespace

TEST_CASE("properties: meet is below both, and narrowing is monotone") {
  Random random(20261126);
  for (int i = 0; i < 4000; ++i) {
    Inputs in;
    in.options = {{"x", random.policy()}};
    const auto r = resolve(in);
    REQUIRE(r.ok());
    const Policy cap = random.policy();
    const Rights low = meet(r->rights, cap);
    CHECK(within(low, r->rights));
    CHECK(excess(cap_of(low), cap).empty());
    CHECK(within(meet(low, cap), low));  // once is enough
    CHECK(within(low, meet(low, cap)));
    CHECK(within(r->rights, r->rights));
    const Policy clipped = clip(random.policy(), cap);
    CHECK(excess(clipped, cap).empty());
  }
}

TEST_CASE("properties: an untrusted project never widens, whatever it says") {
  Random random(7);
  int with_profile = 0;
  for (int i = 0; i < 4000; ++i) {
    Sample s;
    fill(s, random);
    if (random.maybe(30) && s.project.profiles.count("p") != 0) {
      s.in.profile = "p";
      ++with_profile;
    }
    const auto with = resolve(s.in);
    REQUIRE(with.ok());
    PolicyFile none;
    none.profiles["p"] = Policy{};  // so that the name is known
    s.in.project = {&none, "none"};
    const auto without = resolve(s.in);
    REQUIRE(without.ok());
    CAPTURE(policy_text(with->sources));
    CAPTURE(policy_text(without->sources));
    CHECK(within(with->rights, without->rights));
  }
  CHECK(with_profile > 100);
}

TEST_CASE(
    "properties: nothing is ever wider than the ceiling of /etc; the user's own binds projects") {
  Random random(99);
  int refused = 0, allowed = 0;
  for (int i = 0; i < 4000; ++i) {
    Sample s;
    fill(s, random);
    s.in.trusted = random.maybe(50);
    if (random.maybe(50)) s.in.options = {{"--it", random.policy()}};
    const auto r = resolve(s.in);
    if (!r.ok()) {
      CHECK(r.error().code == Code::denied);
      ++refused;
      continue;
    }
    ++allowed;
    for (const Source& x : r->sources) {  // what is told is what holds
      const Names* list = x.key == "allow"  ? &r->rights.allow
                          : x.key == "show" ? &r->rights.show
                          : x.key == "env"  ? &r->rights.env
                                            : nullptr;
      if (list != nullptr) CHECK(std::find(list->begin(), list->end(), x.value) != list->end());
    }
    if (s.system.ceiling) {
      CHECK(excess(cap_of(r->rights), *s.system.ceiling).empty());
      if (s.system.ceiling->protect)
        for (const auto& x : *s.system.ceiling->protect)
          CHECK(std::find(r->rights.protect.begin(), r->rights.protect.end(), x) !=
                r->rights.protect.end());
    }
  }
  CHECK(refused > 100);
  CHECK(allowed > 1000);
}

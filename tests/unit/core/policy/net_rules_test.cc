// SPDX-License-Identifier: Apache-2.0
#include "core/policy/net_rules.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "core/policy/host_name.h"
#include "core/policy/net_groups.h"

using namespace codexos;

namespace {
std::vector<NetRule> rules(const std::vector<std::string>& texts) {
  auto r = parse_net_rules(texts);
  REQUIRE_MESSAGE(r.ok(), (r.ok() ? "" : r.error().message));
  return *r;
}
bool allowed(const std::string& rule, const std::string& name, uint16_t port) {
  return match_name(rules({rule}), name, port) != nullptr;
}
bool dialled(const std::string& rule, const std::string& address, uint16_t port = 443) {
  const auto a = parse_ip(address);
  REQUIRE(a);
  return match_address(rules({rule}), *a, port) != nullptr;
}
std::string why_not(const std::string& text) {
  auto r = parse_net_rule(text);
  return r.ok() ? "it was accepted" : r.error().message;
}
bool is_name(std::string_view text) { return clean_host_name(text).ok(); }
}  // namespace

TEST_CASE("an empty list of rules admits nothing") {
  CHECK(match_name({}, "example.org", 443) == nullptr);
  CHECK(match_address({}, *parse_ip("93.184.216.34"), 443) == nullptr);
}

TEST_CASE("a host without a port is reached on 443 and 80 only") {
  CHECK(allowed("example.org", "example.org", 443));
  CHECK(allowed("example.org", "example.org", 80));
  CHECK_FALSE(allowed("example.org", "example.org", 22));
  CHECK(allowed("example.org", "example.org", 0));  // on some port: for DNS
}

TEST_CASE("a port, a range and * are read") {
  CHECK(allowed("example.org:22", "example.org", 22));
  CHECK_FALSE(allowed("example.org:22", "example.org", 443));
  CHECK(allowed("example.org:8000-8010", "example.org", 8010));
  CHECK_FALSE(allowed("example.org:8000-8010", "example.org", 8011));
  CHECK(allowed("example.org:*", "example.org", 1));
  for (const char* bad : {"a.org:0", "a.org:65536", "a.org:", "a.org:http", "a.org:9-8", "a.org:-1",
                          "a.org: 80", "a.org:+80"})
    CHECK_MESSAGE(why_not(bad).find("is no port") != std::string::npos, bad);
}

TEST_CASE("the ports that rules name are listed, unless they are too many") {
  CHECK(ports_of({}, 3) == std::vector<int32_t>{});
  CHECK(ports_of(rules({"a.org", "b.org:22", "c.org:443"}), 3) ==
        std::vector<int32_t>{22, 80, 443});
  CHECK(ports_of(rules({"a.org", "b.org:22"}), 2) == std::nullopt);
  CHECK(ports_of(rules({"a.org:*"}), 65534) == std::nullopt);
  CHECK(ports_of(rules({"a.org:*"}), 65535)->back() == 65535);
}

TEST_CASE("*.host covers every depth below it and not the host itself") {
  CHECK(allowed("*.example.org", "a.example.org", 443));
  CHECK(allowed("*.example.org", "a.b.example.org", 443));
  CHECK_FALSE(allowed("*.example.org", "example.org", 443));
  CHECK_FALSE(allowed("*.example.org", "evilexample.org", 443));
  CHECK_FALSE(allowed("*.example.org", "example.org.evil.com", 443));
  CHECK_FALSE(allowed("*.example.org", ".example.org", 443));
}

TEST_CASE("a suffix or prefix of an allowed host is another host") {
  CHECK_FALSE(allowed("github.com", "evilgithub.com", 443));
  CHECK_FALSE(allowed("github.com", "github.com.evil.org", 443));
  CHECK_FALSE(allowed("github.com", "api.github.com", 443));
  CHECK_FALSE(allowed("github.com", "github.co", 443));
}

TEST_CASE("rules are read without regard to case, and IDN by punycode") {
  CHECK(allowed("GitHub.COM", "github.com", 443));
  CHECK(allowed("Bücher.example", "xn--bcher-kva.example", 443));
  CHECK(allowed("*.bücher.example", "a.xn--bcher-kva.example", 443));
  CHECK(rules({"straße.de"}).front().name == "xn--strae-oqa.de");
  CHECK(rules({"ｇｉｔｈｕｂ.com"}).front().name ==
        "github.com");  // UTS 46 maps full-width letters
}

TEST_CASE("what no program agrees about is no host name") {
  using namespace std::string_literals;
  for (const auto& bad : {""s,
                          "."s,
                          "a..b"s,
                          ".a.org"s,
                          "a.org."s,
                          "a.org.."s,
                          "evil\0.good.com"s,
                          "good.com\0.evil"s,
                          "a b.org"s,
                          "a\t.org"s,
                          "a\n.org"s,
                          "a%2eorg"s,
                          "user@a.org"s,
                          "a_b.org"s,
                          "-a.org"s,
                          "a-.org"s,
                          "a.org:80"s,
                          "a/b"s,
                          "a\\b.org"s,
                          "b\xc3\xbc.org"s,
                          "a.org\x7f"s,
                          "1.2.3"s,
                          "127.1"s,
                          "2130706433"s,
                          "0x7f000001"s,
                          "0x7f.1"s,
                          "0177.0.0.1"s,
                          "1.2.3.4"s,
                          "a.0x"s,
                          "a.08"s,
                          "[::1]"s,
                          "::1"s,
                          "fe80::1%eth0"s,
                          std::string(64, 'a') + ".org",
                          std::string(250, 'a') + ".org"})
    CHECK_MESSAGE(!is_name(bad), bad);
  for (const char* good : {"a.org", "A.Org", "xn--bcher-kva.example", "a-b.org", "1.example",
                           "3com.com", "db", "a.1b", "0.org"})
    CHECK_MESSAGE(is_name(good), good);
  CHECK(*clean_host_name("GitHub.Com") == "github.com");
}

TEST_CASE("a mistaken rule is refused with what is wrong") {
  CHECK(why_not("https://github.com/x").find("URL") != std::string::npos);
  CHECK(parse_net_rule("https://github.com/x").error().hint.find("github.com") !=
        std::string::npos);
  CHECK(why_not("github.com/codexos").find("path") != std::string::npos);
  CHECK(why_not("*").find("*") != std::string::npos);
  CHECK(why_not("*.com").find("top-level") != std::string::npos);
  CHECK(why_not("a.*.org").find("only at the front") != std::string::npos);
  CHECK(why_not("**.a.org").find("only at the front") != std::string::npos);
  CHECK(why_not("localhost:80").find("the task itself") != std::string::npos);
  CHECK(why_not("a.org,b.org").find("cannot follow") != std::string::npos);
  CHECK(why_not("@nmp").find("no group") != std::string::npos);
  CHECK(parse_net_rule("@nmp").error().hint.find("@npm") != std::string::npos);
  CHECK(why_not("10.0.0.1/8").find("bits behind") != std::string::npos);
  CHECK(why_not("10.0.0.0/33").find("prefix length") != std::string::npos);
  CHECK(why_not("10.0.0.0/").find("prefix length") != std::string::npos);
  CHECK(why_not("[::1").find("bracket") != std::string::npos);
  CHECK(why_not("fe80::1%eth0").find("no IP address") != std::string::npos);
  CHECK(why_not("").find("empty") != std::string::npos);
  CHECK(why_not("127.1").find("reads as a number") != std::string::npos);
  CHECK(why_not("0x7f000001").find("reads as a number") != std::string::npos);
  CHECK(why_not("a.org.").find("dot at the end") != std::string::npos);
  CHECK(parse_net_rules({"a.org", "b c"}).error().message.find("network rule") == 0);
}

TEST_CASE("addresses are admitted by networks only, and names never by them") {
  CHECK(dialled("93.184.216.0/24", "93.184.216.34"));
  CHECK_FALSE(dialled("93.184.216.0/24", "93.184.217.34"));
  CHECK_FALSE(dialled("93.184.216.34:5432", "93.184.216.34", 443));
  CHECK(dialled("93.184.216.34:5432", "93.184.216.34", 5432));
  CHECK(dialled("2606:2800::/32", "2606:2800:220::1"));
  CHECK(dialled("[2606:2800::/32]:22", "2606:2800:220::1", 22));
  CHECK_FALSE(dialled("example.org", "93.184.216.34"));
  CHECK_FALSE(allowed("0.0.0.0/0", "example.org", 443));
}

TEST_CASE("an IPv4 address in IPv6 clothes is that IPv4 address") {
  CHECK(dialled("93.184.216.0/24", "::ffff:93.184.216.34"));
  CHECK(dialled("93.184.216.0/24", "64:ff9b::93.184.216.34"));
  CHECK(dialled("93.184.216.0/24", "2002:5db8:d822::1"));
  CHECK_FALSE(dialled("::/0", "::ffff:127.0.0.1"));
  CHECK_FALSE(dialled("::/0", "64:ff9b::10.0.0.1"));
  CHECK_FALSE(dialled("::/0", "2002:7f00:1::"));
  CHECK_FALSE(dialled("::/0", "::127.0.0.1"));
}

TEST_CASE("a wide network never reaches this machine or the network around it") {
  for (const char* a :
       {"127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254",
        "169.254.1.1", "224.0.0.1", "255.255.255.255", "0.0.0.0", "198.18.0.5", "168.63.129.16"})
    CHECK_MESSAGE(!dialled("0.0.0.0/0", a), a);
  for (const char* a :
       {"::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1"})
    CHECK_MESSAGE(!dialled("::/0", a), a);
  CHECK(dialled("0.0.0.0/0", "93.184.216.34"));
  CHECK(dialled("::/0", "2606:4700::1"));
}

TEST_CASE("private admits what is near and nothing that is nowhere") {
  CHECK(dialled("127.0.0.1:8080,private", "127.0.0.1", 8080));
  CHECK_FALSE(dialled("127.0.0.1:8080", "127.0.0.1", 8080));
  CHECK(dialled("10.1.0.0/16", "10.1.2.3"));  // whoever names it means it
  CHECK_FALSE(dialled("169.254.169.254,private", "169.254.169.254", 80));
  CHECK_FALSE(dialled("0.0.0.0/0:*,private", "100.100.100.200", 80));
  CHECK(dialled("0.0.0.0/0:*,private", "192.168.1.1", 80));

  const auto open = rules({"registry.corp.example"}).front();
  const auto marked = rules({"registry.corp.example,private"}).front();
  CHECK(admits_resolved(open, *parse_ip("93.184.216.34")));
  CHECK_FALSE(admits_resolved(open, *parse_ip("10.0.0.7")));
  CHECK_FALSE(admits_resolved(open, *parse_ip("::ffff:10.0.0.7")));
  CHECK(admits_resolved(marked, *parse_ip("10.0.0.7")));
  CHECK(admits_resolved(marked, *parse_ip("127.0.0.1")));
  CHECK_FALSE(admits_resolved(marked, *parse_ip("169.254.169.254")));
  CHECK_FALSE(admits_resolved(marked, *parse_ip("fe80::1")));
}

TEST_CASE("every group parses, and its rules carry the group's name") {
  for (const auto& g : net_groups()) {
    const auto all = rules({"@" + std::string(g.name)});
    CHECK(all.size() == g.rules.size());
    for (const auto& r : all) CHECK(r.text == "@" + std::string(g.name));
  }
  CHECK(match_name(rules({"@npm"}), "registry.npmjs.org", 443)->text == "@npm");
  CHECK(match_name(rules({"@github"}), "github.com", 22) != nullptr);
}

TEST_CASE("a ceiling covers what lies below it") {
  const auto over = [](const std::vector<std::string>& wide, const std::string& narrow) {
    const auto w = rules(wide);
    const auto n = rules({narrow});
    return std::all_of(n.begin(), n.end(), [&w](const NetRule& r) { return covers(w, r); });
  };
  CHECK(over({"*.example.org"}, "a.example.org"));
  CHECK(over({"*.example.org"}, "*.b.example.org"));
  CHECK(over({"*.example.org"}, "*.example.org"));
  CHECK_FALSE(over({"*.example.org"}, "example.org"));
  CHECK_FALSE(over({"a.example.org"}, "*.example.org"));
  CHECK_FALSE(over({"example.org"}, "example.org:22"));
  CHECK_FALSE(over({"example.org:443"}, "example.org"));
  CHECK(over({"example.org:443", "example.org:80"}, "example.org"));
  CHECK(over({"example.org:*"}, "example.org:22"));
  CHECK_FALSE(over({"example.org"}, "example.org,private"));
  CHECK(over({"10.0.0.0/8"}, "10.1.0.0/16"));
  CHECK_FALSE(over({"10.1.0.0/16"}, "10.0.0.0/8"));
  CHECK_FALSE(over({"0.0.0.0/0"}, "example.org"));
  CHECK(over({"@npm", "@pypi"}, "@npm"));
  CHECK_FALSE(over({}, "example.org"));
}

TEST_CASE("a rule's text can be read again and means the same") {
  for (const char* text : {"example.org", "example.org:22", "*.example.org:8000-8010",
                           "example.org:*", "a.org,private", "10.0.0.0/8", "10.0.0.0/8:22",
                           "[2606:2800::/32]:443", "2606:2800::/32", "127.0.0.0/8:80,private"})
    CHECK(to_text(rules({text}).front()) == text);
  CHECK(rule_for("evil.org", 443) == "evil.org");
  CHECK(rule_for("evil.org", 22) == "evil.org:22");
  CHECK(rule_for("2606:2800::1", 22) == "[2606:2800::1]:22");
}

TEST_CASE("terminate is a mark like private, of names only, and holds whichever rule admits") {
  CHECK(rules({"a.org,terminate"})[0].terminate);
  const auto both = rules({"a.org:8443,terminate,private"})[0];
  CHECK(both.terminate);
  CHECK(both.admits_near);
  CHECK(to_text(both) == "a.org:8443,private,terminate");
  CHECK(terminates(rules({"*.a.org", "x.a.org,terminate"}), "x.a.org", 443));
  CHECK_FALSE(terminates(rules({"a.org,terminate"}), "a.org", 22));
  CHECK_FALSE(covers(rules({"a.org,terminate"}), rules({"a.org"})[0]));
  CHECK(covers(rules({"a.org"}), rules({"a.org,terminate"})[0]));
  for (const char* bad :
       {"10.0.0.1,terminate", "@npm,terminate", "a.org,terminate,terminate", "a.org,"})
    CHECK_MESSAGE(why_not(bad) != "it was accepted", bad);
}

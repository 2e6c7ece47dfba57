// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/git_logins.h"

#include <doctest/doctest.h>

using namespace codexos;
using namespace codexos::daemon;

namespace {
GitLogin login(const std::string& placeholder, const std::string& host,
               const std::string& path = "") {
  GitLogin out;
  out.placeholder = placeholder;
  out.binding.hosts = {host};
  out.binding.path_prefix = path;
  return out;
}
/// The URLs in order, each with its placeholder.
std::string urls(const std::vector<GitLogin>& logins) {
  const auto text = git_logins_config(logins);
  REQUIRE(text.ok());
  std::string out;
  for (size_t at = 0; (at = text->find("[credential \"", at)) != std::string::npos;) {
    const size_t begin = at + 13, end = text->find("\"]", begin);
    const size_t password = text->find("password=", end) + 9;
    out += text->substr(begin, end - begin) + " " +
           text->substr(password, text->find(';', password) - password) + "\n";
    at = end;
  }
  return out;
}
}  // namespace

TEST_CASE("a secret without a host that git could name gives no file") {
  CHECK(*git_logins_config({}) == "");
  CHECK(*git_logins_config({login("p", "203.0.113.0/24")}) == "");
  CHECK(*git_logins_config({login("p", "a.org:80")}) == "");
}

TEST_CASE("a helper answers for one URL, after those that were there are taken back") {
  CHECK(*git_logins_config({login("cxsec_1", "a.org")}) ==
        "# of codexos: git signs in with placeholders of secrets\n"
        "[credential \"https://a.org\"]\n"
        "\thelper =\n"
        "\thelper = \"!f() { while read -r l; do :; done; echo password=cxsec_1; }; f\"\n"
        "\tusername = x-access-token\n");
}

TEST_CASE("ports are those of the rule, as far as a URL can say them") {
  CHECK(urls({login("p", "a.org:8443")}) == "https://a.org:8443 p\n");
  CHECK(urls({login("p", "a.org:442-444")}) ==
        "https://a.org:442 p\nhttps://a.org p\nhttps://a.org:444 p\n");
  CHECK(urls({login("p", "a.org:*")}) == "https://a.org p\n");
  CHECK(urls({login("p", "a.org:8000-8015")}) != "");
  CHECK(urls({login("p", "a.org:8000-8016")}) == "");
}

TEST_CASE("what fits better comes later, and of two for one URL the first counts") {
  CHECK(urls({login("x", "a.b.org"), login("y", "a.b.org")}) == "https://a.b.org x\n");
  CHECK(urls({login("long", "a.org", "/x/y"), login("short", "a.org", "/x"),
              login("all", "a.org")}) ==
        "https://a.org all\nhttps://a.org/x short\nhttps://a.org/x/y long\n");
  CHECK(urls({login("one", "a.b.org"), login("below", "*.b.org")}) ==
        "https://*.b.org below\nhttps://*.*.b.org below\nhttps://*.*.*.b.org below\n"
        "https://*.*.*.*.b.org below\nhttps://a.b.org one\n");
}

TEST_CASE("a path cannot end its section") {
  const auto text = git_logins_config({login("p", "a.org", "/x\"]\\")});
  CHECK(text->find("[credential \"https://a.org/x\\\"]\\\\\"]\n") != std::string::npos);
  GitLogin line = login("p", "a.org", "/x\n[core]");
  CHECK_FALSE(is_for_git(line.binding));
}

TEST_CASE("git sends Authorization, by GET and by POST") {
  wire::SecretBinding b;
  CHECK(is_for_git(b));
  b.methods = {"GET"};
  CHECK_FALSE(is_for_git(b));
  b.methods = {"POST", "GET"};
  CHECK(is_for_git(b));
  b.header = "x-key";
  CHECK_FALSE(is_for_git(b));
}

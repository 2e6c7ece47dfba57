// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/proxy.h"

#include <doctest/doctest.h>

using namespace codexos::daemon;

TEST_CASE("a proxy is read from its URL") {
  auto p = parse_proxy("http://user:p%40ss@proxy.corp:3128/", "localhost, .corp.test,10.0.0.0/8");
  REQUIRE(p.ok());
  REQUIRE(*p);
  CHECK((*p)->host == "proxy.corp");
  CHECK((*p)->port == 3128);
  CHECK((*p)->authorization == "Basic dXNlcjpwQHNz");
  CHECK(connect_request(**p, "a.test", 443)
            .starts_with("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n"));
  CHECK(connect_request(**p, "2001:db8::1", 443).starts_with("CONNECT [2001:db8::1]:443 "));
  CHECK(uses_proxy(**p, "a.test"));
  CHECK_FALSE(uses_proxy(**p, "x.corp.test"));
  CHECK_FALSE(uses_proxy(**p, "corp.test"));
  CHECK(uses_proxy(**p, "evilcorp.test"));
  CHECK_FALSE(uses_proxy(**p, "10.1.2.3"));
  CHECK(uses_proxy(**p, "11.1.2.3"));
}

TEST_CASE("no proxy, and kinds that are not spoken") {
  CHECK_FALSE(parse_proxy("", "").operator*().has_value());
  CHECK((*parse_proxy("proxy:8080", ""))->port == 8080);
  CHECK((*parse_proxy("http://[::1]:8080", ""))->host == "::1");
  CHECK_FALSE(uses_proxy(**parse_proxy("http://p:1", "*"), "a.test"));
  for (const char* bad : {"socks5://p:1", "https://p:1", "http://p:x", "http://p:0", "http://:1"})
    CHECK_MESSAGE(!parse_proxy(bad, "").ok(), bad);
}

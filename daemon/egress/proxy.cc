// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/proxy.h"

#include <algorithm>
#include <charconv>

#include "core/base/text.h"
#include "core/policy/ip_address.h"

namespace codexos::daemon {
namespace {

constexpr uint16_t kDefaultPort = 80;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decoded(std::string_view s) {
  std::string out;
  for (size_t i = 0; i < s.size(); ++i) {
    const int high = s[i] == '%' && i + 2 < s.size() ? hex_digit(s[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(s[i + 2]) : -1;
    if (low < 0) {
      out += s[i];
      continue;
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    std::string_view one = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    while (!one.empty() && one.front() == ' ') one.remove_prefix(1);
    while (!one.empty() && one.back() == ' ') one.remove_suffix(1);
    if (!one.empty()) out.push_back(to_lower(one));
  }
  return out;
}

bool ends_with(std::string_view s, std::string_view tail) {
  return s.size() >= tail.size() && s.substr(s.size() - tail.size()) == tail;
}

}  // namespace

Result<std::optional<Proxy>> parse_proxy(std::string_view url, std::string_view no_proxy) {
  if (url.empty()) return std::optional<Proxy>();
  const size_t scheme = url.find("://");
  if (scheme != std::string_view::npos && to_lower(url.substr(0, scheme)) != "http")
    return Error{Code::invalid,
                 "a proxy by " + std::string(url.substr(0, scheme)) + " is not available",
                 "HTTPS_PROXY=http://HOST:PORT"};
  std::string_view rest = scheme == std::string_view::npos ? url : url.substr(scheme + 3);
  rest = rest.substr(0, rest.find_first_of("/?#"));
  Proxy p;
  if (const size_t at = rest.rfind('@'); at != std::string_view::npos) {
    p.authorization = "Basic " + to_base64(percent_decoded(rest.substr(0, at)));
    rest = rest.substr(at + 1);
  }
  p.port = kDefaultPort;
  const bool bracket = !rest.empty() && rest.front() == '[';
  const size_t host_end = bracket ? rest.find(']') + 1 : std::min(rest.find(':'), rest.size());
  p.host = bracket ? rest.substr(1, host_end - 2) : rest.substr(0, host_end);
  const std::string_view port = rest.substr(std::min(host_end, rest.size()));
  if (!port.empty()) {
    const auto [end, bad] = std::from_chars(port.data() + 1, port.data() + port.size(), p.port);
    if (bad != std::errc() || end != port.data() + port.size() || port.front() != ':' ||
        p.port == 0)
      return Error{Code::invalid, "the proxy's port is no number", "HTTPS_PROXY=http://HOST:PORT"};
  }
  if (p.host.empty())
    return Error{Code::invalid, "the proxy has no host", "HTTPS_PROXY=http://HOST:PORT"};
  p.without = split_list(no_proxy);
  return std::optional<Proxy>(std::move(p));
}

bool uses_proxy(const Proxy& p, std::string_view host) {
  const auto address = parse_ip(host);
  for (const std::string& entry : p.without) {
    if (entry == "*" || entry == host) return false;
    if (address) {
      const auto network = parse_network(entry);
      if (network.ok() && contains(*network, *address)) return false;
      continue;
    }
    const std::string_view tail = entry.front() == '.' ? std::string_view(entry).substr(1) : entry;
    if (host == tail || ends_with(host, "." + std::string(tail))) return false;
  }
  return true;
}

std::string connect_request(const Proxy& p, std::string_view host, uint16_t port) {
  const bool v6 = host.find(':') != std::string_view::npos;
  const std::string authority =
      (v6 ? "[" : "") + std::string(host) + (v6 ? "]" : "") + ":" + std::to_string(port);
  std::string out = "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n";
  if (!p.authorization.empty()) out += "Proxy-Authorization: " + p.authorization + "\r\n";
  return out + "\r\n";
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// The host's own proxy: what HTTPS_PROXY and NO_PROXY of the daemon's environment say. Where there
// is one, connections go through it by CONNECT, and it resolves the names.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace codexos::daemon {

struct Proxy {
  std::string host;
  uint16_t port = 0;
  std::string authorization;         // the header's value, or empty
  std::vector<std::string> without;  // NO_PROXY, lower case
};

/// `url`: http://[USER:PASSWORD@]HOST[:PORT]; empty: none. Error invalid: also for kinds of proxies
/// that are not spoken (https, socks).
Result<std::optional<Proxy>> parse_proxy(std::string_view url, std::string_view no_proxy);
/// Whether `host` (a clean name or an address) is reached by it.
bool uses_proxy(const Proxy& p, std::string_view host);
/// "CONNECT host:port HTTP/1.1 ..." with all that belongs to it.
std::string connect_request(const Proxy& p, std::string_view host, uint16_t port);

}  // namespace codexos::daemon

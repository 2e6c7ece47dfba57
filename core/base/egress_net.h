// SPDX-License-Identifier: Apache-2.0
// The addresses and names of a task's network namespace that daemon and codexos-exec both know.
#pragma once

#include <cstdint>
#include <string_view>

namespace codexos {

inline constexpr uint32_t kNetListener = 0x7fffff4d;  // 127.255.255.77: redirected IPv4 ends here
inline constexpr uint32_t kNetDns = 0x7f000035;       // 127.0.0.53
inline constexpr uint32_t kNetOwn = 0xc6120001;       // 198.18.0.1: the task's own, on lo
inline constexpr uint32_t kNetNames = 0xc6120000;     // 198.18.0.0/15: addresses of names
inline constexpr int kNetNamesBits = 15;
/// Of the listeners (IPv4 and IPv6, and of DNS over IPv6). A port that nobody serves: a program
/// that binds it to all addresses gets EADDRINUSE.
inline constexpr uint16_t kNetPort = 1;
inline constexpr uint16_t kNetLogGroup = 1;  // nflog(8): packets that were refused

/// Where a task that may use models finds the gateway, by a rule for this name.
inline constexpr std::string_view kModelsHost = "llm.codexos.internal";

}  // namespace codexos

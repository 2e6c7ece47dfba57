// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/spare_networks.h"

#include <doctest/doctest.h>

#include <string>

namespace codexos::exec {
namespace {

// As Linux 6.18 writes them in a new namespace whose lo is up.
const std::string kSockstat =
    "sockets: used 0\nTCP: inuse 0 orphan 0 tw 0 alloc 1 mem 289\nUDP: inuse 0 mem 0\n"
    "UDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n";
const std::string kSockstat6 =
    "TCP6: inuse 0\nUDP6: inuse 0\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n";
const std::string kDev =
    "Inter-|   Receive                            |  Transmit\n"
    " face |bytes    packets errs drop |bytes    packets errs drop\n"
    "    lo:       0       0    0    0        0       0    0    0\n";

std::string with(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

TEST_CASE("a network namespace is as new when nothing is open and nothing came") {
  CHECK(is_unused(kSockstat, kSockstat6, kDev));
  CHECK(is_unused(kSockstat, "", kDev));  // a kernel without IPv6
}

TEST_CASE("whatever is open, waits for its end, or came, keeps it from being used again") {
  for (const char* open : {"sockets: used 1", "TCP: inuse 2", "UDP: inuse 1", "RAW: inuse 1"}) {
    const std::string name = std::string(open).substr(0, std::string(open).size() - 1) + "0";
    CAPTURE(open);
    CHECK_FALSE(is_unused(with(kSockstat, name, open), kSockstat6, kDev));
  }
  CHECK_FALSE(is_unused(with(kSockstat, "tw 0", "tw 1"), kSockstat6, kDev));
  CHECK_FALSE(is_unused(kSockstat, with(kSockstat6, "TCP6: inuse 0", "TCP6: inuse 1"), kDev));
  CHECK_FALSE(is_unused(kSockstat, kSockstat6, with(kDev, "       0       0    0", "  52 1    0")));
  CHECK_FALSE(is_unused("", kSockstat6, kDev));
  CHECK_FALSE(is_unused(kSockstat, kSockstat6, ""));
}

}  // namespace
}  // namespace codexos::exec

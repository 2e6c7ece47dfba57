// SPDX-License-Identifier: Apache-2.0
// A TLS client's first bytes (daemon/egress/client_hello.h). A greeting that is whole is not "bad"
// while a part of it has come, and what follows does not change the name in it.
#include "daemon/egress/client_hello.h"

#include "core/policy/host_name.h"
#include "tests/fuzz/fuzz.h"

using namespace codexos;
using namespace codexos::daemon;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const auto cut = in.ConsumeIntegral<uint16_t>();
  const std::string text = in.ConsumeRemainingBytesAsString();
  const ClientHello whole = read_client_hello(text);
  if (whole.state != ClientHello::State::complete) return 0;
  (void)clean_host_name(whole.name);
  const ClientHello longer = read_client_hello(text + std::string(1 + cut % 8, '\x16'));
  CODEXOS_CHECK(longer.state == ClientHello::State::complete && longer.name == whole.name);
  const ClientHello part = read_client_hello(text.substr(0, cut % (text.size() + 1)));
  CODEXOS_CHECK(part.state != ClientHello::State::bad);
  CODEXOS_CHECK(part.state == ClientHello::State::more || part.name == whole.name);
  return 0;
}

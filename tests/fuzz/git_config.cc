// SPDX-License-Identifier: Apache-2.0
// A git config that a task wrote, as apply looks at it (daemon/workspace/gate_config.h). A text
// against itself has no keys that differ, and against nothing only keys that are in it.
#include "daemon/workspace/gate_config.h"

#include <algorithm>

#include "tests/fuzz/fuzz.h"

using namespace codexos;
using namespace codexos::daemon;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto entries = parse_git_config(text);
  const auto same = risky_keys(text, text);
  const auto fresh = risky_keys("", text);
  CODEXOS_CHECK(same.ok() && same->empty());
  CODEXOS_CHECK(fresh.ok() == entries.ok());
  if (!fresh.ok()) return 0;
  CODEXOS_CHECK(fresh->size() <= entries->size());
  CODEXOS_CHECK(std::is_sorted(fresh->begin(), fresh->end()));
  return 0;
}

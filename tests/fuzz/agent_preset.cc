// SPDX-License-Identifier: Apache-2.0
// Presets of agents (daemon/agents/preset.h), which anybody may write. One that is read can be
// filled in, and written as JSON it is one that is read as the same.
#include "daemon/agents/preset.h"

#include "core/json/json.h"
#include "tests/fuzz/fuzz.h"

using namespace codexos;
using namespace codexos::daemon;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto preset = read_preset(text, "preset.yaml");
  if (!preset.ok()) return 0;
  const Blanks blanks{"/bin/agent", "a job", "s", "/home/u", "/login", {"--extra"}};
  for (const auto* words : {&preset->job, &preset->resume, &preset->interactive, &preset->version})
    (void)fill_argv(*words, blanks);
  for (const auto& [name, value] : preset->env) (void)fill_text(value, blanks);
  const auto again = read_preset(json::encode(*preset), "again.yaml");
  CODEXOS_CHECK(again.ok());
  CODEXOS_CHECK(json::encode(*again) == json::encode(*preset));
  return 0;
}

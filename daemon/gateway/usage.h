// SPDX-License-Identifier: Apache-2.0
// What one exchange with a model used. The wires count differently: OpenAI's input tokens include
// those that were read from a cache, Anthropic's exclude them and those that were written into one.
// Here `input` is all of it, and the rest says of what kind.
#pragma once

#include <cstdint>

namespace codexos::daemon {

struct ModelUsage {
  uint64_t input = 0;             // all tokens of the request
  uint64_t cached_input = 0;      // of `input`: read from the provider's cache
  uint64_t cache_write = 0;       // of `input`: written into it
  uint64_t cache_write_long = 0;  // of `cache_write`: for an hour, which costs more
  uint64_t output = 0;            // all tokens of the answer
  uint64_t reasoning = 0;         // of `output`
  uint64_t cost_micros = 0;       // micro-USD, rounded up
  bool estimated = false;         // the provider did not say: counted from bytes
  bool counts = false;            // a request even when it used nothing that is known
  int status = 0;                 // HTTP status that the task was told; 0: none, it had gone
};

}  // namespace codexos::daemon

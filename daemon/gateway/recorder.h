// SPDX-License-Identifier: Apache-2.0
// The seam to what keeps exchanges for the timeline and for replay (model_log.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/gateway/usage.h"

namespace codexos::daemon {

/// One exchange after its end. Credentials and headers are no part of it.
struct ExchangeRecord {
  std::string task;
  std::string endpoint;         // "chat", "responses", "messages", "embeddings", "count_tokens"
  std::string provider, model;  // that served it; empty: none did
  std::string asked_model;      // that the task had asked for
  std::string_view request;     // its body as the task sent it; valid during the call
  int status = 0;               // that the task was told; 0: it had gone
  std::string content_type;
  std::string_view response;  // its body as the task was sent it; valid during the call
  bool response_cut = false;  // there was more than is kept, or the provider broke off
  std::string error;          // what went wrong, in words; empty: nothing
  int64_t started_at_us = 0;  // wall clock
  int64_t first_byte_us = 0;  // since then; 0: no byte came
  int64_t duration_us = 0;
  ModelUsage usage;
};

class Recorder {
 public:
  virtual ~Recorder() = default;
  /// In the relay's thread; it must not wait.
  virtual void record(const ExchangeRecord& exchange) = 0;
  /// Nothing more of this task will come.
  virtual void close(const std::string& task) = 0;
};

}  // namespace codexos::daemon

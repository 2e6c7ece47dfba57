// SPDX-License-Identifier: Apache-2.0
// Counts what an answer used while it passes by, streamed or not, without holding up any of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/gateway/sse.h"
#include "daemon/gateway/wires.h"

namespace codexos::daemon {

class AnswerMeter {
 public:
  /// `request_bytes`: of the body, for an estimate.
  AnswerMeter(Endpoint endpoint, size_t request_bytes);
  AnswerMeter(const AnswerMeter&) = delete;
  AnswerMeter& operator=(const AnswerMeter&) = delete;

  /// Bytes of a stream of events.
  void feed(std::string_view bytes) { sse_.feed(bytes); }
  /// The whole body of an answer that is no stream.
  void take_whole(std::string_view body);
  /// Whatever is known now; what the provider did not say is estimated and marked. A stream that
  /// ended early has its input told and its output estimated.
  ModelUsage usage() const;
  /// The provider has said something of it.
  bool told() const { return told_.has_value(); }
  /// An event said that the exchange is complete.
  bool complete() const { return complete_; }

 private:
  void on_event(const SseParser::Event& e);

  Endpoint endpoint_;
  size_t request_bytes_;
  SseParser sse_;
  std::optional<ModelUsage> told_;
  uint64_t text_bytes_ = 0;
  bool complete_ = false;
};

}  // namespace codexos::daemon

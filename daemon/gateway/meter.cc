// SPDX-License-Identifier: Apache-2.0
#include "daemon/gateway/meter.h"

#include <algorithm>
#include <array>

namespace codexos::daemon {
namespace {

constexpr std::array<std::string_view, 5> kLastEvents{
    "message_stop", "response.completed", "response.incomplete", "response.failed", "error"};

}  // namespace

AnswerMeter::AnswerMeter(Endpoint endpoint, size_t request_bytes)
    : endpoint_(endpoint),
      request_bytes_(request_bytes),
      sse_([this](const SseParser::Event& e) { on_event(e); }) {}

void AnswerMeter::on_event(const SseParser::Event& e) {
  if (e.data == "[DONE]") {
    complete_ = true;
    return;
  }
  const auto v = json::parse(e.data);
  if (!v.ok() || !v->is_object()) return;
  const auto type = v->find("type");
  const std::string name =
      type != v->end() && type->is_string() ? type->get<std::string>() : e.type;
  if (std::find(kLastEvents.begin(), kLastEvents.end(), name) != kLastEvents.end())
    complete_ = true;
  (void)add_stream_usage(endpoint_, *v, told_);
  text_bytes_ += streamed_text(endpoint_, *v);
}

void AnswerMeter::take_whole(std::string_view body) {
  complete_ = true;
  const auto v = json::parse(body);
  if (!v.ok()) {
    text_bytes_ = body.size();
    return;
  }
  told_ = read_usage(endpoint_, *v);
  if (!told_) text_bytes_ = answered_text(endpoint_, *v);
}

ModelUsage AnswerMeter::usage() const {
  ModelUsage u;
  if (told_) {
    u = *told_;
    // Anthropic tells the input first and the output last; chat tells all at the end.
    const bool whole = complete_ || endpoint_ == Endpoint::chat;
    if (whole) return u;
    u.output = std::max(u.output, estimate_tokens(text_bytes_));
    u.estimated = true;
    return u;
  }
  u.input = estimate_tokens(request_bytes_);
  u.output = estimate_tokens(text_bytes_);
  u.estimated = true;
  return u;
}

}  // namespace codexos::daemon

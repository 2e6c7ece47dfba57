// SPDX-License-Identifier: Apache-2.0
// Server-sent events (WHATWG HTML, section 9.2.6) out of bytes that may be split anywhere. Only the
// fields `event` and `data` are kept: no model API uses the others.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace codexos::daemon {

class SseParser {
 public:
  static constexpr size_t kMaxEvent = 16 << 20;

  struct Event {
    std::string type;  // empty: none was named
    std::string data;  // lines joined by \n
  };
  using OnEvent = std::function<void(const Event&)>;

  explicit SseParser(OnEvent on_event) : on_event_(std::move(on_event)) {}
  /// An event is told when its blank line has come; what is unfinished at the end is no event. One
  /// that is larger than kMaxEvent is left out.
  void feed(std::string_view bytes);

 private:
  void end_line();
  void dispatch();

  OnEvent on_event_;
  Event event_;
  std::string line_;
  bool has_data_ = false, after_cr_ = false, first_line_ = true, too_large_ = false;
};

}  // namespace codexos::daemon

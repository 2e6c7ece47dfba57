// SPDX-License-Identifier: Apache-2.0
// Text that nobody but its user should see: moved, never copied by accident, overwritten when it is
// not needed any more, and of no type that something prints.
#pragma once

#include <string.h>  // explicit_bzero

#include <string>
#include <string_view>
#include <utility>

namespace codexos {

/// Overwrites what `text` holds, also what an optimiser would leave, and empties it.
inline void wipe(std::string& text) {
  text.resize(text.capacity());  // also what was left behind by a longer text; does not move it
  explicit_bzero(text.data(), text.size());
  text.clear();
}

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view text) : text_(text) {}
  Secret(Secret&& o) noexcept : text_(std::move(o.text_)) {
    wipe(o.text_);
  }  // short text is copied
  Secret& operator=(Secret&& o) noexcept {
    if (this == &o) return *this;
    wipe(text_);
    text_ = std::move(o.text_);
    wipe(o.text_);
    return *this;
  }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { wipe(text_); }

  /// As long as this lives.
  std::string_view view() const { return text_; }
  bool empty() const { return text_.empty(); }
  /// On purpose.
  Secret copy() const { return Secret(text_); }

 private:
  std::string text_;
};

}  // namespace codexos

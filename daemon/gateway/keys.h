// SPDX-License-Identifier: Apache-2.0
// The seam to the vault: the key of a provider, by the name of a secret. It is asked for with each
// exchange and kept nowhere, so a secret that was rotated or removed counts at once.
#pragma once

#include <string.h>

#include <functional>
#include <string>
#include <utility>

#include "core/base/error.h"

namespace codexos::daemon {

/// Text that is wiped when it goes. It moves and is never copied.
class SecretText {
 public:
  SecretText() = default;
  explicit SecretText(std::string text) : text_(std::move(text)) {}
  SecretText(SecretText&& o) noexcept : text_(o.text_) { o.wipe(); }
  SecretText& operator=(SecretText&& o) noexcept {
    if (this == &o) return *this;
    wipe();
    text_ = o.text_;
    o.wipe();
    return *this;
  }
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;
  ~SecretText() { wipe(); }

  const std::string& text() const { return text_; }
  bool empty() const { return text_.empty(); }

 private:
  void wipe() {
    explicit_bzero(text_.data(), text_.size());
    text_.clear();
  }
  std::string text_;
};

class Keys {
 public:
  virtual ~Keys() = default;
  using Done = std::function<void(Result<SecretText>)>;
  /// `done` is called once, in the thread of the caller, maybe before find() returns. Error
  /// not_found: there is no such secret; others: the vault is shut.
  virtual void find(const std::string& task, const std::string& name, Done done) = 0;
};

}  // namespace codexos::daemon

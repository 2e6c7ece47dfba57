// SPDX-License-Identifier: Apache-2.0
// 32 bytes of key in a page of their own: not swapped where the limit allows it (mlock(2)), not in
// a core file, empty in a child (madvise(2): MADV_DONTDUMP, MADV_WIPEONFORK), overwritten at the
// end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/error.h"

namespace codexos::daemon {

class LockedKey {
 public:
  static constexpr size_t kSize = 32;

  /// All zero. Error exhausted: there is no page.
  static Result<LockedKey> make();
  /// `bytes` must be kSize long.
  static Result<LockedKey> make(std::string_view bytes);
  static Result<LockedKey> random();

  LockedKey(LockedKey&& o) noexcept;
  LockedKey& operator=(LockedKey&& o) noexcept;
  LockedKey(const LockedKey&) = delete;
  LockedKey& operator=(const LockedKey&) = delete;
  ~LockedKey();

  uint8_t* data() { return page_; }
  const uint8_t* data() const { return page_; }
  std::string_view view() const { return {reinterpret_cast<const char*>(page_), kSize}; }

 private:
  explicit LockedKey(uint8_t* page) : page_(page) {}
  void free();
  uint8_t* page_ = nullptr;
};

}  // namespace codexos::daemon

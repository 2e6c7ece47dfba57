// SPDX-License-Identifier: Apache-2.0
// The mount table of this process, read again only when the kernel says that it changed (poll(2) on
// /proc/self/mountinfo, proc(5)).
#pragma once

#include <cstdint>
#include <string>

#include "core/base/error.h"
#include "core/base/fd.h"

namespace codexos {

class MountTable {
 public:
  static Result<MountTable> open();
  /// The current text of /proc/self/mountinfo.
  const std::string& text();
  /// Changes with the text.
  uint64_t generation();

 private:
  void refresh();
  Fd fd_;
  std::string text_;
  uint64_t generation_ = 0;
};

}  // namespace codexos

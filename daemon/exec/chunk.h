// SPDX-License-Identifier: Apache-2.0
// The one buffer that bytes pass through when they must be seen in user space. The shim has one
// thread and never holds bytes in it over a call that may use it again.
#pragma once

#include <cstddef>

namespace codexos::exec {

inline constexpr size_t kChunk = 64 * 1024;
inline char* chunk() {
  static char bytes[kChunk];
  return bytes;
}

}  // namespace codexos::exec

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <malloc.h>
#include <sys/mman.h>

#include <cstddef>
#include <vector>

namespace codexos {

/// The code and constants of a process that waits most of its life, its libraries' too. Most of
/// them are needed only to begin.
class ResidentCode {
 public:
  ResidentCode();
  /// Free heap goes back to the kernel, and the code is unmapped until it runs again: it comes back
  /// page by page from the page cache (madvise(2), MADV_DONTNEED). Inline, since what runs after
  /// the call stays mapped, with its neighbours.
  void give_back() const {
    malloc_trim(0);
    for (const Part& p : parts_) madvise(p.from, p.size, MADV_DONTNEED);
  }

 private:
  struct Part {
    void* from;
    size_t size;
  };
  std::vector<Part> parts_;
};

}  // namespace codexos

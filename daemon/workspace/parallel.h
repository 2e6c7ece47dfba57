// SPDX-License-Identifier: Apache-2.0
// Work on many files at once, for as long as the caller waits.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <system_error>
#include <thread>
#include <vector>

namespace codexos::daemon {

/// Calls fn(i) for each i below `count`, from several threads when it is worth it; returns when all
/// are done. `fn` must not throw.
template <class Fn>
void in_parallel(size_t count, const Fn& fn) {
  constexpr size_t kWorthAThread = 16;
  constexpr size_t kMaxThreads = 4;
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next++; i < count; i = next++) fn(i);
  };
  const size_t wanted = std::min({count / kWorthAThread, kMaxThreads,
                                  static_cast<size_t>(std::thread::hardware_concurrency())});
  std::vector<std::thread> more;
  try {
    while (more.size() + 1 < wanted) more.emplace_back(work);
  } catch (const std::system_error&) {  // no thread to be had: those that there are do it
  }
  work();
  for (auto& thread : more) thread.join();
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// Where an overlay would show that it is one, this process answers instead of the kernel: a folder
// that was there before is renamed as mv(1) does it (move_tree.h), and a link of such a file is
// refused to programs that compare its inode number before and after, and then copy.
//
// It is forked by the shim when a first call waits (seams.h), has the payload's rights and nothing
// of the shim's, and takes calls from a seccomp listener (seccomp_unotify(2)). Most are let through
// as they came: then the kernel does them with the caller's rights, whatever its memory says by
// now. What is answered here is done here, on strings that were read once. Callers that have taken
// rights from themselves (Landlock) are never served, nor are those in another mount namespace.
// What the filter refuses and wants told comes here as well: the answer is EPERM, and the shim
// hears of it.
#pragma once

#include <time.h>

#include <array>
#include <atomic>
#include <climits>
#include <cstdint>

namespace codexos::exec {

/// Shared with the shim: which calls wait for an answer of ours. When the worker is killed, the
/// shim lets them through.
struct SeamsShared {
  static constexpr size_t kSlots = 256;
  std::array<std::atomic<uint64_t>, kSlots> waiting{};  // notification ids; 0: none
  std::atomic<uint64_t> refusing{0};  // the one that is being refused; the shim does it then
  std::atomic<bool> closed{false};    // a process could not be marked: nothing is done any more
  std::atomic<bool> marking{false};   // a worker that is killed meanwhile may not have done it
  /// A second tree that is being made, by its path: left over when whoever made it is gone.
  std::atomic<bool> is_making{false};
  char making[PATH_MAX + 64] = {};
};

struct SeamWorker {
  int listener = -1;
  int reader = -1;  // to the shim (WorkerMessage)
  SeamsShared* shared = nullptr;
  bool callers_stay = false;  // signals that do not kill wait until the answer (since Linux 5.19)
  timespec began{};  // of the task, CLOCK_REALTIME_COARSE: what is older lies below the overlay
};

/// Until nothing was to do for some seconds, or the listener is gone. The caller _exits.
void run_seam_worker(const SeamWorker& w);

/// Removes the tree that a killed mover left.
void clean_up_after_mover(SeamsShared& shared);

/// Whether such a call must not be let through unmarked.
bool needs_mark(int syscall_number);

/// Lets a call through as it came.
void let_through(int listener, uint64_t id);

/// Whether such a call is none of the seams': it is refused, and told.
bool is_refused(int syscall_number);
void refuse(int listener, uint64_t id);

}  // namespace codexos::exec

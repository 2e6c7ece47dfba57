// SPDX-License-Identifier: Apache-2.0
// Holding changes back where an overlay cannot be used: the task works on a copy of the folder, in
// LAYER/copy, shown in its place. When it has ended, what it changed becomes the layer's upper
// folder in the format of an overlay's, so that everything after that (diff, apply, --from) is the
// same.
//
// What the task changed is told by a list of what was put into the copy (LAYER/made): another inode
// or ctime at a path. Times of inodes cannot be set from inside. The real folder is not asked: the
// user may have edited it meanwhile.
//
// Where a layer's file system cannot hold an overlay's whiteouts (it is an overlay itself), they
// are the kernel's newer ones: empty files with the attribute user.overlay.whiteout.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "core/base/error.h"
#include "core/base/fields.h"
#include "daemon/workspace/workspace.h"

namespace codexos::daemon {

inline constexpr uint64_t kCopyLimitBytes = 4ULL << 30;

struct CopyOptions {
  uint64_t limit_bytes = kCopyLimitBytes;  // of what takes room: not where blocks can be shared
  const std::atomic<bool>* stop = nullptr;
};

/// Fills the layer's copy with the real folder and the earlier layers over it, and makes the list.
/// The empty folder LAYER/copy is there already. Not taken along: sockets, devices, what lies in
/// proc, sysfs and their like. What may not be read is an empty file that may not be read.
/// Error exhausted: above the limit, nothing was copied; unavailable: stopped.
Status make_copy(const Root& root, const CopyOptions& o);

/// Whether the layer has a copy that settle_copy() has not turned into its upper folder.
bool has_copy(const Root& root);
/// Only when no process of the task is left. Safe to repeat when it was interrupted.
Status settle_copy(const Root& root);

/// A folder's path for messages and mounts.
inline std::string copy_of(const Root& root) { return root.layer + "/copy"; }

/// Whether the open folder of a layer hides what is below it (overlayfs.rst, "opaque"). The task
/// cannot write this attribute: the kernel escapes its own (user.overlay.overlay.opaque).
bool is_opaque(int dir);
/// Whether the open file is a whiteout of the newer kind; forged ones do not get into a layer.
bool is_marked_gone(int fd);

/// One entry of the list.
struct MadeEntry {
  std::string path;
  uint64_t mode = 0, ino = 0;
  int64_t ctime_ns = 0;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("path", s.path);
    v("mode", s.mode);
    v("ino", s.ino);
    v("ctime_ns", s.ctime_ns);
  }
};
struct MadeList {
  std::vector<MadeEntry> entries;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("entries", s.entries);
  }
};

}  // namespace codexos::daemon

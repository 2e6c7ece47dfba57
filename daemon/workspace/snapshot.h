// SPDX-License-Identifier: Apache-2.0
// A task's layers at one moment: every entry that its own upper folders hold, whiteouts and opaque
// folders included, with the contents in the object store. Snapshots share what did not change: a
// file that is the very same one as in the snapshot before (device, inode, size, times) is neither
// read nor stored again.
//
// The manifest is a file, through fields(). What the task started from (earlier tasks' layers) is
// not in it: those layers do not change, and stay as long as the task does.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/fields.h"
#include "daemon/workspace/objects.h"
#include "daemon/workspace/workspace.h"

namespace codexos::daemon {

struct SnapshotEntry {
  std::string path;   // relative to the upper folder, raw bytes; "" is the folder itself
  uint32_t mode = 0;  // st_mode
  uint32_t uid = 0, gid = 0;
  uint64_t size = 0, rdev = 0;
  int64_t mtime_ns = 0;
  std::string digest;                         // of a file's content
  std::string target;                         // of a link
  std::map<std::string, std::string> xattrs;  // user.*, our own markers among them
  // Which entry on the disk it was: equal ones need not be read again; equal inodes are hard links.
  uint64_t dev = 0, ino = 0, nlink = 0;
  int64_t ctime_ns = 0;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("path", s.path);
    v("mode", s.mode);
    v("uid", s.uid);
    v("gid", s.gid);
    v("size", s.size);
    v("rdev", s.rdev);
    v("mtime_ns", s.mtime_ns);
    v("digest", s.digest);
    v("target", s.target);
    v("xattrs", s.xattrs);
    v("dev", s.dev);
    v("ino", s.ino);
    v("nlink", s.nlink);
    v("ctime_ns", s.ctime_ns);
  }
};

struct SnapshotRoot {
  std::vector<SnapshotEntry> entries;  // folders before what is in them
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("entries", s.entries);
  }
};

struct Snapshot {
  std::string name;
  int64_t created_us = 0;
  std::vector<SnapshotRoot> roots;  // as the task's; a root without a layer has no entries
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("name", s.name);
    v("created_us", s.created_us);
    v("roots", s.roots);
  }
};

struct SnapshotCost {
  uint64_t entries = 0;
  uint64_t stored = 0;        // files that had to be read
  uint64_t stored_bytes = 0;  // of those
};

/// Nobody may write the layers meanwhile. `before`: the snapshot that was taken last, or null.
Result<Snapshot> take_snapshot(const std::vector<Root>& roots, const Snapshot* before,
                               ObjectStore& objects, SnapshotCost& cost);

/// Makes `layer`/upper and `layer`/work as the root had them. The folder `layer` must not exist; on
/// an error nothing of it is left.
Status restore_snapshot(const SnapshotRoot& root, const ObjectStore& objects,
                        const std::string& layer);

/// Durable when it returns.
Status write_snapshot(const std::string& file, const Snapshot& s);
Result<Snapshot> read_snapshot(const std::string& file);

}  // namespace codexos::daemon

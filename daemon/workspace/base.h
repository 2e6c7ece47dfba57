// SPDX-License-Identifier: Apache-2.0
// The base of a task's changes: what the real folder had, right after the task's end, at every path
// that the task's own layer says something about. An overlay keeps no such thing, and without it
// an edit of the user could not be told from one that was there before (nor be merged).
//
// Kept in tasks/<id>/base, through fields() like all binary files, written beside and renamed. The
// content of texts up to 1 MiB goes to the object store. What a budget did not reach has its facts
// but no digest, or is not recorded at all: then nothing is known of it, which is safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/fields.h"
#include "daemon/workspace/layers.h"
#include "daemon/workspace/objects.h"
#include "daemon/workspace/workspace.h"

namespace codexos::daemon {

struct BaseEntry {
  std::string path;    // relative to the root, raw bytes
  bool there = false;  // false: nothing was there, and so nothing below
  uint32_t mode = 0;   // st_mode; the rest as lstat(2) says
  uint64_t size = 0, dev = 0, ino = 0, nlink = 0, rdev = 0;
  uint32_t uid = 0, gid = 0;
  int64_t mtime_ns = 0, ctime_ns = 0;
  std::string digest;  // of a file's content, of a link's target; empty: not taken
  bool kept = false;   // a text, and the object store has it

  /// Nothing: nothing was there.
  std::optional<Facts> facts() const;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("path", s.path);
    v("there", s.there);
    v("mode", s.mode);
    v("size", s.size);
    v("dev", s.dev);
    v("ino", s.ino);
    v("nlink", s.nlink);
    v("rdev", s.rdev);
    v("uid", s.uid);
    v("gid", s.gid);
    v("mtime_ns", s.mtime_ns);
    v("ctime_ns", s.ctime_ns);
    v("digest", s.digest);
    v("kept", s.kept);
  }
};

struct BaseRoot {
  std::vector<BaseEntry> entries;  // sorted by the bytes of the path
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("entries", s.entries);
  }
};

struct Base {
  int64_t recorded_us = 0;
  int64_t clock_us = 0;  // CLOCK_REALTIME - CLOCK_BOOTTIME then; 0: of another boot than the start
  bool late = false;     // not right after the end: a daemon died before it was recorded
  bool complete = true;  // false: a budget ended it, what is missing is not known
  std::vector<BaseRoot> roots;  // as the task's
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("recorded_us", s.recorded_us);
    v("clock_us", s.clock_us);
    v("late", s.late);
    v("complete", s.complete);
    v("roots", s.roots);
  }
  /// What was at `path`; an entry that is not there when a folder above was none. Nothing: unknown.
  std::optional<BaseEntry> find(size_t root, const std::string& path) const;
};

struct BaseLimits {
  uint64_t entries = 500'000;
  uint64_t hashed_bytes = 256 << 20;  // of all files together
  uint64_t hashed_files = 20'000;
  uint64_t kept_bytes = 1 << 20;  // of one text
};

/// Reads the real folders at the paths of the tasks' own layers. Paths whose folder is new cost
/// nothing. Roots without a layer have no entries.
Result<Base> record_base(const std::vector<Root>& roots, ObjectStore& objects,
                         const BaseLimits& limits = {});

/// Durable when it returns.
Status write_base(const std::string& file, const Base& base);
/// Error not_found: it was not recorded.
Result<Base> read_base(const std::string& file);

/// A text for merging: no NUL in its first 8000 bytes, as git has it.
bool is_text(std::string_view bytes);

}  // namespace codexos::daemon

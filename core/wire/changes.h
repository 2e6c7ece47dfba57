// SPDX-License-Identifier: Apache-2.0
// What a task changed in its workspace: the types of /v1/tasks/{id}/changes and its neighbours.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/fields.h"

namespace codexos::wire {

struct ChangeCount {
  uint64_t added = 0;
  uint64_t modified = 0;
  uint64_t deleted = 0;
  bool more = false;  // the bounded walk stopped: there are more
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("added", s.added, "paths that are new");
    v("modified", s.modified, "paths with other content, type or mode");
    v("deleted", s.deleted, "paths that are gone");
    v("more", s.more, "the count was bounded and there are more");
  }
};

/// One changed path, or one line that stands for many. status: A added, M modified, D deleted, T
/// type changed, R renamed, G git's own files of one git folder, I an ignored folder.
struct Change {
  std::string status;
  std::string path;  // relative to root; bytes that are not UTF-8 are given as \xNN
  std::string root;  // the overlay root on the host
  std::string raw;   // the path's bytes as base64, where they are not UTF-8
  std::string from;  // of R: the path before
  std::string from_raw;
  std::string kind;                // file, folder, symlink, fifo, socket, device
  std::string old_mode, new_mode;  // as git writes them: 100644, 040000; empty: is not there
  std::optional<uint64_t> added;   // lines of text, where they were asked for
  std::optional<uint64_t> removed;
  std::optional<uint64_t> old_size, new_size;  // bytes, of files
  bool binary = false;
  bool xattrs = false;                   // its user.* attributes differ
  std::optional<int32_t> similarity;     // of R: percent
  std::optional<ChangeCount> collapsed;  // of G and I: what the one line stands for
  std::string note;                      // in words, where there is something to say
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("status", s.status, "A, M, D, T, R, G (git's own files) or I (ignored)");
    v("path", s.path, "path relative to root");
    v("root", s.root, "the folder on the host");
    v("raw", s.raw, "the path in base64, where it is not UTF-8");
    v("from", s.from, "of a rename: the path before");
    v("from_raw", s.from_raw, "the path before in base64, where it is not UTF-8");
    v("kind", s.kind, "file, folder, symlink, fifo, socket or device");
    v("old_mode", s.old_mode, "type and mode before, octal; empty: it was not there");
    v("new_mode", s.new_mode, "type and mode after, octal; empty: it is gone");
    v("added", s.added, "lines added, with stat=1");
    v("removed", s.removed, "lines removed, with stat=1");
    v("old_size", s.old_size, "bytes before, of a file");
    v("new_size", s.new_size, "bytes after, of a file");
    v("binary", s.binary, "its content is no text");
    v("xattrs", s.xattrs, "extended attributes differ");
    v("similarity", s.similarity, "of a rename: how much is the same, in percent");
    v("collapsed", s.collapsed, "what one line stands for: changed paths below it");
    v("note", s.note, "a remark");
  }
};

/// GET /v1/tasks/{id}/changes
struct ChangeList {
  std::string task;
  std::vector<Change> changes;
  bool more = false;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("task", s.task, "task id");
    v("changes", s.changes, "changed paths, sorted");
    v("more", s.more, "the list is not whole: it was cut, or a folder cannot be read");
  }
};

}  // namespace codexos::wire

// SPDX-License-Identifier: Apache-2.0
// Snapshots of a task's changes, as the API gives them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/fields.h"

namespace codexos::wire {

struct SnapshotBody {  // POST /v1/tasks/{id}/snapshots
  std::string name;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("name", s.name, "letters, digits, . _ -; empty: the next number");
  }
};

struct Snapshot {
  std::string task;
  std::string name;
  std::string created_at;
  bool running = false;
  uint64_t entries = 0;
  uint64_t stored_files = 0;
  uint64_t stored_bytes = 0;
  int64_t took_us = 0;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("task", s.task, "task id");
    v("name", s.name, "TASK@NAME names it");
    v("created_at", s.created_at, "RFC 3339 with microseconds");
    v("running", s.running, "the task ran and was frozen meanwhile");
    v("entries", s.entries, "files, folders and deletions that it holds");
    v("stored_files", s.stored_files, "files that no earlier snapshot had");
    v("stored_bytes", s.stored_bytes, "bytes of those");
    v("took_us", s.took_us, "how long it took");
  }
};

struct SnapshotList {
  std::vector<Snapshot> snapshots;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("snapshots", s.snapshots, "oldest first");
  }
};

}  // namespace codexos::wire

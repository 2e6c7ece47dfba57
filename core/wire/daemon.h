// SPDX-License-Identifier: Apache-2.0
// The daemon about itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/fields.h"

namespace codexos::wire {

struct DaemonStatus {  // GET /v1/status
  bool running = false;
  int32_t pid = 0;
  std::string version;
  std::string build_id;
  std::string socket;
  std::string home;
  uint64_t uptime_ms = 0;
  uint64_t tasks_running = 0;
  uint64_t helpers_parked = 0;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("running", s.running, "whether a daemon answers");
    v("pid", s.pid, "its process id");
    v("version", s.version, "its version");
    v("build_id", s.build_id, "its build");
    v("socket", s.socket, "path of its socket");
    v("home", s.home, "its state folder");
    v("uptime_ms", s.uptime_ms, "milliseconds since it started");
    v("tasks_running", s.tasks_running, "tasks that have not ended");
    v("helpers_parked", s.helpers_parked, "sandboxes prepared ahead");
  }
};

struct Health {  // GET /v1/health; 200 when ok, 503 else
  bool ok = false;
  std::string database;
  std::string state_folder;
  std::string isolation;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("ok", s.ok, "whether tasks can be started");
    v("database", s.database, "ok, or what is wrong");
    v("state_folder", s.state_folder, "ok, or what is wrong");
    v("isolation", s.isolation, "ok, or why tasks cannot be isolated here");
  }
};

struct Version {
  std::string version;
  std::string build_id;
  std::string daemon_version;  // empty: no daemon answers
  std::string daemon_build_id;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("version", s.version, "of this program");
    v("build_id", s.build_id, "of this program");
    v("daemon_version", s.daemon_version, "of the daemon that answers, or empty");
    v("daemon_build_id", s.daemon_build_id, "of the daemon that answers, or empty");
  }
};

struct PruneBody {   // POST /v1/prune
  bool all = false;  // also tasks whose changes wait
  bool dry_run = false;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("all", s.all, "also tasks whose changes wait, and the caches");
    v("dry_run", s.dry_run, "only tell");
  }
};
struct PruneResult {
  std::vector<std::string> removed;
  std::vector<std::string> waiting;  // tasks with unapplied changes: kept, or with all: removed too
  uint64_t freed_bytes = 0;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("removed", s.removed, "task ids");
    v("waiting", s.waiting, "tasks with unapplied changes among them, or kept");
    v("freed_bytes", s.freed_bytes, "bytes given back");
  }
};

}  // namespace codexos::wire

// SPDX-License-Identifier: Apache-2.0
// The columns of the table `task`, each listed once beside the member it holds. The same listing
// binds parameters and reads rows; the SQL in store.cc names them in the same order, which is
// checked when the statements are prepared.
#pragma once

#include <string>
#include <vector>

#include "core/json/json.h"
#include "daemon/store/sqlite.h"
#include "daemon/store/store.h"

namespace codexos::daemon {

/// Columns that are written once.
template <class Row, class V>
void fixed_columns(Row& r, V& v) {
  v("id", r.task.id);
  v("tenant", r.tenant);
  v("name", r.task.name);
  v("labels_json", r.task.labels);
  v("argv_json", r.task.argv);
  v("cwd", r.task.cwd);
  v("workspace", r.task.workspace);
  v("workspace_dev", r.workspace_dev);
  v("workspace_ino", r.workspace_ino);
  v("mode", r.task.mode);
  v("from_task", r.task.from);
  v("create_json", r.create_json);
  v("created_at_us", r.created_at_us);
  v("clock_start_us", r.clock_start_us);
}

/// Columns that update_task() writes too.
template <class Row, class V>
void changing_columns(Row& r, V& v) {
  v("state", r.task.state);
  v("activity", r.task.activity);
  v("isolation", r.task.isolation);
  v("seccomp", r.task.seccomp);
  v("network", r.task.network);
  v("landlock_abi", r.task.landlock_abi);
  v("cause", r.task.cause);
  v("exit_code", r.task.exit_code);
  v("signal", r.task.signal);
  v("detail", r.task.detail);
  v("started_at_us", r.started_at_us);
  v("ended_at_us", r.ended_at_us);
  v("usage_json", r.task.usage);
  v("changes_json", r.task.changes);
  v("changes_state", r.task.changes_state);
  v("notes_json", r.task.notes);
  v("secret", r.secret);
  v("shim_pid", r.shim_pid);
  v("shim_start_time", r.shim_start_time);
  v("boot_id", r.boot_id);
  v("layers_json", r.layers_json);
  v("rm", r.rm);
  v("net_json", r.task.net);
  v("agent_json", r.task.agent);
  v("limits_json", r.task.limits);
  v("secrets_json", r.task.secrets);
  v("models_json", r.task.models);
  v("ssh_keys_json", r.task.ssh_keys);
}

class ColumnBinder {
 public:
  explicit ColumnBinder(Statement& s) : s_(s) {}
  template <class T>
  void operator()(const char*, const T& x) {
    put(x);
  }

 private:
  template <class T>
  void put(const T& x) {
    if constexpr (is_optional<T>::value) {
      x ? put(*x) : s_.bind_null();
    } else if constexpr (std::is_same_v<T, std::string>) {
      s_.bind(x);
    } else if constexpr (std::is_enum_v<T>) {
      s_.bind(name_of(x));
    } else if constexpr (std::is_integral_v<T>) {
      s_.bind(static_cast<int64_t>(x));
    } else {
      s_.bind(json::encode(x));
    }
  }
  Statement& s_;
};

class ColumnReader {
 public:
  explicit ColumnReader(Statement& s) : s_(s) {}
  template <class T>
  void operator()(const char* name, T& x) {
    if (!status_.ok()) return;
    status_ = get(x);
    if (!status_.ok()) status_ = std::move(status_).error().during(std::string("column ") + name);
  }
  Status take() { return std::move(status_); }

 private:
  template <class T>
  Status get(T& x) {
    if constexpr (is_optional<T>::value) {
      if (!s_.column_is_null()) return get(x.emplace());
      x.reset();
      s_.skip_column();
    } else if constexpr (std::is_same_v<T, std::string>) {
      x = s_.column_text();
    } else if constexpr (std::is_enum_v<T>) {
      const auto found = find_enum<T>(s_.column_text());
      if (!found) return Error{Code::internal, "unknown value in the database", {}};
      x = *found;
    } else if constexpr (std::is_same_v<T, bool>) {
      x = s_.column_int() != 0;
    } else if constexpr (std::is_integral_v<T>) {
      x = static_cast<T>(s_.column_int());
    } else {
      const std::string text = s_.column_text();
      if (text == "{}" || text == "[]") {  // most labels, notes and limits
        x = T();
        return {};
      }
      CODEXOS_ASSIGN(const json::Value v, json::parse(text));
      return json::from_value(v, x, json::Unknown::ignore);
    }
    return {};
  }
  Statement& s_;
  Status status_;
};

class ColumnNames {
 public:
  template <class T>
  void operator()(const char* name, const T&) {
    names.push_back(name);
  }
  std::vector<std::string> names;
};

}  // namespace codexos::daemon

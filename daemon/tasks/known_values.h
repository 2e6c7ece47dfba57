// SPDX-License-Identifier: Apache-2.0
// The values of secrets that tasks were given as files or in variables: they are taken out of
// whatever is recorded of such a task. What it prints its shim takes care of (daemon/exec/relay.h);
// this is for what comes by other ways: names that it looks up, what its agent says, its exchanges
// with models.
//
// While the vault is locked nothing is known here, and after a restart not before the task's shim
// has told it (LinkType::tell_values; the vault itself may have other values by then). Meanwhile
// what comes from inside is withheld. For the daemon's loop and the relay's thread.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/base/redactor.h"
#include "core/base/secret.h"
#include "core/wire/secret.h"

namespace codexos::daemon {

/// Whether any of them leaves the task with its value.
bool gives_values(const std::vector<wire::SecretUse>& uses);

class KnownValues {
 public:
  KnownValues();
  ~KnownValues();
  /// These are all that the task has.
  void set(const std::string& task, const std::vector<std::string>& values);
  /// These come to what it has.
  void add(const std::string& task, const std::vector<std::string>& values);
  /// It has some; they are not known.
  void withhold(const std::string& task);
  /// Of every task. What was known is overwritten.
  void withhold_all();
  void forget(const std::string& task);

  TaskRedactor find(const std::string& task) const;
  bool withholds(const std::string& task) const;
  /// Overwrites values in `text`, of a task without any nothing. False: they are not known, and
  /// `text` is as it was.
  bool redact(const std::string& task, std::string& text) const;
  /// The same for every text of a struct with fields().
  template <class T>
  void redact_texts(const std::string& task, T& what) const {
    if (const auto found = find(task); found && *found) {
      TextVisitor visitor{**found};
      T::fields(what, visitor);
    }
  }

 private:
  struct Values;
  struct TextVisitor {
    const Redactor& by;
    template <class T>
    void operator()(const char*, T& x, const char* = "") {
      visit(x);
    }
    void visit(std::string& text) { text = by.redacted(text); }
    template <class T>
    void visit(std::optional<T>& x) {
      if (x) visit(*x);
    }
    template <class T>
    void visit(std::vector<T>& all) {
      for (T& x : all) visit(x);
    }
    template <class T>
    void visit(T&) {}
  };
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Values>> tasks_;  // null: not known
};

}  // namespace codexos::daemon

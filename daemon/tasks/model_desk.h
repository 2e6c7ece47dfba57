// SPDX-License-Identifier: Apache-2.0
// Where the model gateway, in the relay's thread, meets budgets and vault, in the daemon's loop:
// questions go one way by a mailbox, answers come back by another. A gateway that has gone gets
// none.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/os/loop.h"
#include "core/os/mailbox.h"
#include "daemon/tasks/model_service.h"

namespace codexos::daemon {

class KnownValues;
class Supervisor;
class Vault;

class ModelDesk {
 public:
  /// Of the daemon's loop.
  static Result<std::unique_ptr<ModelDesk>> make(Loop& loop, const Vault& vault);
  /// Before the first task that uses models.
  void serve(Supervisor& supervisor);

  /// For make_model_service(); `tenant`: .../tenants/default, where records lie. This and `values`
  /// outlive it.
  MakeModelSeams seams(std::string tenant, const KnownValues& values);

  /// What is known by now is in the store: at the daemon's end, and before a task's.
  void settle_now();

  // From the relay's thread; `done` is called in the daemon's loop.
  void reserve(const Charge& charge, std::function<void(Result<Grant>)> done);
  void settle(uint64_t id, const ModelUsage& usage);
  void find_key(const std::string& name, Keys::Done done);

 private:
  struct Settlement {
    uint64_t id = 0;
    ModelUsage usage;
  };
  ModelDesk(Loop& loop, const Vault& vault) : loop_(loop), vault_(vault) {}
  void settle_all();

  Loop& loop_;
  const Vault& vault_;
  Supervisor* supervisor_ = nullptr;
  std::unique_ptr<Mailbox> in_;
  std::vector<Settlement> settlements_;  // not yet in the store
  bool settles_soon_ = false;
};

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// JSON text, and the codec of every wire type (core/json, core/wire). What parses is printed and
// parsed as the same; what a type takes is written as something that the type takes strictly, and
// that is the same, with and without its defaults.
#include "core/json/json.h"
#include "core/wire/agent.h"
#include "core/wire/apply.h"
#include "core/wire/budget.h"
#include "core/wire/changes.h"
#include "core/wire/daemon.h"
#include "core/wire/doctor.h"
#include "core/wire/event.h"
#include "core/wire/net.h"
#include "core/wire/policy_ask.h"
#include "core/wire/problem.h"
#include "core/wire/secret.h"
#include "core/wire/snapshot.h"
#include "core/wire/task.h"
#include "core/wire/usage.h"
#include "tests/fuzz/fuzz.h"

using namespace codexos;

namespace {

template <class T>
void check_written(const T& x, json::Defaults d) {
  const auto again = json::decode<T>(json::encode(x, d), json::Unknown::refuse);
  CODEXOS_CHECK(again.ok());
  CODEXOS_CHECK(json::encode(*again) == json::encode(x));
}

template <class T>
void check(const json::Value& v) {
  T strict, x;
  const bool taken = json::from_value(v, strict, json::Unknown::refuse).ok();
  if (!json::from_value(v, x, json::Unknown::ignore).ok()) {
    CODEXOS_CHECK(!taken);
    return;
  }
  CODEXOS_CHECK(!taken || json::encode(strict) == json::encode(x));
  check_written(x, json::Defaults::write);
  check_written(x, json::Defaults::omit);
}

template <class... T>
void check_one(size_t which, const json::Value& v) {
  static constexpr void (*kChecks[])(const json::Value&) = {check<T>...};
  kChecks[which % sizeof...(T)](v);
}

/// Every struct of core/wire (fuzz.sh compares).
void check_wire_type(size_t which, const json::Value& v) {
  using namespace wire;
  check_one<TaskCreate, Task, TaskStats, TaskList, PlanMount, PlanView, ExecCreate, StopBody,
            OutputLine, LimitHeld, TaskNet, SshKeyUse, Event, AgentUsage, AgentRecord, AgentQuery,
            AgentLogin, AgentView, AgentList, AgentCheck, AgentLoginList, ApplyBody, UndoBody,
            DiscardBody, PathNote, ApplyResult, ChangeCount, Change, ChangeList, DaemonStatus,
            Health, Version, PruneBody, PruneResult, DoctorCheck, DoctorReport, NetBody, PolicyAsk,
            Problem, SnapshotBody, Snapshot, SnapshotList, Budget, BudgetLimits, BudgetList,
            BudgetPut, ModelCharge, ModelCharges, ModelUse, Secret, SecretBinding, SecretList,
            SecretPut, SecretUse, SecretValue, UsageLine, UsageReport, Vault, VaultProtect,
            VaultUnlock>(which, v);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const auto which = in.ConsumeIntegral<uint8_t>();
  const auto v = json::parse(in.ConsumeRemainingBytesAsString());
  if (!v.ok()) return 0;
  for (const auto& text : {json::dump(*v), json::dump_pretty(*v)}) {
    const auto again = json::parse(text);
    CODEXOS_CHECK(again.ok());
    CODEXOS_CHECK(*again == *v);
  }
  check_wire_type(which, *v);
  return 0;
}

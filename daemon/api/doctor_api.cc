// SPDX-License-Identifier: Apache-2.0
// The machine, checked in the environment that tasks get: the daemon's.
#include "core/base/clock.h"
#include "daemon/api/api.h"
#include "daemon/doctor/checks.h"
#include "daemon/tasks/vault.h"

namespace codexos::daemon {
namespace {

/// "3, kept by a key file".
std::string describe_vault(const wire::Vault& v) {
  constexpr std::string_view kKeptBy[] = {"a key file", "a passphrase", "a systemd credential"};
  if (v.state == wire::VaultState::empty) return "none";
  return std::to_string(v.secrets) + ", kept by " +
         std::string(kKeptBy[static_cast<size_t>(v.source)]) +
         (v.state == wire::VaultState::locked ? ", locked" : "");
}

/// What only the loop may look at, once the slow part is done: helpers are parked meanwhile.
void add_own_facts(ApiParts& parts, HostFacts& f) {
  f.helpers.running = true;
  f.helpers.wanted = parts.helpers.parks();
  f.helpers.parked = parts.helpers.parked();
  if (const Status s = parts.helpers.last_error(); !s.ok()) f.helpers.error = s.error().message;
  if (const Status s = parts.store.check(); !s.ok()) f.state.database = s.error().message;
  const wire::Vault vault = parts.vault.describe();
  f.state.vault = describe_vault(vault);
  f.state.broken_vault = vault.detail;
  f.clock.stepped_us = clock_offset_us() - parts.clock_offset_us;
}

void doctor(ApiParts& parts, const CallPtr& call) {
  parts.worker.submit([&parts, call, o = parts.machine]() -> Worker::Answer {
    return [&parts, call, facts = gather_facts(o)]() mutable {
      add_own_facts(parts, facts);
      call->reply_with(200, judge_host(facts));
    };
  });
}

}  // namespace

ApiRoutes doctor_routes() {
  return {{"GET", "/v1/doctor", "Checks of the machine, with causes and fixes", kNone,
           json_of<wire::DoctorReport>("DoctorReport"), doctor}};
}

}  // namespace codexos::daemon

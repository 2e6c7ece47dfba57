// SPDX-License-Identifier: Apache-2.0
#include "daemon/doctor/checks.h"

#include <array>

namespace codexos::daemon {
namespace {

constexpr std::array kChecks{
    HostCheck{"machine", "a kernel that is new enough, and what we are in", judge_machine},
    HostCheck{"user-namespaces", "every sandbox is made in one", judge_user_namespaces},
    HostCheck{"apparmor", "it can forbid user namespaces to all but named programs",
              judge_apparmor},
    HostCheck{"proc", "every task has a /proc of its own", judge_proc},
    HostCheck{"seccomp", "system calls are filtered, renames in overlays answered", judge_seccomp},
    HostCheck{"landlock", "a second wall around files", judge_landlock},
    HostCheck{"overlay", "changes are held back without copying the workspace", judge_overlay},
    HostCheck{"id-maps", "tasks of root run as another user", judge_id_maps},
    HostCheck{"nf-tables", "tasks with --allow reach hosts by name", judge_network},
    HostCheck{"cgroups", "limits of whole tasks, snapshots of running ones", judge_cgroups},
    HostCheck{"limits", "what the daemon may open and start", judge_limits},
    HostCheck{"state-folder", "where everything is kept", judge_state_folder},
    HostCheck{"file-system", "the one of the state folder", judge_file_system},
    HostCheck{"space", "room for logs and held-back changes", judge_space},
    HostCheck{"clock", "edits are told from changes of tasks by time", judge_clock},
    HostCheck{"socket", "how the daemon is reached", judge_socket},
    HostCheck{"helpers", "sandboxes that are prepared ahead", judge_helpers},
};

}  // namespace

std::span<const HostCheck> doctor_checks() { return kChecks; }

wire::DoctorReport judge_host(const HostFacts& facts) {
  wire::DoctorReport out;
  for (const HostCheck& c : kChecks) out.add(wire::check_of(c.name, c.about, c.judge(facts)));
  return out;
}

}  // namespace codexos::daemon

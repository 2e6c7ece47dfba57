// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/steps.h"

#include <cerrno>

#include "daemon/exec/step_functions.h"

namespace codexos::exec {
namespace {

struct Step {
  const char* name;
  Status (*run)(Sandbox&);
};

constexpr Step kViewSteps[] = {
    {"signals", reset_signals},
    {"session keyring", join_keyring},
    {"id maps", wait_for_maps},
    {"out-of-memory preference", prefer_as_victim},
    {"inside user", become_inside_user},
    {"new root", start_root},
    {"view", put_view},
    {"host name", set_hostname},
    {"network", set_up_network},
    {"landlock rules", plan_second_wall},
    {"bounding set", drop_bounding_set},
    {"no new privileges", no_new_privileges},
    {"seccomp, arguments", filter_arguments},
    {"seccomp", filter_syscalls},
};

constexpr Step kTemplateSteps[] = {
    {"signals", reset_signals},
    {"session keyring", join_keyring},
    {"id maps", wait_for_maps},
    {"out-of-memory preference", prefer_as_victim},
    {"inside user", become_inside_user},
    {"template", start_template},
    {"passed mounts", hold_descriptors},
    {"view", put_shared_root},
    {"parts of the view", put_units_aside},
    {"seal the view", seal_units},
    {"dumpable", let_children_map},
    {"no new privileges", no_new_privileges},
    {"seccomp, arguments", filter_arguments},
    {"seccomp", filter_syscalls},
};

// Signals, no_new_privs and the filters are the zygote's.
constexpr Step kHelperSteps[] = {
    {"session keyring", join_keyring},
    {"id maps", map_oneself},
    {"inside user", become_inside_user},
    {"new root", start_root_of_helper},
    {"view", put_view},
    {"host name", set_hostname},
    {"network", set_up_network},
    {"landlock rules", plan_second_wall},
    {"enter the new root early", leave_host_early},
    {"bounding set", drop_bounding_set},
};

constexpr Step kJobSteps[] = {
    {"mounts of the task", put_job_mounts},
    {"overlays", put_overlays},
    {"written-through paths", put_write_through},
    {"ports of the rules", listen_on_ports_of_rules},
    {"ports of the host", listen_for_host_ports},
    {"landlock rules of the task", complete_second_wall},
    {"enter the new root", leave_host},
    {"read-only root", make_root_read_only},
    {"landlock", enter_second_wall},
    {"capabilities", drop_capabilities},
    {"hide the shim", hide_from_payload},
    {"calls that are answered", listen_to_calls},
    {"seccomp, end of the set-up", end_set_up},
};

template <size_t N>
bool run_steps(const Step (&steps)[N], Sandbox& s, StepFailure& why, Cause cause) {
  for (const auto& step : steps) {
    errno = 0;
    const Status done = step.run(s);
    if (done) continue;
    why.step = step.name;
    why.error = errno;
    why.text = done.error().message;
    why.cause = cause;
    return false;
  }
  return true;
}

}  // namespace

bool check_view(const View& view, StepFailure& why) {
  const char* text = nullptr;
  if (view.uid.host == 0 || view.gid.host == 0)
    text = "the plan maps to host uid or gid 0";
  else if (view.uid.inside == 0)
    text = "the plan maps to uid 0 inside";
  else if (view.seccomp_allow.empty() || view.seccomp_deny.empty() || view.seccomp_seal.empty() ||
           (!view.seccomp_notify.empty() && view.seccomp_seal_told.empty()))
    text = "the plan has no seccomp filters";
  else if (view.mounts.empty())
    text = "the plan has an empty view";
  if (text == nullptr) return true;
  why = StepFailure{"check of the plan", EINVAL, text, Cause::not_isolated};
  return false;
}

bool build_view(Sandbox& s, StepFailure& why) {
  return run_steps(kViewSteps, s, why, Cause::not_isolated);
}
bool build_template(Sandbox& s, StepFailure& why) {
  return run_steps(kTemplateSteps, s, why, Cause::not_isolated);
}
bool build_view_of_helper(Sandbox& s, StepFailure& why) {
  return run_steps(kHelperSteps, s, why, Cause::not_isolated);
}

bool build_job(Sandbox& s, StepFailure& why) {
  return run_steps(kJobSteps, s, why, Cause::start_failed);
}

}  // namespace codexos::exec

// SPDX-License-Identifier: Apache-2.0
// The checks of the machine as a table: name, what it is for, and the judgement, a pure function of
// facts, so that machines which we do not have can be judged in tests. Those that only the caller
// can make (its daemon, its agents, its git) are the command line's.
#pragma once

#include <span>
#include <string_view>

#include "core/wire/doctor.h"
#include "daemon/doctor/facts.h"

namespace codexos::daemon {

struct HostCheck {
  std::string_view name;
  std::string_view about;
  wire::Finding (*judge)(const HostFacts&);
};
std::span<const HostCheck> doctor_checks();

wire::DoctorReport judge_host(const HostFacts& facts);

// The judgements, by file.
wire::Finding judge_machine(const HostFacts& f);  // checks_kernel.cc
wire::Finding judge_user_namespaces(const HostFacts& f);
wire::Finding judge_apparmor(const HostFacts& f);
wire::Finding judge_proc(const HostFacts& f);
wire::Finding judge_landlock(const HostFacts& f);
wire::Finding judge_seccomp(const HostFacts& f);
wire::Finding judge_network(const HostFacts& f);
wire::Finding judge_cgroups(const HostFacts& f);
wire::Finding judge_limits(const HostFacts& f);
wire::Finding judge_state_folder(const HostFacts& f);  // checks_state.cc
wire::Finding judge_file_system(const HostFacts& f);
wire::Finding judge_overlay(const HostFacts& f);
wire::Finding judge_id_maps(const HostFacts& f);
wire::Finding judge_space(const HostFacts& f);
wire::Finding judge_clock(const HostFacts& f);
wire::Finding judge_socket(const HostFacts& f);
wire::Finding judge_helpers(const HostFacts& f);

}  // namespace codexos::daemon

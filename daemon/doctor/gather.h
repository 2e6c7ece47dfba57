// SPDX-License-Identifier: Apache-2.0
// Asks the kernel and the file system for the facts that checks judge; what cannot be found out is
// left at its default. Blocks for as long as codexos-exec --probe takes, some ten milliseconds.
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/os/place.h"
#include "daemon/doctor/facts.h"

namespace codexos::daemon {

struct GatherOptions {
  Place place;
  std::string exec_path;  // of codexos-exec; empty: not found, as exec_error says
  std::string exec_error;
  uint32_t task_host_uid = 0;  // of a root daemon's tasks; 0: the caller's own
};

HostFacts gather_facts(const GatherOptions& o);

// The parts that only read text; pure.

/// What tells of a container, each as it was found or empty.
struct ContainerMarks {
  bool dockerenv = false;      // /.dockerenv
  bool containerenv = false;   // /run/.containerenv
  bool kubernetes = false;     // a service account is mounted
  std::string systemd;         // /run/systemd/container
  std::string init_container;  // container= in the environment of process 1
  std::string cgroups;         // /proc/self/cgroup
};
/// "docker", "podman", "kubernetes", "lxc", another engine's own name, or empty.
std::string container_of(const ContainerMarks& m);

/// Whether `id` is one that the user namespace of this /proc/self/uid_map knows.
bool is_mapped(std::string_view uid_map, uint64_t id);

/// The program that an AppArmor profile text attaches to, or empty.
std::string profile_program(std::string_view text);

/// Where our own cgroup of each hierarchy lies: /proc/self/mountinfo and /proc/self/cgroup joined.
struct CgroupPlace {
  int version = 0;
  std::vector<std::string> controllers;  // version 2: none, they stand in cgroup.controllers
  std::string dir;
};
std::vector<CgroupPlace> cgroup_places(std::string_view mountinfo, std::string_view own);

}  // namespace codexos::daemon

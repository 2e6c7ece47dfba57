// SPDX-License-Identifier: Apache-2.0
// What is known of a machine before it is judged (checks.h). Gathering asks the kernel and the file
// system; what only a running daemon knows is filled in by it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/probe.h"

namespace codexos::daemon {

struct MachineFacts {
  std::string kernel;  // uname(2), release
  std::string arch;
  std::string container;  // the engine's name as in engines of checks_kernel.cc; empty: in none
  bool root = false;
  bool filtered = false;        // a seccomp filter is on us already
  bool task_uid_mapped = true;  // root: the host uid of its tasks is known in our user namespace
  bool systemd = false;         // it is process 1
  // Of /proc/sys; nothing: this kernel does not have it.
  std::optional<int64_t> max_user_namespaces;
  std::optional<int64_t> unprivileged_userns_clone;
  std::optional<int64_t> apparmor_restricts;
  std::string exec_path;             // of codexos-exec
  std::string apparmor_profile_for;  // the program that /etc/apparmor.d/codexos-exec names
  std::string probe_error;           // why it could not be asked; empty: it was
  KernelProbe probe;
};

struct CgroupFacts {
  int version = 0;                    // 1, 2; 0: none is mounted
  std::vector<std::string> writable;  // controllers of which we can make a group
};

struct LimitFacts {
  bool may_raise = false;  // CAP_SYS_RESOURCE
  uint64_t open_files = 0;
  uint64_t processes = 0;  // hard limits; UINT64_MAX: none
};

enum class SocketState { absent, listening, leftover, not_a_socket };

struct StateFacts {
  std::string home;
  std::string socket;
  bool exists = false;
  bool is_dir = true;
  bool writable = true;    // if it does not exist: the folder that it would be made in
  bool read_only = false;  // the file system is
  uid_t owner = 0, ours = 0;
  uint32_t mode = 0;
  int64_t magic = 0;  // statfs(2), of the folder or what it would be made in
  uint64_t free_bytes = 0;
  uint64_t inodes = 0, free_inodes = 0;  // 0 inodes: the file system does not count them
  SocketState socket_state = SocketState::absent;
  std::string database;      // what is wrong with it; empty: nothing, or not known
  std::string vault;         // how secrets are kept; empty: not known, no daemon runs
  std::string broken_vault;  // why it does not open; empty: it does
};

struct ClockFacts {
  int64_t now_us = 0;
  int64_t built_us = 0;
  std::optional<int64_t> stepped_us;  // since the daemon began; nothing: it does not run
};

struct HelperFacts {
  bool running = false;  // a daemon that could park any
  bool wanted = true;    // CODEXOS_PARKED is not 0
  size_t parked = 0;
  std::string error;  // why the last one could not be
};

struct HostFacts {
  MachineFacts machine;
  CgroupFacts cgroups;
  LimitFacts limits;
  StateFacts state;
  ClockFacts clock;
  HelperFacts helpers;
};

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// The steps themselves, file by file; steps.cc puts them into order. Each returns what went wrong,
// and errno tells the rest.
#pragma once

#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "daemon/exec/steps.h"

namespace codexos::exec {

/// errno stays as the call left it.
inline Status ok_or_errno(long result, const char* what) {
  if (result >= 0) return {};
  const int error = errno;
  Error e = errno_error(what, error);
  errno = error;
  return e;
}

// ---- put_mount.cc: one row of a view or a job

/// `fds` are what came with the view or the job.
Status put_mount(Sandbox& s, const Mount& m, std::vector<Fd>& fds);
/// Attaches a mount of a file, making the place where it is missing.
Status attach_file(Sandbox& s, int tree, const std::string& target);
/// Where the template holds the view's descriptor `n`.
std::string held_name(size_t n);
/// A mount may cover the folder that is held.
void forget_parent(Sandbox& s);
/// The file that MountKind::hide shows, in the root.
Status make_empty_file(Sandbox& s);
Result<struct stat> stat_of(int fd, const std::string& what);
/// Error conflict: it is not the object that was planned with; `ino` 0: it may be any.
Status check_object(const struct stat& st, uint64_t dev, uint64_t ino, const std::string& what);

// ---- view_steps.cc: what all tasks find, and what a zygote has ready of it

/// What the host mounts comes in, what is mounted here does not go out.
Status stop_propagation();
Status start_root(Sandbox& s);
Status start_root_of_helper(Sandbox& s);
Status put_view(Sandbox& s);
Status set_hostname(Sandbox& s);
Status set_up_network(Sandbox& s);
Status start_template(Sandbox& s);
Status hold_descriptors(Sandbox& s);
Status put_shared_root(Sandbox& s);
Status put_units_aside(Sandbox& s);
Status seal_units(Sandbox& s);
Status let_children_map(Sandbox& s);

// ---- job_steps.cc: what one task adds

Status put_job_mounts(Sandbox& s);
Status put_overlays(Sandbox& s);
Status put_write_through(Sandbox& s);
Status listen_on_ports_of_rules(Sandbox& s);
Status listen_for_host_ports(Sandbox& s);
Status leave_host(Sandbox& s);
Status leave_host_early(Sandbox& s);
Status make_root_read_only(Sandbox& s);

// ---- rights.cc: who it is, and what it may not

Status join_keyring(Sandbox& s);
Status reset_signals(Sandbox& s);
Status wait_for_maps(Sandbox& s);
Status map_oneself(Sandbox& s);
Status become_inside_user(Sandbox& s);
Status prefer_as_victim(Sandbox& s);
Status plan_second_wall(Sandbox& s);
Status complete_second_wall(Sandbox& s);
Status enter_second_wall(Sandbox& s);
Status drop_bounding_set(Sandbox& s);
Status drop_capabilities(Sandbox& s);
Status no_new_privileges(Sandbox& s);
Status hide_from_payload(Sandbox& s);
Status listen_to_calls(Sandbox& s);
Status filter_arguments(Sandbox& s);
Status filter_syscalls(Sandbox& s);
Status end_set_up(Sandbox& s);

}  // namespace codexos::exec

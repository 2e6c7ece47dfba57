// SPDX-License-Identifier: Apache-2.0
// From a request to a Plan: pure, but for HostFacts, which is read once per task and cached by the
// caller. What a task finds is decided by the tables in view.cc.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/plan.h"
#include "core/os/host.h"
#include "core/policy/never.h"
#include "core/wire/task.h"

namespace codexos::daemon {

struct ViewRequest {
  Caller caller;
  wire::SeccompProfile seccomp = wire::SeccompProfile::default_;
  wire::Network net = wire::Network::none;
  uint32_t task_host_uid = 0;  // of a root daemon's tasks; unused else
  uint32_t task_host_gid = 0;
  std::string state_home;  // never shown
  std::string workspace;   // caches are per workspace; not part of the view's key otherwise
  std::string cache_dir;   // caches/<workspace hash>/ on the host, folders exist: npm, pip, ...
  std::vector<std::string> show;
  std::string cwd;  // what a relative --show starts from; empty: it must be absolute
  std::vector<std::string> places;  // folders to mount on (places_in_root)
};

/// One persistent package cache: HOME-relative target and folder name below cache_dir.
struct CacheRow {
  std::string_view target;  // ".npm"
  std::string_view folder;  // "npm"
};
const std::vector<CacheRow>& cache_rows();

/// The constant half: namespaces, ids, system mounts, /etc, toolchains, HOME, masks, seccomp bytes.
/// Does not depend on the workspace, so helpers can be parked with it. `key` is a hash of
/// everything in it.
Result<View> make_view(const ViewRequest& r, const Host& host);

/// PATH reduced to entries that exist inside the view, in the caller's order.
std::string reduce_path(const std::string& path, const View& view, const std::vector<Mount>& more,
                        const Host& host);
/// The environment a task gets (cli contract "What a task finds"), K=V sorted.
std::vector<std::string> make_env(const ViewRequest& r, const View& view,
                                  const std::vector<Mount>& job_mounts,
                                  const std::map<std::string, std::string>& set,
                                  const std::string& task_id, const std::string& cwd,
                                  const Host& host);
/// Whether every task has this variable: it is passed on, or set.
bool is_passed_on(std::string_view name);
/// Mounts that belong to one task: caches, --show, git identity file. Not the workspace. `notes`:
/// what could not be kept from it.
Result<std::vector<Mount>> make_job_mounts(const ViewRequest& r, const View& view, const Host& host,
                                           std::vector<std::string>& notes);
/// For --plan-only: "~/.ssh: --show ~/.ssh" for never-shown things that exist.
std::vector<std::string> hidden_things(const Caller& c, const Host& host);
/// The folders of the view's root that the task's own mounts go onto: all tasks of a view share the
/// root, read-only, so that a view must have them (ViewRequest::places).
std::vector<std::string> places_in_root(const View& view, const Job& job, const Host& host);
/// Whether the task puts something into the shared, read-only part of the view where there is no
/// place for it: such a task shares nothing.
bool needs_own_units(const View& view, const Job& job);
using codexos::never_shown;

/// seccomp.cc, the home of libseccomp: the filters of a profile as BPF bytes; compiled once per
/// process.
struct SeccompPrograms {
  std::string allow;
  std::string deny;
  std::string seal;
  // With a listener; empty: the profile has none.
  std::string notify;
  std::string learn;
  std::string seal_told;  // instead of seal where there is a listener
};
Result<SeccompPrograms> seccomp_programs(wire::SeccompProfile p);
/// What is loaded beside those for a task without namespaces.
struct AlonePrograms {
  std::string alone;
  std::string guard;  // with a listener
};
Result<AlonePrograms> alone_programs();
/// A call that was refused by a row that tells: "unshare CLONE_NEWUSER", and the row's reason.
struct ToldCall {
  std::string what;
  std::string why;
};
/// `first`: the call's first argument. Nothing for calls of other rows.
std::optional<ToldCall> told_call(int number, uint64_t first);
/// Rows of the filter for documentation: "name: action: why".
std::vector<std::string> seccomp_table(wire::SeccompProfile p);

}  // namespace codexos::daemon

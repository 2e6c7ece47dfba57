// SPDX-License-Identifier: Apache-2.0
// The folder of one task, tenants/<tenant>/tasks/<id>/:
//   record      the exit record (core/base/record.h), written by the shim
//   stdout.log  stderr.log    its output, laid out by LogLayout
//   alive       flocked by the shim for as long as it lives; holds "pid start_time boot_id" of it
//   shim.sock   where the next daemon finds it
//   layers/N/{upper,work}     what it changed in overlay root N
//   base        what the real folders had at its end (daemon/workspace/base.h)
//   snapshots/  states of the layers that were kept (daemon/tasks/snapshots.h)
// Content that outlives layers is in tenants/<tenant>/objects/ (daemon/workspace/objects.h).
// The daemon makes them and passes the descriptors; the shim has no path to any of them.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/frames.h"
#include "core/base/record.h"
#include "daemon/workspace/workspace.h"

namespace codexos::daemon {

struct TaskPaths {
  TaskPaths(const std::string& home, const std::string& tenant, const std::string& id)
      : tenant_dir(home + "/tenants/" + tenant), dir(tenant_dir + "/tasks/" + id) {}
  explicit TaskPaths(std::string folder) : dir(std::move(folder)) {}  // of no tenant: a spare one
  std::string tenant_dir;
  std::string dir;
  std::string objects() const { return tenant_dir + "/objects"; }
  std::string base() const { return dir + "/base"; }
  std::string record() const { return dir + "/record"; }
  std::string log(int stream) const { return dir + (stream == 0 ? "/stdout.log" : "/stderr.log"); }
  std::string alive() const { return dir + "/alive"; }
  std::string authority() const { return dir + "/authority.json"; }
  std::string trust() const { return dir + "/trust"; }
  std::string ssh() const { return dir + "/ssh"; }
  std::string socket() const { return dir + "/shim.sock"; }
  std::string layers() const { return dir + "/layers"; }
  std::string layer(size_t n) const { return layers() + "/" + std::to_string(n); }
};

/// "TASK@NAME" in two; false: there is no '@'.
bool split_snapshot(const std::string& from, std::string& task, std::string& name);
/// Letters, digits, '.', '_' and '-', at most 64; it is a file's name.
bool is_snapshot_name(const std::string& s);
/// The folder that holds the layers of an opened snapshot (daemon/tasks/snapshots.h).
std::string snapshot_layers(const TaskPaths& paths, const std::string& name);

struct TaskFds {
  Fd stdout_log, stderr_log, record, alive, listener;
};

/// Makes the folder and everything in it. Layers belong to their root's owner, so that what a root
/// daemon's task writes through the idmapped clone has the owner that the real folder has.
Result<TaskFds> create_task_files(const TaskPaths& paths, const std::string& boot_id,
                                  const std::vector<Root>& roots);

/// What a spare folder has: layers_dir/0/{upper,work}, the daemon's own.
Status make_empty_layer(const std::string& layers_dir);
/// Makes what there is of layers fit the roots: owner and mode of the first, further ones made,
/// none where none is wanted.
Status fit_layers(const TaskPaths& paths, const std::vector<Root>& roots);

/// The record as it is now, finished or not. Error: it is not there or not a record.
Result<Record> read_record(const std::string& path);
/// The end that a finished record of this boot tells, or nothing.
std::optional<Ended> end_of_record(const Record& r, const std::string& boot_id);
/// Whether a record of this boot says that the program was never forked. Of another boot nothing is
/// known: a power failure may have lost the page.
bool never_ran(const Record& r, const std::string& boot_id);

/// What `alive` says about the shim's process; nothing when it says nothing or of another boot.
void write_alive(const std::string& path, const PidInfo& process, const std::string& boot_id);
std::optional<PidInfo> read_alive(const std::string& path, const std::string& boot_id);
/// Whether somebody holds the lock of `alive`. A file that is gone is held by nobody.
bool is_alive_locked(const std::string& path);

}  // namespace codexos::daemon

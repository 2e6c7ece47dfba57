// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/task_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sstream>

#include "core/os/file.h"
#include "core/os/socket.h"
#include "daemon/workspace/copy.h"

namespace codexos::daemon {
namespace {

Result<Fd> create(const std::string& path) {
  return open_file(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

Result<Fd> create_record(const std::string& path, const std::string& boot_id) {
  CODEXOS_ASSIGN(Fd fd, create(path));
  // A whole page of real blocks: the shim writes it through a mapping, where a full disk would be a
  // SIGBUS.
  char page[kRecordSize] = {};
  Record r{};
  r.magic = kRecordMagic;
  r.length = sizeof(Record);
  std::memcpy(r.boot_id, boot_id.data(), std::min(boot_id.size(), sizeof r.boot_id));
  std::memcpy(page, &r, sizeof r);
  CODEXOS_TRY(write_all(fd.get(), std::string_view(page, sizeof page)));
  return fd;
}

Status make_owned_dir(const std::string& path, mode_t mode, uid_t uid, gid_t gid) {
  if (mkdir(path.c_str(), mode) < 0) return errno_error("mkdir " + path, errno);
  if (geteuid() == 0 && (uid != 0 || gid != 0) && lchown(path.c_str(), uid, gid) < 0)
    return errno_error("chown " + path, errno);
  return {};
}

/// upper/ is what the task sees as the root's own folder, so it has the root's mode.
Status set_upper_mode(const Root& root) {
  struct stat st {};
  if (stat(root.path.c_str(), &st) < 0) return errno_error("stat " + root.path, errno);
  const std::string upper = root.layer + "/upper";
  if (chmod(upper.c_str(), st.st_mode & 07777) < 0) return errno_error("chmod " + upper, errno);
  return {};
}

Status make_layer(const Root& root) {
  CODEXOS_TRY(make_owned_dir(root.layer, 0700, root.owner_uid, root.owner_gid));
  CODEXOS_TRY(make_owned_dir(root.layer + "/upper", 0700, root.owner_uid, root.owner_gid));
  CODEXOS_TRY(set_upper_mode(root));
  return make_owned_dir(root.layer + "/work", 0700, root.owner_uid, root.owner_gid);
}

Status give_layer(const Root& root) {
  struct stat st {};
  if (geteuid() == 0 && stat((root.layer + "/upper").c_str(), &st) == 0 &&
      (st.st_uid != root.owner_uid || st.st_gid != root.owner_gid))
    for (const char* part : {"", "/upper", "/work", "/work/work"})
      if (lchown((root.layer + part).c_str(), root.owner_uid, root.owner_gid) < 0 &&
          errno != ENOENT)
        return errno_error("chown " + root.layer + part, errno);
  return set_upper_mode(root);
}

/// Where there is no overlay. Before its content comes, it is as closed as any other's.
Status make_copy_folder(const Root& root) {
  if (!root.copied) return {};
  return make_owned_dir(copy_of(root), 0700, root.owner_uid, root.owner_gid);
}

/// `spare`: the first layer is there already.
Status make_layers(const TaskPaths& paths, const std::vector<Root>& roots, bool spare) {
  size_t layers = 0;
  for (const auto& root : roots) {
    if (root.layer.empty()) continue;
    if (layers == 0 && !spare) CODEXOS_TRY(make_owned_dir(paths.layers(), 0700, 0, 0));
    CODEXOS_TRY(layers++ == 0 && spare ? give_layer(root) : make_layer(root));
    CODEXOS_TRY(make_copy_folder(root));
  }
  if (layers > 0 || !spare) return {};
  const auto removed = remove_tree(paths.layers());
  return removed.ok() ? Status() : Status(removed.error());
}

constexpr size_t kMaxSnapshotName = 64;

}  // namespace

bool split_snapshot(const std::string& from, std::string& task, std::string& name) {
  const size_t at = from.find('@');
  if (at == std::string::npos) return false;
  task = from.substr(0, at);
  name = from.substr(at + 1);
  return true;
}

bool is_snapshot_name(const std::string& s) {
  const auto fine = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !s.empty() && s.size() <= kMaxSnapshotName && s[0] != '.' && s[0] != '-' &&
         std::all_of(s.begin(), s.end(), fine);
}

std::string snapshot_layers(const TaskPaths& paths, const std::string& name) {
  return paths.dir + "/snapshots/" + name + "/layers";
}

Result<TaskFds> create_task_files(const TaskPaths& paths, const std::string& boot_id,
                                  const std::vector<Root>& roots) {
  TaskFds out;
  CODEXOS_TRY(make_owned_dir(paths.dir, 0700, 0, 0));
  CODEXOS_ASSIGN(out.stdout_log, create(paths.log(0)));
  CODEXOS_ASSIGN(out.stderr_log, create(paths.log(1)));
  CODEXOS_ASSIGN(out.record, create_record(paths.record(), boot_id));
  CODEXOS_ASSIGN(out.alive, create(paths.alive()));
  CODEXOS_TRY(lock_file(out.alive.get()));
  CODEXOS_ASSIGN(out.listener, listen_unix(paths.socket(), SocketType::seqpacket));
  CODEXOS_TRY(make_layers(paths, roots, false));
  return out;
}

Status make_empty_layer(const std::string& layers_dir) {
  for (const char* part : {"", "/0", "/0/upper", "/0/work"})
    CODEXOS_TRY(make_owned_dir(layers_dir + part, 0700, 0, 0));
  return {};
}

Status fit_layers(const TaskPaths& paths, const std::vector<Root>& roots) {
  return make_layers(paths, roots, true);
}

Result<Record> read_record(const std::string& path) {
  CODEXOS_ASSIGN(const Fd fd, open_file(path, O_RDONLY | O_CLOEXEC));
  Record r{};
  if (pread(fd.get(), &r, sizeof r, 0) != static_cast<ssize_t>(sizeof r) ||
      r.magic != kRecordMagic || !is_record_length(r.length))
    return Error{Code::invalid, path + " is not an exit record", {}};
  return r;
}

std::optional<Ended> end_of_record(const Record& r, const std::string& boot_id) {
  if (!record_ended(r, boot_id)) return std::nullopt;
  Ended e;
  e.outcome.cause = static_cast<Cause>(r.cause);
  e.outcome.code = r.code;
  e.outcome.signal = r.signal;
  e.outcome.detail.assign(r.detail, std::min<size_t>(r.detail_length, sizeof r.detail));
  e.at_us = r.ended_at_us;
  e.usage.wall_us = r.wall_us;
  e.usage.cpu_user_us = r.cpu_user_us;
  e.usage.cpu_system_us = r.cpu_system_us;
  e.usage.max_rss_bytes = r.max_rss_bytes;
  e.usage.stdout_bytes = r.stream_bytes[0];
  e.usage.stderr_bytes = r.stream_bytes[1];
  const auto told = [](uint64_t x) { return x == 0 ? std::optional<uint64_t>() : x; };
  e.usage.memory_bytes = told(r.memory_peak);
  e.usage.pids = told(r.pids_peak);
  e.usage.disk_bytes = told(r.disk_peak);
  for (size_t stream = 0; stream < 2; ++stream)
    if (r.log_errors[stream] != 0)
      e.notes.push_back(
          log_note(stream, r.stream_bytes[stream], static_cast<int>(r.log_errors[stream])));
  return e;
}

bool never_ran(const Record& r, const std::string& boot_id) {
  return r.started_at_us == 0 &&
         boot_id == std::string_view(r.boot_id, strnlen(r.boot_id, sizeof r.boot_id));
}

void write_alive(const std::string& path, const PidInfo& process, const std::string& boot_id) {
  const std::string line =
      std::to_string(process.pid) + " " + std::to_string(process.start_time) + " " + boot_id + "\n";
  // Only a help for the next daemon: without it the lock alone decides.
  const auto fd = open_file(path, O_WRONLY | O_CLOEXEC);
  if (fd.ok()) (void)!pwrite(fd->get(), line.data(), line.size(), 0);
}

std::optional<PidInfo> read_alive(const std::string& path, const std::string& boot_id) {
  const auto text = read_file(path, 4096);
  if (!text.ok()) return std::nullopt;
  std::istringstream in(*text);
  PidInfo p;
  std::string boot;
  if (!(in >> p.pid >> p.start_time >> boot) || boot != boot_id || p.pid <= 0) return std::nullopt;
  return p;
}

bool is_alive_locked(const std::string& path) {
  const auto fd = open_file(path, O_RDWR | O_CLOEXEC);
  if (!fd.ok()) return false;
  return flock(fd->get(), LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/snapshots.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <tuple>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/json/json.h"
#include "core/os/file.h"
#include "core/os/freezer.h"
#include "daemon/tasks/task_files.h"
#include "daemon/workspace/layers.h"
#include "daemon/workspace/snapshot.h"

namespace codexos::daemon {
namespace {

Error no_snapshot(const std::string& task, const std::string& name) {
  return Error{Code::not_found, "task " + task + " has no snapshot \"" + name + "\"",
               "codexos snapshot list " + task};
}

/// What the worker needs to know of a task; it asks nothing of the loop.
struct Subject {
  TaskRow row;
  TaskPaths files;
  std::vector<Root> roots;
  std::string cgroup;  // what its own is called
  std::string dir() const { return files.dir + "/snapshots"; }
  std::string of(const std::string& name) const { return dir() + "/" + name; }
  std::string info(const std::string& name) const { return of(name) + "/info"; }
  std::string manifest(const std::string& name) const { return of(name) + "/manifest"; }
};

Result<wire::Snapshot> read_info(const std::string& file) {
  CODEXOS_ASSIGN(const std::string text, read_file(file));
  return json::decode<wire::Snapshot>(text, json::Unknown::ignore);
}

Status write_info(const std::string& file, const wire::Snapshot& s) {
  CODEXOS_ASSIGN(const Fd fd, open_file(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  auto written = write_all(fd.get(), json::encode(s) + "\n");
  if (written.ok() && fsync(fd.get()) < 0) written = errno_error("fsync " + file, errno);
  if (!written.ok()) unlink(file.c_str());
  return written;
}

/// Oldest first.
Result<std::vector<wire::Snapshot>> list_infos(const Subject& s) {
  std::vector<wire::Snapshot> out;
  const Fd dir(::open(s.dir().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  for (const auto& name : dir ? names_in(dir.get()) : std::set<std::string>()) {
    auto info = read_info(s.info(name));
    if (!info.ok() && info.error().code == Code::not_found) continue;  // cut off by a crash
    if (!info.ok()) return std::move(info).error();
    out.push_back(*std::move(info));
  }
  std::sort(out.begin(), out.end(), [](const wire::Snapshot& a, const wire::Snapshot& b) {
    return std::tie(a.created_at, a.name) < std::tie(b.created_at, b.name);
  });
  return out;
}

/// The lowest number that is above all that were given.
std::string next_name(const std::vector<wire::Snapshot>& all) {
  uint64_t highest = 0;
  for (const auto& s : all) {
    uint64_t n = 0;
    const char* end = s.name.data() + s.name.size();
    const auto [stop, error] = std::from_chars(s.name.data(), end, n);
    if (error == std::errc() && stop == end) highest = std::max(highest, n);
  }
  return std::to_string(highest + 1);
}

Result<wire::Snapshot> take(const Subject& s, std::string name, pid_t init) {
  const int64_t begun = monotonic_us();
  CODEXOS_TRY(make_dir(s.dir(), 0700));
  CODEXOS_ASSIGN(const auto all, list_infos(s));
  if (name.empty()) name = next_name(all);
  const auto same = [&name](const wire::Snapshot& o) { return o.name == name; };
  if (std::any_of(all.begin(), all.end(), same))
    return Error{Code::conflict, "task " + s.row.task.id + " has a snapshot \"" + name + "\"",
                 "codexos snapshot rm " + s.row.task.id + "@" + name};
  // A manifest that cannot be read saves nothing, but costs nothing either.
  std::optional<Snapshot> before;
  if (!all.empty())
    if (auto last = read_snapshot(s.manifest(all.back().name)); last.ok())
      before = *std::move(last);
  CODEXOS_ASSIGN(ObjectStore objects, ObjectStore::open(s.files.objects()));
  SnapshotCost cost;
  wire::Snapshot out;
  Snapshot taken;
  {
    std::optional<Freezer> frozen;
    if (init != 0) {
      auto f = Freezer::freeze(init, s.row.task.id, s.cgroup);
      if (!f.ok())
        return std::move(f)
            .error()
            .during("freeze task " + s.row.task.id)
            .with_hint("codexos stop " + s.row.task.id + ", then take the snapshot");
      frozen.emplace(*std::move(f));
    }
    out.created_at = format_time(now_us());
    CODEXOS_ASSIGN(taken, take_snapshot(s.roots, before ? &*before : nullptr, objects, cost));
  }
  taken.name = name;
  CODEXOS_TRY(make_dir(s.of(name), 0700));
  CODEXOS_TRY(write_snapshot(s.manifest(name), taken));
  out.task = s.row.task.id;
  out.name = name;
  out.running = init != 0;
  out.entries = cost.entries;
  out.stored_files = cost.stored;
  out.stored_bytes = cost.stored_bytes;
  out.took_us = monotonic_us() - begun;
  CODEXOS_TRY(write_info(s.info(name), out));
  return out;
}

/// The layers of a snapshot below `layers`, which must not exist; nothing of it is left on an
/// error.
Status make_layers(const Subject& s, const std::string& name, const std::string& layers) {
  CODEXOS_ASSIGN(const Snapshot snapshot, read_snapshot(s.manifest(name)));
  CODEXOS_ASSIGN(ObjectStore objects, ObjectStore::open(s.files.objects()));
  if (mkdir(layers.c_str(), 0700) < 0) return errno_error("mkdir " + layers, errno);
  for (size_t n = 0; n < snapshot.roots.size(); ++n) {
    if (snapshot.roots[n].entries.empty()) continue;
    auto made = restore_snapshot(snapshot.roots[n], objects, layers + "/" + std::to_string(n));
    if (!made.ok()) {
      (void)remove_tree(layers);
      return made;
    }
  }
  return {};
}

Result<wire::Snapshot> open_layers(const Subject& s, const std::string& name) {
  auto info = read_info(s.info(name));
  if (!info.ok()) return no_snapshot(s.row.task.id, name);
  const std::string layers = snapshot_layers(s.files, name);
  struct stat st {};
  if (stat(layers.c_str(), &st) == 0) return info;
  const std::string fresh = layers + ".new";
  CODEXOS_ASSIGN(const uint64_t freed, remove_tree(fresh));
  (void)freed;
  CODEXOS_TRY(make_layers(s, name, fresh));
  if (rename(fresh.c_str(), layers.c_str()) < 0) return errno_error("rename " + fresh, errno);
  return info;
}

/// The old layers go only when the new ones are in their place.
Status replace_layers(const Subject& s, const std::string& name) {
  if (!read_info(s.info(name)).ok()) return no_snapshot(s.row.task.id, name);
  const std::string layers = s.files.layers(), fresh = layers + ".new", old = layers + ".old";
  for (const auto& dir : {fresh, old})
    if (auto removed = remove_tree(dir); !removed.ok()) return std::move(removed).error();
  CODEXOS_TRY(make_layers(s, name, fresh));
  if (rename(layers.c_str(), old.c_str()) < 0 && errno != ENOENT)
    return errno_error("rename " + layers, errno);
  if (rename(fresh.c_str(), layers.c_str()) < 0) {
    const Error why = errno_error("rename " + fresh, errno);
    (void)rename(old.c_str(), layers.c_str());
    return why;
  }
  if (auto removed = remove_tree(old); !removed.ok())
    log_line(LogLevel::warning, "worker", removed.error().message);
  return {};
}

Result<wire::Snapshot> forget(const Subject& s, const std::string& name) {
  auto info = read_info(s.info(name));
  if (!info.ok()) return no_snapshot(s.row.task.id, name);
  if (unlink(s.info(name).c_str()) < 0) return errno_error("remove " + s.info(name), errno);
  if (auto removed = remove_tree(s.of(name)); !removed.ok())
    log_line(LogLevel::warning, "worker", removed.error().message);
  return info;
}

/// Checks the name, finds the task, and reads what the worker needs.
Result<Subject> subject_of(Supervisor& supervisor, const std::string& task,
                           const std::string& name) {
  if (!name.empty() && !is_snapshot_name(name))
    return Error{Code::invalid, "\"" + name + "\" cannot name a snapshot",
                 "letters, digits, '.', '_' and '-', at most 64"};
  CODEXOS_ASSIGN(TaskRow row, supervisor.find(task));
  CODEXOS_ASSIGN(Roots roots, json::decode<Roots>(row.layers_json, json::Unknown::ignore));
  TaskPaths files = supervisor.paths(row);
  std::string cgroup = supervisor.cgroup_of(row.task.id);
  return Subject{std::move(row), std::move(files), std::move(roots.roots), std::move(cgroup)};
}

/// Runs `work` in the worker and gives its result to `done` in the loop.
template <class T>
void in_worker(Worker& worker, std::function<Result<T>()> work,
               std::function<void(Result<T>)> done) {
  worker.submit([work = std::move(work), done = std::move(done)]() -> Worker::Answer {
    auto result = std::make_shared<Result<T>>(work());
    return [result, done] { done(std::move(*result)); };
  });
}

}  // namespace

void Snapshots::create(const std::string& task, const wire::SnapshotBody& body, OnSnapshot done) {
  auto s = subject_of(p_.supervisor, task, body.name);
  if (!s.ok()) return done(std::move(s).error());
  const wire::Task& t = s->row.task;
  if (t.mode != wire::WorkspaceMode::overlay || s->roots.empty())
    return done(Error{Code::conflict, "task " + t.id + " holds no changes back", {}});
  if (std::any_of(s->roots.begin(), s->roots.end(), [](const Root& r) { return r.copied; }))
    return done(Error{Code::unsupported,
                      "task " + t.id + " works on a copy of the workspace: it has no layers",
                      {}});
  pid_t init = 0;
  if (is_terminal(t.state)) {
    if (t.changes_state != "waiting" && t.changes_state != "continued")
      return done(Error{Code::conflict,
                        "task " + t.id + " has no changes that wait (" + t.changes_state + ")",
                        {}});
  } else {
    init = p_.supervisor.shim_of(t.id);
    if (init == 0)
      return done(Error{Code::unavailable, "task " + t.id + " is starting or ending", "try again"});
  }
  // Nobody waits until the disk has it all: what a power failure takes away is noticed by its size
  // when it is given back.
  const auto sync = [this, objects = s->files.objects()] {
    p_.worker.submit([objects]() -> Worker::Answer {
      if (const auto store = ObjectStore::open(objects); store.ok()) (void)store->sync();
      return nullptr;
    });
  };
  in_worker<wire::Snapshot>(
      p_.worker, [s = *std::move(s), name = body.name, init] { return take(s, name, init); },
      [done, sync](Result<wire::Snapshot> r) {
        if (r.ok()) sync();
        done(std::move(r));
      });
}

void Snapshots::list(const std::string& task, OnList done) {
  auto s = subject_of(p_.supervisor, task, {});
  if (!s.ok()) return done(std::move(s).error());
  in_worker<wire::SnapshotList>(
      p_.worker,
      [s = *std::move(s)]() -> Result<wire::SnapshotList> {
        wire::SnapshotList out;
        CODEXOS_ASSIGN(out.snapshots, list_infos(s));
        return out;
      },
      done);
}

void Snapshots::remove(const std::string& task, const std::string& name, OnSnapshot done) {
  auto s = subject_of(p_.supervisor, task, name);
  if (!s.ok()) return done(std::move(s).error());
  const auto users = p_.supervisor.stacked_on(snapshot_layers(s->files, name));
  if (!users.ok()) return done(users.error());
  if (!users->empty())
    return done(Error{Code::conflict, "task " + users->front() + " started from this snapshot",
                      "codexos rm " + users->front() + " first"});
  in_worker<wire::Snapshot>(
      p_.worker, [s = *std::move(s), name] { return forget(s, name); }, done);
}

void Snapshots::open(const std::string& task, const std::string& name, OnSnapshot done) {
  auto s = subject_of(p_.supervisor, task, name);
  if (!s.ok()) return done(std::move(s).error());
  in_worker<wire::Snapshot>(
      p_.worker, [s = *std::move(s), name] { return open_layers(s, name); }, done);
}

void Snapshots::restore(const std::string& task, const std::string& name, OnTask done) {
  auto s = subject_of(p_.supervisor, task, name);
  if (!s.ok()) return done(std::move(s).error());
  const wire::Task& t = s->row.task;
  if (p_.supervisor.rewrites_layers(t.id))
    return done(Error{
        Code::conflict, "the changes of task " + t.id + " are being applied or restored", {}});
  if (!is_terminal(t.state))
    return done(Error{Code::conflict, "task " + t.id + " is " + std::string(name_of(t.state)),
                      "codexos stop " + t.id});
  const auto users = p_.supervisor.stacked_on(s->files.layers());
  if (!users.ok()) return done(users.error());
  if (!users->empty() || t.changes_state == "continued")
    return done(Error{Code::conflict, "another task started from the changes of " + t.id,
                      "codexos run --from " + t.id + "@" + name + " starts from the snapshot"});
  const std::string id = t.id;
  p_.supervisor.hold(id);
  in_worker<bool>(
      p_.worker,
      [s = *std::move(s), name]() -> Result<bool> {
        CODEXOS_TRY(replace_layers(s, name));
        return true;
      },
      [this, id, name, done](Result<bool> replaced) {
        p_.supervisor.let_go(id);
        if (!replaced.ok()) return done(std::move(replaced).error());
        auto row = p_.store.load_task(id);
        if (!row.ok()) return done(std::move(row).error());
        row->task.changes_state = "waiting";
        row->task.notes.push_back("its changes are those of snapshot " + name);
        if (auto u = p_.store.update_task(*row); !u.ok()) return done(std::move(u).error());
        p_.feed.mark(id);
        done(row->task);
      });
}

}  // namespace codexos::daemon

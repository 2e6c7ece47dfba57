// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/retention.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>

#include "core/base/clock.h"
#include "core/base/id.h"
#include "core/base/log.h"
#include "core/json/json.h"
#include "core/os/file.h"
#include "daemon/tasks/task_files.h"
#include "daemon/trust/digest.h"
#include "daemon/workspace/layers.h"
#include "daemon/workspace/objects.h"

namespace codexos::daemon {
namespace {

constexpr const char* kTenant = "default";
constexpr size_t kMaxReferenceFile = 512 << 20;
constexpr uint64_t kAgainS = 1;  // when something ended while it was looked at
constexpr int kMaxDepth = 4;     // of a task's own files: applies/ID/FILE

std::string tasks_dir(const std::string& home) { return home + "/tenants/" + kTenant + "/tasks"; }

std::set<std::string> list(const std::string& dir) {
  const Fd fd(open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  return fd ? names_in(fd.get()) : std::set<std::string>();
}

bool exists(const std::string& path) {
  struct stat st {};
  return lstat(path.c_str(), &st) == 0;
}

/// Bytes on the disk of a tree that a task wrote; no link is followed, each inode counts once.
class Measure {
 public:
  explicit Measure(const std::string& root)
      : root_(open(root.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) {
    if (root_) folder("");
  }
  uint64_t bytes() const { return bytes_; }

 private:
  void folder(const std::string& path) {
    std::vector<std::string> folders;
    {
      const Fd dir = open_below(root_.get(), path, O_RDONLY | O_DIRECTORY);
      for (const auto& name : names_in(dir.get())) {
        struct stat st {};
        if (fstatat(dir.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0) continue;
        if (S_ISDIR(st.st_mode)) folders.push_back(path.empty() ? name : path + "/" + name);
        if (st.st_nlink < 2 || S_ISDIR(st.st_mode) || seen_.insert(st.st_ino).second)
          bytes_ += static_cast<uint64_t>(st.st_blocks) * 512;
      }
    }
    for (const auto& f : folders) folder(f);
  }

  Fd root_;
  uint64_t bytes_ = 0;
  std::unordered_set<uint64_t> seen_;
};

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

void find_ids(std::string_view bytes, std::unordered_set<std::string>& out) {
  for (size_t i = 0; i < bytes.size();) {
    if (!is_hex(bytes[i])) {
      ++i;
      continue;
    }
    size_t end = i;
    while (end < bytes.size() && is_hex(bytes[end])) ++end;
    // The length in front of a string ends in zero bytes, what follows it may look like a digit.
    if (end - i >= kSha256Hex) out.emplace(bytes.substr(i, kSha256Hex));
    i = end;
  }
}

/// A file that cannot be read is no reason to lose what it refers to.
Status references_below(const std::string& dir, int depth, std::unordered_set<std::string>& out) {
  for (const auto& name : list(dir)) {
    const std::string path = dir + "/" + name;
    struct stat st {};
    if (lstat(path.c_str(), &st) < 0) continue;
    if (S_ISDIR(st.st_mode)) {
      if (depth < kMaxDepth) CODEXOS_TRY(references_below(path, depth + 1, out));
      continue;
    }
    if (!S_ISREG(st.st_mode)) continue;
    const auto bytes = read_file(path, kMaxReferenceFile);
    if (!bytes.ok() && bytes.error().code != Code::not_found) return bytes.error();
    if (bytes.ok()) find_ids(*bytes, out);
  }
  return {};
}

/// Ids of the tasks whose layers, or opened snapshots, lie below its own.
std::set<std::string> stacked_on(const TaskRow& row, const std::string& tasks) {
  std::set<std::string> out;
  const auto roots = json::decode<Roots>(row.layers_json, json::Unknown::ignore);
  if (!roots.ok()) return out;
  const std::string prefix = tasks + "/";
  for (const auto& root : roots->roots)
    for (const auto& lower : root.lowers)
      if (lower.compare(0, prefix.size(), prefix) == 0)
        out.insert(lower.substr(prefix.size(), lower.find('/', prefix.size()) - prefix.size()));
  return out;
}

}  // namespace

Result<std::unordered_set<std::string>> content_references(const std::string& tasks) {
  // A task's logs and layers hold no references, and they are the task's own words.
  std::unordered_set<std::string> out;
  for (const auto& id : list(tasks)) {
    const std::string dir = tasks + "/" + id;
    const auto base = read_file(dir + "/base", kMaxReferenceFile);
    if (!base.ok() && base.error().code != Code::not_found) return base.error();
    if (base.ok()) find_ids(*base, out);
    CODEXOS_TRY(references_below(dir + "/applies", 0, out));
    for (const auto& name : list(dir + "/snapshots")) {
      const auto manifest = read_file(dir + "/snapshots/" + name + "/manifest", kMaxReferenceFile);
      if (!manifest.ok() && manifest.error().code != Code::not_found) return manifest.error();
      if (manifest.ok()) find_ids(*manifest, out);
    }
  }
  return out;
}

Result<ObjectStore::Swept> sweep_contents(const std::string& home, uint64_t grace_s) {
  const std::string objects = home + "/tenants/" + kTenant + "/objects";
  if (!exists(objects)) return ObjectStore::Swept{};
  CODEXOS_ASSIGN(ObjectStore store, ObjectStore::open(objects));
  CODEXOS_ASSIGN(const auto keep, content_references(tasks_dir(home)));
  return store.sweep(keep, static_cast<int64_t>(grace_s));
}

/// What one look finds on its way between worker and loop.
struct Retention::Look {
  std::vector<std::string> with_layers;  // ids
  std::vector<std::string> measure;
  std::map<std::string, uint64_t> measured;
};

Retention::Retention(RetentionParts parts, RetentionLimits limits)
    : p_(std::move(parts)), limits_(limits) {
  subscription_ = p_.feed.subscribe("", [this] { arm(limits_.after_end_s); });
}

Retention::~Retention() {
  p_.feed.unsubscribe(subscription_);
  if (timer_ != 0) p_.loop.cancel(timer_);
}

void Retention::start() { look(); }

/// The next look is due in so many seconds, or earlier if it was.
void Retention::arm(uint64_t in_s) {
  const int64_t due = monotonic_us() + static_cast<int64_t>(in_s) * 1000000;
  if (timer_ != 0 && due_us_ <= due) return;
  if (timer_ != 0) p_.loop.cancel(timer_);
  due_us_ = due;
  timer_ = p_.loop.after_ms(static_cast<int64_t>(in_s) * 1000, "retention", [this] {
    timer_ = 0;
    look();
  });
}

void Retention::look() {
  arm(limits_.every_s);
  if (looking_) return arm(kAgainS);
  looking_ = true;
  p_.worker.submit([this, dir = tasks_dir(p_.home)]() -> Worker::Answer {
    auto look = std::make_shared<Look>();
    for (const auto& id : list(dir))
      if (exists(dir + "/" + id + "/layers")) look->with_layers.push_back(id);
    return [this, look] { sort_out(look); };
  });
}

/// What is known of it now, but for its size.
HeldLayers Retention::describe(const std::string& id) {
  HeldLayers h;
  h.id = id;
  h.busy = p_.supervisor.uses_layers(id);
  const auto row = p_.store.load_task(id);
  if (row.ok()) {
    h.state = row->task.changes_state;
    h.ended_us = is_terminal(row->task.state) ? std::max<int64_t>(row->ended_at_us, 1) : 0;
    h.stacked_on = stacked_on(*row, tasks_dir(p_.home));
  } else if (row.error().code == Code::not_found) {
    h.ended_us = 1;  // no such task: what a crash left
  }
  const auto known = sizes_.find(id);
  if (known != sizes_.end()) h.bytes = known->second;
  return h;
}

/// Which sizes are not known yet.
void Retention::sort_out(const LookPtr& look) {
  std::map<std::string, uint64_t> sizes;
  for (const auto& id : look->with_layers) {
    const auto known = sizes_.find(id);
    if (known != sizes_.end()) {
      sizes.insert(*known);
      continue;
    }
    const HeldLayers h = describe(id);
    if (h.ended_us > 1 && !h.busy) look->measure.push_back(id);
  }
  sizes_ = std::move(sizes);  // of those that are still there
  if (look->measure.empty()) return act(look);
  p_.worker.submit([this, look, dir = tasks_dir(p_.home)]() -> Worker::Answer {
    for (const auto& id : look->measure)
      look->measured[id] = Measure(dir + "/" + id + "/layers").bytes();
    return [this, look] { act(look); };
  });
}

/// Decided with what holds now: since the look began tasks may have started on top of others.
std::vector<HeldLayers> Retention::held_now(const Look& look) {
  std::set<std::string> ids(look.with_layers.begin(), look.with_layers.end());
  if (const auto rows = p_.store.tasks_with_layers(); rows.ok())
    for (const auto& row : *rows) ids.insert(row.task.id);
  for (const auto& id : p_.supervisor.live_tasks()) ids.insert(id);
  std::vector<HeldLayers> out;
  for (const auto& id : ids) out.push_back(describe(id));
  return out;
}

void Retention::act(const LookPtr& look) {
  sizes_.merge(look->measured);
  const auto held = held_now(*look);
  const RetentionPlan plan = plan_retention(held, limits_, now_us());
  looking_ = false;
  // What has just ended could not be measured, or was still in use.
  const auto unclear = [this](const HeldLayers& h) {
    return h.ended_us > 1 && (h.busy || (h.state == "waiting" && sizes_.count(h.id) == 0));
  };
  if (std::any_of(held.begin(), held.end(), unclear)) arm(std::max(limits_.after_end_s, kAgainS));
  std::set<std::string> kept;
  for (const auto& e : plan.expire)
    if (auto s = expire(e); !s.ok()) {
      log_line(LogLevel::warning, "task " + e.id, "retention: " + s.error().message);
      kept.insert(e.id);
    }
  std::vector<std::string> dirs;
  for (const auto& id : plan.remove) {
    if (kept.count(id) != 0) continue;
    const auto row = p_.store.load_task(id);
    const TaskPaths files(p_.home, kTenant, id);
    if (row.ok()) {
      dirs.push_back(files.layers());
      dirs.push_back(files.base());
      // What waited too long, or took too much, goes with its snapshots.
      if (row->task.changes_state == "expired") dirs.push_back(files.dir + "/snapshots");
    } else if (row.error().code == Code::not_found) {
      dirs.push_back(files.dir);
    }
    sizes_.erase(id);
  }
  if (!dirs.empty()) p_.after_commit.add([this, dirs] { remove_all(dirs); }, [](const Error&) {});
  sweep();
}

Status Retention::expire(const Expiry& e) {
  CODEXOS_ASSIGN(TaskRow row, p_.store.load_task(e.id));
  row.task.changes_state = "expired";
  row.task.notes.push_back("its changes were removed: " + e.why);
  CODEXOS_TRY(p_.store.savepoint());
  const auto write = [&]() -> Status {
    CODEXOS_TRY(p_.store.update_task(row));
    wire::Event event;
    event.ts = format_time(now_us());
    event.task = e.id;
    event.type = wire::EventType::task_expired;
    event.state = row.task.state;
    event.detail = e.why;
    return p_.store.append_event(event);
  };
  auto written = write();
  if (!written.ok()) {
    p_.store.rollback();
    return written;
  }
  CODEXOS_TRY(p_.store.release());
  p_.feed.mark(e.id);
  log_line(LogLevel::info, "task " + e.id, "its changes are removed: " + e.why);
  return {};
}

void Retention::remove_all(std::vector<std::string> dirs) {
  p_.worker.submit([dirs = std::move(dirs)]() -> Worker::Answer {
    for (const auto& dir : dirs)
      if (const auto removed = remove_tree(dir); !removed.ok())
        log_line(LogLevel::warning, "retention", removed.error().message);
    return nullptr;
  });
}

/// Queued behind the removal, and not more often than the grace lets anything go.
void Retention::sweep() {
  const int64_t now = monotonic_us();
  if (swept_us_ != 0 && now - swept_us_ < static_cast<int64_t>(limits_.grace_s) * 1000000) return;
  swept_us_ = now;
  p_.after_commit.add([this] {
    p_.worker.submit([home = p_.home, grace = limits_.grace_s]() -> Worker::Answer {
      const auto swept = sweep_contents(home, grace);
      if (!swept.ok())
        log_line(LogLevel::warning, "retention", swept.error().message);
      else if (swept->objects > 0)
        log_line(LogLevel::info, "retention",
                 std::to_string(swept->objects) + " contents swept, " +
                     std::to_string(swept->bytes) + " bytes");
      return nullptr;
    });
  });
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/spare_folders.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include "core/base/log.h"
#include "core/os/file.h"

namespace codexos::daemon {
namespace {

constexpr size_t kMaxLayers = 8;  // kept to be used again

/// The names in a folder, at most two; false: it cannot be read.
bool names_of(int dir, std::vector<std::string>& names) {
  const int copy = fcntl(dir, F_DUPFD_CLOEXEC, 3);
  DIR* const stream = copy < 0 ? nullptr : fdopendir(copy);
  if (stream == nullptr) {
    if (copy >= 0) Fd(copy).reset();
    return false;
  }
  while (const dirent* e = readdir(stream)) {
    if (std::strcmp(e->d_name, ".") == 0 || std::strcmp(e->d_name, "..") == 0) continue;
    names.emplace_back(e->d_name);
    if (names.size() == 2) break;
  }
  closedir(stream);
  return true;
}

/// No attribute, or only the kernel's name for the overlay: an opaque folder would hide the next
/// task's workspace, and others are the task's.
bool has_no_attributes(int fd) {
  constexpr std::string_view kUuid("user.overlay.uuid\0", 18);
  char names[64];
  const ssize_t n = flistxattr(fd, names, sizeof names);
  return n == 0 || (n > 0 && std::string_view(names, static_cast<size_t>(n)) == kUuid);
}

/// Nothing of the task that had it is left: one layer, whose upper folder is empty, and an
/// overlay's own work folder.
bool is_pristine(const std::string& layers_dir) {
  std::vector<std::string> names;
  const Fd layers(open(layers_dir.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!layers || !names_of(layers.get(), names) || names != std::vector<std::string>{"0"})
    return false;
  const Fd upper(openat(layers.get(), "0/upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  const Fd work(openat(layers.get(), "0/work", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  names.clear();
  if (!upper || !work || !names_of(upper.get(), names) || !names.empty() ||
      !has_no_attributes(upper.get()))
    return false;
  if (!names_of(work.get(), names)) return false;
  return names.empty() || names == std::vector<std::string>{"work"};
}

void remove_or_log(const std::string& dir) {
  const auto removed = remove_tree(dir);
  if (!removed.ok()) log_line(LogLevel::warning, "worker", removed.error().message);
}

Status add_layers(const std::string& dir, const std::string& used) {
  if (!used.empty() && rename(used.c_str(), (dir + "/layers").c_str()) == 0) return {};
  return make_empty_layer(dir + "/layers");
}

}  // namespace

SpareFolders::SpareFolders(Worker& worker, std::string tenant_dir, std::string boot_id, size_t keep)
    : worker_(worker),
      dir_(std::move(tenant_dir) + "/spare"),
      boot_id_(std::move(boot_id)),
      keep_(keep) {
  // Renamed first, so that what is made from now on is not removed.
  const std::string old = dir_ + "-old";
  if (rename(dir_.c_str(), old.c_str()) < 0 && errno != ENOENT) remove_or_log(dir_);
  worker_.remove(old);
  if (keep_ > 0 && !make_dir(dir_, 0700).ok()) keep_ = 0;
}

std::string SpareFolders::next_name() { return dir_ + "/" + std::to_string(next_++); }

Result<TaskFds> SpareFolders::create(const TaskPaths& paths, const std::vector<Root>& roots) {
  while (!ready_.empty()) {
    Spare spare = std::move(ready_.back());
    ready_.pop_back();
    if (renameat2(AT_FDCWD, spare.dir.c_str(), AT_FDCWD, paths.dir.c_str(), RENAME_NOREPLACE) < 0)
      continue;
    CODEXOS_TRY(fit_layers(paths, roots));
    return std::move(spare.fds);
  }
  return create_task_files(paths, boot_id_, roots);
}

SpareFolders::Lent::~Lent() {
  if (!dir_.empty()) worker_.remove(dir_);
}

std::optional<TaskFds> SpareFolders::Lent::move_to(const std::string& dir) {
  if (dir_.empty() ||
      renameat2(AT_FDCWD, dir_.c_str(), AT_FDCWD, dir.c_str(), RENAME_NOREPLACE) < 0)
    return std::nullopt;
  dir_.clear();
  return std::move(fds_);
}

std::shared_ptr<SpareFolders::Lent> SpareFolders::lend(Root root) {
  if (ready_.empty()) return nullptr;
  Spare spare = std::move(ready_.back());
  ready_.pop_back();
  auto lent = std::make_shared<Lent>(worker_, spare.dir, std::move(spare.fds));
  root.layer = lent->layer();
  return fit_layers(TaskPaths(spare.dir), {root}).ok() ? lent : nullptr;
}

void SpareFolders::give_back(const std::string& layers_dir) {
  if (keep_ == 0 || layers_.size() >= kMaxLayers) return worker_.remove(layers_dir);
  const std::string name = next_name();
  worker_.submit([this, layers_dir, name, exists = exists_]() -> Worker::Answer {
    if (!is_pristine(layers_dir) || rename(layers_dir.c_str(), name.c_str()) < 0) {
      remove_or_log(layers_dir);
      return nullptr;
    }
    return [this, name, exists] {
      if (*exists) layers_.push_back(name);
    };
  });
}

void SpareFolders::refill() {
  for (; ready_.size() + making_ < keep_; ++making_) {
    std::string used;
    if (!layers_.empty()) {
      used = std::move(layers_.back());
      layers_.pop_back();
    }
    worker_.submit(
        [this, dir = next_name(), used, boot = boot_id_, exists = exists_]() -> Worker::Answer {
          auto made = std::make_shared<Spare>();
          made->dir = dir;
          auto fds = create_task_files(TaskPaths(dir), boot, {});
          Status done = fds.ok() ? add_layers(dir, used) : Status(fds.error());
          if (done.ok())
            made->fds = *std::move(fds);
          else
            remove_or_log(dir);
          return [this, made, ok = done.ok(), exists] {
            if (!*exists) return;
            --making_;
            if (ok) ready_.push_back(std::move(*made));
          };
        });
  }
}

}  // namespace codexos::daemon

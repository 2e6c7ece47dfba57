// SPDX-License-Identifier: Apache-2.0
#include "core/os/disk_use.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstring>

namespace codexos {
namespace {

constexpr size_t kMaxDepth = 200;  // a descriptor each
constexpr uint64_t kBlock = 512;   // of st_blocks

}  // namespace

DiskWalk::DiskWalk(int root) { enter(Fd(openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC))); }

DiskWalk::~DiskWalk() {
  for (DIR* d : open_) closedir(d);
}

void DiskWalk::enter(Fd folder) {
  if (!folder || open_.size() == kMaxDepth) return;
  if (DIR* const d = fdopendir(folder.get()); d != nullptr) {
    (void)folder.release();
    open_.push_back(d);
  }
}

void DiskWalk::look(const char* name) {
  const int at = dirfd(open_.back());
  struct stat st {};
  if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0) return;
  if (!S_ISDIR(st.st_mode) && st.st_nlink > 1 && !linked_.emplace(st.st_dev, st.st_ino).second)
    return;
  bytes_ += static_cast<uint64_t>(st.st_blocks) * kBlock;
  if (S_ISDIR(st.st_mode))
    enter(Fd(openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)));
}

bool DiskWalk::step(size_t entries) {
  while (!open_.empty() && entries > 0) {
    const dirent* const e = readdir(open_.back());
    if (e == nullptr) {
      closedir(open_.back());
      open_.pop_back();
      continue;
    }
    if (std::strcmp(e->d_name, ".") == 0 || std::strcmp(e->d_name, "..") == 0) continue;
    --entries;
    look(e->d_name);
  }
  return open_.empty();
}

uint64_t disk_use(const char* path) {
  const Fd root(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return 0;
  DiskWalk walk(root.get());
  constexpr size_t kPiece = 10000;
  while (!walk.step(kPiece)) {
  }
  return walk.bytes();
}

}  // namespace codexos

// SPDX-License-Identifier: Apache-2.0
// How much room a tree takes (st_blocks), in pieces: who walks has other things to do as well. A
// file with several names counts once; links are not followed. What cannot be looked into (a folder
// that its owner may not read, one that lies too deep) is left out.
#pragma once

#include <dirent.h>
#include <sys/types.h>

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "core/base/fd.h"

namespace codexos {

class DiskWalk {
 public:
  /// `root` is a folder, O_PATH will do.
  explicit DiskWalk(int root);
  DiskWalk(const DiskWalk&) = delete;
  DiskWalk& operator=(const DiskWalk&) = delete;
  ~DiskWalk();

  /// Looks at so many entries more. True: it is done.
  bool step(size_t entries);
  uint64_t bytes() const { return bytes_; }

 private:
  void enter(Fd folder);
  void look(const char* name);

  std::vector<DIR*> open_;  // from the root to where it is
  std::set<std::pair<dev_t, ino_t>> linked_;
  uint64_t bytes_ = 0;
};

/// All of it at once; 0 when it is not there.
uint64_t disk_use(const char* path);

}  // namespace codexos

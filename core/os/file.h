// SPDX-License-Identifier: Apache-2.0
// Files: small whole-file reads and writes, directories, locks.
#pragma once

#include <sys/stat.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"

namespace codexos {

/// The whole file; error exhausted above `limit` bytes.
Result<std::string> read_file(const std::string& path, size_t limit = 1 << 20);
Result<Fd> open_file(const std::string& path, int flags, mode_t mode = 0);
Status make_dir(const std::string& path, mode_t mode);   // ok when it exists as a directory
Status make_dirs(const std::string& path, mode_t mode);  // with parents
/// What comes until the other end is closed, the first `limit` bytes of it. Error timeout: it was
/// not closed in time.
Result<std::string> read_until_end(int fd, int64_t patience_ms, size_t limit);
Status write_all(int fd, std::string_view bytes);
/// Removes a tree without following links, by directory descriptors; makes mode-000 folders
/// readable on the way (overlay's work/work). Missing is ok. Returns bytes given back (st_blocks).
Result<uint64_t> remove_tree(const std::string& path);
/// flock(2) LOCK_EX|LOCK_NB. Error conflict when somebody holds it.
Status lock_file(int fd);
/// Canonical absolute path, realpath(3).
Result<std::string> real_path(const std::string& path);

}  // namespace codexos

// SPDX-License-Identifier: Apache-2.0
#include "core/os/replace_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "core/base/path.h"
#include "core/os/file.h"

namespace codexos {

Status sync_folder(const std::string& path) {
  CODEXOS_ASSIGN(const Fd dir, open_file(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fsync(dir.get()) == 0 ? Status() : Status(errno_error("fsync " + path, errno));
}

Status replace_file(const std::string& path, std::string_view text, mode_t mode, std::string temp) {
  if (temp.empty()) temp = path + ".new";
  (void)unlink(temp.c_str());
  const auto write = [&]() -> Status {
    CODEXOS_ASSIGN(const Fd fd,
                   open_file(temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    CODEXOS_TRY(write_all(fd.get(), text));
    if (fsync(fd.get()) != 0) return errno_error("fsync " + temp, errno);
    if (rename(temp.c_str(), path.c_str()) != 0) return errno_error("rename to " + path, errno);
    return sync_folder(parent_path(path));
  };
  auto s = write();
  if (!s.ok()) (void)unlink(temp.c_str());
  return s;
}

}  // namespace codexos

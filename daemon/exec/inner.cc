// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/inner.h"

#include <string>

namespace codexos::exec {
namespace {

Status write_text(const std::string& path, const std::string& text) {
  const Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd && write(fd.get(), text.data(), text.size()) >= 0) return {};
  const int error = errno;
  Error e = errno_error("write " + path, error);
  errno = error;
  return e;
}

std::string line_of(const IdMap& m) {
  return std::to_string(m.inside) + " " + std::to_string(m.host) + " 1\n";
}

}  // namespace

Status write_id_maps(pid_t pid, const IdMap& uid, const IdMap& gid) {
  const std::string dir = "/proc/" + std::to_string(pid) + "/";
  if (geteuid() != 0) CODEXOS_TRY(write_text(dir + "setgroups", "deny"));
  CODEXOS_TRY(write_text(dir + "uid_map", line_of(uid)));
  return write_text(dir + "gid_map", line_of(gid));
}

}  // namespace codexos::exec

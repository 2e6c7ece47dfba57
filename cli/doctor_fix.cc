// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor_fix.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/base/fd.h"

namespace codexos::cli {
namespace {

/// Only a folder of our own: nobody else's is given away or taken.
Result<std::string> close_state_folder(const Place& place) {
  const Fd dir(open(place.home.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!dir) return errno_error("open " + place.home, errno);
  struct stat st {};
  if (fstat(dir.get(), &st) < 0) return errno_error("stat " + place.home, errno);
  if (st.st_uid != geteuid())
    return Error{Code::denied, place.home + " belongs to another user", {}};
  // What was looked at, by its descriptor: fchmod(2) takes none of O_PATH.
  const std::string opened = fmt::format("/proc/self/fd/{}", dir.get());
  if (chmod(opened.c_str(), 0700) < 0) return errno_error("chmod " + place.home, errno);
  return fmt::format("chmod 700 {}", place.home);
}

Result<std::string> clear_socket_name(const Place& place) {
  const std::string aside = place.socket + ".old";
  if (renameat2(AT_FDCWD, place.socket.c_str(), AT_FDCWD, aside.c_str(), RENAME_NOREPLACE) < 0)
    return errno_error(fmt::format("rename {} to {}", place.socket, aside), errno);
  return fmt::format("mv {} {}", place.socket, aside);
}

struct Fixer {
  std::string_view check;
  Result<std::string> (*fix)(const Place&);
};
constexpr std::array kFixers{Fixer{"state-folder", close_state_folder},
                             Fixer{"socket", clear_socket_name}};

}  // namespace

Result<std::vector<std::string>> fix_checks(const wire::DoctorReport& report, const Place& place) {
  std::vector<std::string> done;
  for (const Fixer& f : kFixers) {
    const wire::DoctorCheck* check = report.find(f.check);
    if (check == nullptr || !check->fixable) continue;
    CODEXOS_ASSIGN(std::string what, f.fix(place));
    done.push_back(std::move(what));
  }
  return done;
}

}  // namespace codexos::cli

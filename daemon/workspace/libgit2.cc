// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/libgit2.h"

#include <mutex>

namespace codexos::daemon {

void use_libgit2() {
  static std::once_flag once;
  std::call_once(once, [] {
    git_libgit2_init();
#if LIBGIT2_VER_MAJOR > 1 || LIBGIT2_VER_MINOR >= 5
    // Whose repository it is was decided when the task began: a root daemon serves others' as well.
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
#endif
  });
}

std::string libgit2_error() {
  const git_error* e = git_error_last();
  return e != nullptr && e->message != nullptr ? e->message : "unknown error";
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
#include "core/base/error.h"

#include <cerrno>
#include <cstring>

namespace codexos {

Error errno_error(std::string_view what, int err) {
  Code code = Code::internal;
  switch (err) {
    case ENOENT:
    case ESRCH:
      code = Code::not_found;
      break;
    case EACCES:
    case EPERM:
      code = Code::denied;
      break;
    case ENOSPC:
    case EDQUOT:
      code = Code::no_space;
      break;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      code = Code::exhausted;
      break;
    case EEXIST:
    case EBUSY:
      code = Code::conflict;
      break;
    case ECONNREFUSED:
    case ECONNRESET:
    case ENOSYS:
    case EOPNOTSUPP:
      code = Code::unavailable;
      break;
    case EINVAL:
    case ENAMETOOLONG:
    case ENOTDIR:
      code = Code::invalid;
      break;
    default:
      break;
  }
  return Error{code, std::string(what) + ": " + std::strerror(err), {}};
}

void check_failed(const char* expr, const char* file, int line) {
  std::fprintf(stderr, "codexos: broken invariant: %s (%s:%d)\n", expr, file, line);
  std::abort();
}

}  // namespace codexos

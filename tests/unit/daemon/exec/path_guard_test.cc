// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/path_guard.h"

#include <doctest/doctest.h>
#include <fcntl.h>

namespace codexos::exec {

TEST_CASE("path guard: a folder holds itself and what is below it, and nothing beside it") {
  const std::vector<std::string> folders{"/a/copy", "/a/tmp"};
  for (const char* path : {"/a/copy", "/a/copy/x", "/a/copy/x/y", "/a/tmp/z"})
    CHECK_MESSAGE(lies_below(path, folders), path);
  for (const char* path : {"", "/", "/a", "/a/copyx", "/a/copy2/x", "/b/a/copy", "a/copy",
                           "pipe:[12]", "/memfd:x (deleted)"})
    CHECK_MESSAGE(!lies_below(path, folders), path);
  CHECK_FALSE(lies_below("/a/copy", {}));
}

TEST_CASE("path guard: paths are opened from where the caller stands") {
  CHECK(path_for_guard(7, AT_FDCWD, "x/y") == "/proc/7/cwd/x/y");
  CHECK(path_for_guard(7, 4, "x") == "/proc/7/fd/4/x");
  CHECK(path_for_guard(7, 4, "") == "/proc/7/fd/4");
  CHECK(path_for_guard(7, AT_FDCWD, "") == "/proc/7/cwd");
  CHECK(path_for_guard(7, 4, "/etc/x") == "/etc/x");
}

TEST_CASE("path guard: what is the caller's own in /proc is not the guard's") {
  CHECK(path_for_guard(7, AT_FDCWD, "/proc/self/fd/3") == "/proc/7/fd/3");
  CHECK(path_for_guard(7, AT_FDCWD, "/proc/thread-self/fd/3") == "/proc/7/fd/3");
  CHECK(path_for_guard(7, AT_FDCWD, "/dev/fd/3") == "/proc/7/fd/3");
  CHECK(path_for_guard(7, AT_FDCWD, "/proc/selfish") == "/proc/selfish");
}

}  // namespace codexos::exec

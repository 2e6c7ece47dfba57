// SPDX-License-Identifier: Apache-2.0
// A folder of a test's own, removed with everything in it.
#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>

#include <string>

#include "core/os/file.h"

namespace codexos {

struct TempDir {
  TempDir() {
    char name[] = "/tmp/codexos-unit-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path = name;
  }
  ~TempDir() { (void)remove_tree(path); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string path;
};

}  // namespace codexos

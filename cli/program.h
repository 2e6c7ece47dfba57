// SPDX-License-Identifier: Apache-2.0
// Running another program to read what it prints.
#pragma once

#include <cstdint>
#include <string>

#include "core/base/error.h"
#include "core/os/spawn.h"

namespace codexos::cli {

struct Printed {
  std::string text;  // standard output and error
  int exit_code = 0;
};
/// Waits for its end, or kills it after `patience_ms`: error timeout. `o.fds` is set here.
Result<Printed> read_program(SpawnOptions o, int64_t patience_ms);

/// The first `name` on PATH that may be executed, or empty.
std::string find_on_path(const std::string& name, const std::string& path);

}  // namespace codexos::cli

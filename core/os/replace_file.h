// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "core/base/error.h"

namespace codexos {

/// The file holds `text` or what it held before, whenever the power goes: written beside it,
/// synced, renamed over it, and the folder synced. Nobody else may write the same path meanwhile.
/// `temp`: where it is written first, on the same file system; empty: `path` and ".new".
Status replace_file(const std::string& path, std::string_view text, mode_t mode,
                    std::string temp = {});

/// What was renamed in it stays so after a loss of power.
Status sync_folder(const std::string& path);

}  // namespace codexos

// SPDX-License-Identifier: Apache-2.0
// Copies single files and what belongs to them, by descriptor: shared blocks where the file system
// has them, holes stay holes. Used by copy.h.
#pragma once

#include <sys/stat.h>

#include <cstdint>

#include "core/base/error.h"

namespace codexos::daemon {

/// The bytes of `from` into the empty `to`. Tells whether blocks are shared (FICLONE).
Result<bool> copy_bytes(int from, int to, const struct stat& st);

/// Owner (as root), user.* attributes and access lists, mode, times: in the order in which one does
/// not undo the other. user.overlay.* is left out. `to` is open for reading at least.
Status copy_facts(int from, int to, const struct stat& st);

/// The same of a link, named in an open folder.
Status copy_link_facts(int dir, const char* name, const struct stat& st);

}  // namespace codexos::daemon

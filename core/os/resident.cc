// SPDX-License-Identifier: Apache-2.0
#include "core/os/resident.h"

#include <link.h>

#include <cstdint>

namespace codexos {

ResidentCode::ResidentCode() {
  // What can be written may hold what no file has, such as relocated addresses.
  const auto add = [](dl_phdr_info* object, size_t, void* parts) {
    constexpr uintptr_t kPage = 4096;
    for (int i = 0; i < object->dlpi_phnum; ++i) {
      const auto& p = object->dlpi_phdr[i];
      if (p.p_type != PT_LOAD || (p.p_flags & PF_W) != 0) continue;
      const uintptr_t from = (object->dlpi_addr + p.p_vaddr) & ~(kPage - 1);
      const uintptr_t to = object->dlpi_addr + p.p_vaddr + p.p_filesz;
      static_cast<std::vector<Part>*>(parts)->push_back(
          {reinterpret_cast<void*>(from), to - from});  // NOLINT: an address
    }
    return 0;
  };
  dl_iterate_phdr(add, &parts_);
}

}  // namespace codexos

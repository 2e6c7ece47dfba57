// SPDX-License-Identifier: Apache-2.0
// What the daemon frees is overwritten. Values of secrets pass through buffers of HTTP, JSON and
// containers that know nothing of secrets and move what they hold as they grow; here all of them
// end the same way, so that a memory of the daemon holds what is in use and nothing of what was.
// (glibc does this itself with M_PERTURB, but not for the small blocks that its threads keep.)
//
// Memory that C libraries allocate is their own: OpenSSL cleanses keys, SQLite sees only sealed
// values. Not linked with a sanitizer, which brings its own allocator.
#include <malloc.h>
#include <string.h>  // explicit_bzero

#include <cstdlib>
#include <new>

namespace {

void wipe_and_free(void* p) noexcept {
  if (p == nullptr) return;
  explicit_bzero(p, malloc_usable_size(p));
  std::free(p);
}

}  // namespace

// The array forms of the library call these.
void operator delete(void* p) noexcept { wipe_and_free(p); }
void operator delete(void* p, size_t) noexcept { wipe_and_free(p); }
void operator delete(void* p, std::align_val_t) noexcept { wipe_and_free(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { wipe_and_free(p); }

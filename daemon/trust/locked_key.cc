// SPDX-License-Identifier: Apache-2.0
#include "daemon/trust/locked_key.h"

#include <openssl/rand.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace codexos::daemon {
namespace {

constexpr size_t kPage = 4096;

}  // namespace

Result<LockedKey> LockedKey::make() {
  void* page = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return errno_error("memory for a key", errno);
  (void)mlock(page, kPage);
  (void)madvise(page, kPage, MADV_DONTDUMP);
  (void)madvise(page, kPage, MADV_WIPEONFORK);
  return LockedKey(static_cast<uint8_t*>(page));
}

Result<LockedKey> LockedKey::make(std::string_view bytes) {
  CODEXOS_CHECK(bytes.size() == kSize);
  CODEXOS_ASSIGN(LockedKey key, make());
  std::memcpy(key.page_, bytes.data(), kSize);
  return key;
}

Result<LockedKey> LockedKey::random() {
  CODEXOS_ASSIGN(LockedKey key, make());
  if (RAND_bytes(key.page_, kSize) != 1)
    return Error{Code::unavailable, "OpenSSL has no random bytes for a key", {}};
  return key;
}

LockedKey::LockedKey(LockedKey&& o) noexcept : page_(std::exchange(o.page_, nullptr)) {}

LockedKey& LockedKey::operator=(LockedKey&& o) noexcept {
  if (this != &o) {
    free();
    page_ = std::exchange(o.page_, nullptr);
  }
  return *this;
}

LockedKey::~LockedKey() { free(); }

void LockedKey::free() {
  if (page_ == nullptr) return;
  explicit_bzero(page_, kPage);
  munmap(page_, kPage);
  page_ = nullptr;
}

}  // namespace codexos::daemon

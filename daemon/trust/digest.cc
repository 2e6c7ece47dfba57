// SPDX-License-Identifier: Apache-2.0
#include "daemon/trust/digest.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace codexos::daemon {
namespace {

constexpr size_t kBlock = 256 << 10;

}  // namespace

struct Sha256::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  Context() {
    // Neither fails but for want of memory, where the process cannot go on anyway.
    CODEXOS_CHECK(evp != nullptr && EVP_DigestInit_ex(evp, EVP_sha256(), nullptr) == 1);
  }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { EVP_MD_CTX_free(evp); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::add(std::string_view bytes) {
  CODEXOS_CHECK(EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size()) == 1);
}

std::string Sha256::hex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned n = 0;
  CODEXOS_CHECK(EVP_DigestFinal_ex(context_->evp, digest, &n) == 1 && n * 2 == kSha256Hex);
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (unsigned i = 0; i < n; ++i) {
    out += kDigits[digest[i] >> 4];
    out += kDigits[digest[i] & 15];
  }
  return out;
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 h;
  h.add(bytes);
  return h.hex();
}

Result<std::string> sha256_of_file(int fd) {
  Sha256 h;
  std::vector<char> block(kBlock);
  for (off_t at = 0;;) {
    const ssize_t n = pread(fd, block.data(), block.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("read a file to hash", errno);
    if (n == 0) return h.hex();
    h.add(std::string_view(block.data(), static_cast<size_t>(n)));
    at += n;
  }
}

}  // namespace codexos::daemon

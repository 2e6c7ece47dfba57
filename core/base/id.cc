// SPDX-License-Identifier: Apache-2.0
#include "core/base/id.h"

#include <sys/random.h>

#include <cerrno>

#include "core/base/error.h"

namespace codexos {
namespace {

void fill_random(unsigned char* to, size_t n) {
  while (n > 0) {
    const ssize_t got = getrandom(to, n, 0);
    if (got < 0 && errno == EINTR) continue;
    CODEXOS_CHECK(got > 0);
    to += got;
    n -= static_cast<size_t>(got);
  }
}

}  // namespace

std::string make_task_id() {
  static constexpr char kAlphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
  unsigned char raw[kTaskIdLength];
  fill_random(raw, sizeof raw);
  std::string id;
  for (const unsigned char c : raw) id.push_back(kAlphabet[c & 31]);
  return id;
}

bool looks_like_id_prefix(std::string_view s) {
  if (s.empty() || s.size() > kTaskIdLength) return false;
  for (const char c : s)
    if (!((c >= 'a' && c <= 'z') || (c >= '2' && c <= '7'))) return false;
  return true;
}

std::string make_secret(size_t bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string raw(bytes, '\0');
  fill_random(reinterpret_cast<unsigned char*>(raw.data()), bytes);
  std::string out;
  for (const char c : raw) {
    out.push_back(kHex[(c >> 4) & 15]);
    out.push_back(kHex[c & 15]);
  }
  return out;
}

}  // namespace codexos

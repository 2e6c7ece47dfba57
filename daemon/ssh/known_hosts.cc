// SPDX-License-Identifier: Apache-2.0
#include "daemon/ssh/known_hosts.h"

#include <algorithm>

#include "core/base/ssh_wire.h"
#include "core/base/text.h"
#include "daemon/trust/ssh_signature.h"

namespace codexos::daemon {
namespace {

constexpr uint16_t kSshPort = 22;
constexpr std::string_view kHashed = "|1|";

/// The first word of `line`, which loses it.
std::string_view next_word(std::string_view& line) {
  constexpr std::string_view kBlank = " \t\r";
  const size_t begin = std::min(line.find_first_not_of(kBlank), line.size());
  line.remove_prefix(begin);
  const std::string_view word = line.substr(0, line.find_first_of(kBlank));
  line.remove_prefix(word.size());
  return word;
}

/// `*` and `?`, as in ssh_config(5), PATTERNS.
bool fits_pattern(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, from = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      from = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++from;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

/// "|1|salt|hash"
bool fits_hash(std::string_view word, const std::string& name) {
  word.remove_prefix(kHashed.size());
  const size_t bar = word.find('|');
  if (bar == std::string_view::npos) return false;
  const auto salt = from_base64(word.substr(0, bar)), hash = from_base64(word.substr(bar + 1));
  return salt.ok() && hash.ok() && hmac_sha1(*salt, name) == *hash;
}

bool fits_names(std::string_view names, const std::string& name) {
  if (names.substr(0, kHashed.size()) == kHashed) return fits_hash(names, name);
  bool fits = false;
  while (!names.empty()) {
    std::string_view one = names.substr(0, names.find(','));
    names.remove_prefix(std::min(one.size() + 1, names.size()));
    const bool negated = one.substr(0, 1) == "!";
    if (negated) one.remove_prefix(1);
    if (!fits_pattern(to_lower(one), name)) continue;
    if (negated) return false;
    fits = true;
  }
  return fits;
}

}  // namespace

std::string ssh_key_blob(std::string_view type, std::string_view base64) {
  auto blob = from_base64(base64);
  if (!blob.ok() || type.empty() || SshReader(*blob).string() != type) return {};
  return *std::move(blob);
}

std::string known_host_name(const std::string& name, uint16_t port) {
  return port == kSshPort ? name : "[" + name + "]:" + std::to_string(port);
}

std::vector<std::string> known_host_keys(std::string_view text, const std::string& name,
                                         uint16_t port) {
  const std::string wanted = known_host_name(name, port);
  std::vector<std::string> keys, revoked;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    std::string_view names = next_word(line), marker;
    if (names.substr(0, 1) == "@") {
      marker = names;
      names = next_word(line);
    }
    if (names.empty() || names[0] == '#' || !fits_names(names, wanted)) continue;
    const std::string_view type = next_word(line);
    std::string blob = ssh_key_blob(type, next_word(line));
    if (blob.empty()) continue;
    if (marker == "@revoked")
      revoked.push_back(std::move(blob));
    else if (marker.empty())
      keys.push_back(std::move(blob));
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  keys.erase(std::remove_if(keys.begin(), keys.end(),
                            [&revoked](const std::string& k) {
                              return std::find(revoked.begin(), revoked.end(), k) != revoked.end();
                            }),
             keys.end());
  return keys;
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// Task ids: 12 characters of lower-case base32 (RFC 4648 alphabet), 60 random bits from
// getrandom(2).
#pragma once

#include <string>
#include <string_view>

namespace codexos {

inline constexpr size_t kTaskIdLength = 12;
std::string make_task_id();
/// True for a full id or any prefix of one (1 to 12 characters of a-z2-7).
bool looks_like_id_prefix(std::string_view s);
/// `bytes` random bytes as lower-case hex.
std::string make_secret(size_t bytes);

}  // namespace codexos

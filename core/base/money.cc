// SPDX-License-Identifier: Apache-2.0
#include "core/base/money.h"

namespace codexos {
namespace {

constexpr size_t kPlaces = 6;
constexpr size_t kLeastPlaces = 2;
constexpr size_t kMostDollarDigits = 9;

bool all_digits(std::string_view s) {
  for (const char c : s)
    if (c < '0' || c > '9') return false;
  return true;
}

}  // namespace

Result<uint64_t> parse_money(std::string_view text) {
  std::string_view rest = text;
  if (!rest.empty() && rest[0] == '$') rest.remove_prefix(1);
  const size_t point = rest.find('.');
  const std::string_view dollars = rest.substr(0, point);
  const std::string_view part = point == rest.npos ? "" : rest.substr(point + 1);
  const bool shaped = !dollars.empty() && dollars.size() <= kMostDollarDigits &&
                      part.size() <= kPlaces && (point == rest.npos || !part.empty()) &&
                      all_digits(dollars) && all_digits(part);
  if (!shaped)
    return Error{Code::invalid, "\"" + std::string(text) + "\" is no amount of US dollars",
                 "like 2 or 0.25, with at most six digits behind the point"};
  uint64_t micros = 0;
  for (const char c : dollars) micros = micros * 10 + static_cast<uint64_t>(c - '0');
  for (size_t i = 0; i < kPlaces; ++i)
    micros = micros * 10 + (i < part.size() ? static_cast<uint64_t>(part[i] - '0') : 0);
  return micros;
}

std::string format_money(uint64_t micros) {
  std::string part = std::to_string(kMicrosPerDollar + micros % kMicrosPerDollar).substr(1);
  while (part.size() > kLeastPlaces && part.back() == '0') part.pop_back();
  return "$" + std::to_string(micros / kMicrosPerDollar) + "." + part;
}

}  // namespace codexos

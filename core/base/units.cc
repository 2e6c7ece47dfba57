// SPDX-License-Identifier: Apache-2.0
#include "core/base/units.h"

#include <array>
#include <charconv>
#include <cmath>

#include "core/base/text.h"

namespace codexos {
namespace {

struct Unit {
  std::string_view name;
  uint64_t ms;
};
// "ms" before "m", so that the longer name is tried first.
constexpr std::array kUnits{Unit{"ms", 1}, Unit{"s", 1000}, Unit{"m", 60000}, Unit{"h", 3600000},
                            Unit{"d", 86400000}};
constexpr uint64_t kMaxMs = 100ULL * 365 * 86400000;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Cuts "12" or "1.5" off `text`. False when there is none, or it is too big.
bool cut_decimal(std::string_view& text, double& out) {
  size_t n = 0;
  while (n < text.size() && (is_digit(text[n]) || text[n] == '.')) ++n;
  const auto [end, err] = std::from_chars(text.data(), text.data() + n, out);
  if (n == 0 || err != std::errc() || end != text.data() + n || !is_digit(text[0])) return false;
  text.remove_prefix(n);
  return true;
}

const Unit* cut_unit(std::string_view& text) {
  for (const Unit& u : kUnits) {
    if (text.substr(0, u.name.size()) != u.name) continue;
    text.remove_prefix(u.name.size());
    return &u;
  }
  return nullptr;
}

}  // namespace

Result<uint64_t> parse_duration(std::string_view text) {
  const Error wrong{Code::invalid, "'" + std::string(text) + "' is not a time",
                    "a number with a unit: 500ms, 90s, 30m, 1h30m, 2d"};
  if (text.empty()) return wrong;
  std::string_view rest = text;
  double total = 0;
  while (!rest.empty()) {
    double x = 0;
    if (!cut_decimal(rest, x)) return wrong;
    const bool bare = rest.empty() && text.find_first_not_of("0123456789.") == rest.npos;
    const Unit* unit = bare ? &kUnits[1] : cut_unit(rest);
    if (unit == nullptr) return wrong;
    total += x * static_cast<double>(unit->ms);
  }
  if (total > static_cast<double>(kMaxMs))
    return Error{Code::invalid, "'" + std::string(text) + "' is too long a time", {}};
  const auto ms = static_cast<uint64_t>(std::llround(total));
  // A time that was given must not turn into "no limit" by rounding.
  return total > 0 && ms == 0 ? uint64_t{1} : ms;
}

std::string duration_text(uint64_t ms) {
  if (ms == 0) return "0";
  constexpr std::array kDown{kUnits[4], kUnits[3], kUnits[2], kUnits[1], kUnits[0]};
  std::string out;
  for (const Unit& u : kDown) {
    if (ms < u.ms) continue;
    out += std::to_string(ms / u.ms) + std::string(u.name);
    ms %= u.ms;
  }
  return out;
}

Result<uint64_t> parse_size(std::string_view text) {
  const Error wrong{Code::invalid, "'" + std::string(text) + "' is not a size",
                    "a number with a unit: 500MB, 64k, 2GiB"};
  std::string_view rest = text;
  double x = 0;
  if (text.empty() || !cut_decimal(rest, x)) return wrong;
  std::string unit = to_upper(rest);
  double thousand = 1024;
  if (unit.size() == 3 && unit.compare(1, 2, "IB") == 0) {
    unit.resize(1);
  } else if (unit.size() == 2 && unit[1] == 'B') {
    unit.resize(1);
    thousand = 1000;
  }
  constexpr std::string_view kPrefixes = "KMGT";
  const size_t power = unit.empty() || unit == "B" ? 0 : kPrefixes.find(unit) + 1;
  if (unit.size() > 1 || (power == 0 && !unit.empty() && unit != "B")) return wrong;
  for (size_t i = 0; i < power; ++i) x *= thousand;
  if (x > 1e18) return Error{Code::invalid, "'" + std::string(text) + "' is too much", {}};
  const auto bytes = static_cast<uint64_t>(std::llround(x));
  return x > 0 && bytes == 0 ? uint64_t{1} : bytes;
}

std::string bytes_text(uint64_t bytes) {
  constexpr std::array kNames{"", "KiB", "MiB", "GiB", "TiB"};
  size_t power = 0;
  while (bytes != 0 && bytes % 1024 == 0 && power + 1 < kNames.size()) {
    bytes /= 1024;
    ++power;
  }
  return std::to_string(bytes) + kNames[power];
}

}  // namespace codexos

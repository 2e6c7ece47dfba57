// SPDX-License-Identifier: Apache-2.0
#include "core/base/limits.h"

#include <algorithm>
#include <charconv>

#include "core/base/units.h"

namespace codexos {
namespace {

constexpr uint64_t kMostCount = 1 << 22;  // PID_MAX_LIMIT
constexpr uint64_t kMostProcessors = 1 << 14;

Result<uint64_t> parse_count(std::string_view text) {
  uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size() || n > kMostCount)
    return Error{Code::invalid, "'" + std::string(text) + "' is not a number",
                 "a whole number: 100"};
  return n;
}

/// At most three places behind the point: "0.5", "2", "1.25".
Result<uint64_t> parse_thousandths(std::string_view text) {
  const Error wrong{Code::invalid, "'" + std::string(text) + "' is not a number of processors",
                    "0.5, 1, 2.5"};
  const size_t point = std::min(text.find('.'), text.size());
  const auto whole = parse_count(text.substr(0, point));
  if (!whole.ok() || *whole > kMostProcessors) return wrong;
  if (point == text.size()) return *whole * 1000;
  std::string part(text.substr(point + 1));
  if (part.empty() || part.size() > 3) return wrong;
  part.resize(3, '0');
  const auto rest = parse_count(part);
  if (!rest.ok()) return wrong;
  return *whole * 1000 + *rest;
}

std::string thousandths_text(uint64_t n) {
  std::string out = std::to_string(n / 1000);
  if (n % 1000 == 0) return out;
  std::string part = std::to_string(1000 + n % 1000).substr(1);
  while (part.back() == '0') part.pop_back();
  return out + "." + part;
}

std::string count_text(uint64_t n) { return std::to_string(n); }

struct UnitRow {
  LimitUnit unit;
  Result<uint64_t> (*parse)(std::string_view);
  std::string (*text)(uint64_t);
};
constexpr std::array kLimitUnits{
    UnitRow{LimitUnit::time, parse_duration, duration_text},
    UnitRow{LimitUnit::bytes, parse_size, bytes_text},
    UnitRow{LimitUnit::count, parse_count, count_text},
    UnitRow{LimitUnit::thousandths, parse_thousandths, thousandths_text},
};
constexpr const UnitRow& unit_row(LimitUnit u) { return kLimitUnits[static_cast<size_t>(u)]; }

}  // namespace

Result<uint64_t> parse_limit(const LimitRow& row, std::string_view text) {
  if (text == "none") return uint64_t{0};
  const UnitRow& unit = unit_row(row.unit);
  CODEXOS_ASSIGN(const uint64_t amount, unit.parse(text));
  if (amount < row.least)
    return Error{Code::invalid,
                 "'" + std::string(text) + "' is less than the least, " + unit.text(row.least),
                 "\"none\" is no limit"};
  return amount;
}

std::string limit_text(const LimitRow& row, uint64_t amount) {
  if (amount == 0 && row.least != 0) return "none";
  return unit_row(row.unit).text(amount);
}

std::string limit_option(const LimitRow& row) {
  std::string out = "--" + std::string(row.key);
  std::replace(out.begin(), out.end(), '_', '-');
  return out;
}

}  // namespace codexos

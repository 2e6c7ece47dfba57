// SPDX-License-Identifier: Apache-2.0
// The pure part of retention.
#include <algorithm>
#include <charconv>
#include <cstring>

#include "daemon/tasks/retention.h"

namespace codexos::daemon {
namespace {

std::string plural(uint64_t n, const char* unit) {
  return std::to_string(n) + " " + unit + (n == 1 ? "" : "s");
}

std::string age_text(uint64_t s) {
  if (s >= 86400) return plural(s / 86400, "day");
  if (s >= 3600) return plural(s / 3600, "hour");
  return plural(s, "second");
}

std::string size_text(uint64_t bytes) {
  constexpr const char* kUnits[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  while (bytes >= 1024 && bytes % 1024 == 0 && unit + 1 < std::size(kUnits)) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + " " + kUnits[unit];
}

/// Ids whose layers a task that still counts is stacked on.
std::set<std::string> needed(const std::vector<HeldLayers>& held,
                             const std::set<std::string>& expired) {
  std::set<std::string> out;
  for (const auto& h : held) {
    const bool counts = h.busy || h.ended_us == 0 || h.state == "waiting";
    if (counts && expired.count(h.id) == 0) out.insert(h.stacked_on.begin(), h.stacked_on.end());
  }
  return out;
}

bool may_go(const HeldLayers& h) { return h.ended_us != 0 && !h.busy; }

}  // namespace

const std::vector<RetentionRow>& retention_rows() {
  static const std::vector<RetentionRow> kRows = {
      {"CODEXOS_RETENTION_AGE_S", &RetentionLimits::age_s,
       "seconds after its end that a task's changes wait to be applied"},
      {"CODEXOS_RETENTION_BYTES", &RetentionLimits::bytes,
       "bytes that all held-back changes may take; the oldest go first"},
      {"CODEXOS_RETENTION_EVERY_S", &RetentionLimits::every_s, "seconds between two looks"},
      {"CODEXOS_RETENTION_AFTER_END_S", &RetentionLimits::after_end_s,
       "seconds from a task's end to the next look"},
      {"CODEXOS_RETENTION_GRACE_S", &RetentionLimits::grace_s,
       "seconds that a content is kept though nothing refers to it yet"},
  };
  return kRows;
}

Result<RetentionLimits> read_retention_limits(const char* (*get)(const char*)) {
  RetentionLimits out;
  for (const auto& row : retention_rows()) {
    const char* text = get(row.variable);
    if (text == nullptr || *text == '\0') continue;
    const char* end = text + std::strlen(text);
    const auto [stop, err] = std::from_chars(text, end, out.*row.member);
    if (err != std::errc() || stop != end || out.*row.member > INT64_MAX / 1000000)
      return Error{Code::invalid, std::string(row.variable) + "=" + text + " is not a number",
                   row.what};
  }
  return out;
}

RetentionPlan plan_retention(const std::vector<HeldLayers>& held, const RetentionLimits& limits,
                             int64_t now_us) {
  RetentionPlan plan;
  std::set<std::string> expired;
  const auto expire = [&](const HeldLayers& h, std::string why) {
    plan.expire.push_back(Expiry{h.id, std::move(why)});
    expired.insert(h.id);
  };
  std::vector<const HeldLayers*> waiting;  // oldest end first
  for (const auto& h : held)
    if (h.state == "waiting" && may_go(h)) waiting.push_back(&h);
  std::sort(waiting.begin(), waiting.end(),
            [](const HeldLayers* a, const HeldLayers* b) { return a->ended_us < b->ended_us; });

  const auto blocked = [&](const std::string& id) { return needed(held, expired).count(id) != 0; };
  for (const HeldLayers* h : waiting)
    if (now_us - h->ended_us > static_cast<int64_t>(limits.age_s) * 1000000 && !blocked(h->id))
      expire(*h, "they had waited for " + age_text(limits.age_s));

  // What remains if nothing more expires: a layer that others are stacked on goes with the last.
  const auto total = [&] {
    const auto in_use = needed(held, expired);
    uint64_t sum = 0;
    for (const auto& h : held) {
      const bool stays = !may_go(h) || in_use.count(h.id) != 0 ||
                         (h.state == "waiting" && expired.count(h.id) == 0);
      if (stays) sum += h.bytes;
    }
    return sum;
  };
  for (const HeldLayers* h : waiting) {
    if (total() <= limits.bytes) break;
    if (expired.count(h->id) == 0 && !blocked(h->id))
      expire(*h, "all held-back changes took more than " + size_text(limits.bytes));
  }

  const auto in_use = needed(held, expired);
  for (const auto& h : held)
    if (may_go(h) && in_use.count(h.id) == 0 && (h.state != "waiting" || expired.count(h.id) != 0))
      plan.remove.push_back(h.id);
  return plan;
}

}  // namespace codexos::daemon

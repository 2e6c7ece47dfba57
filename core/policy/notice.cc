// SPDX-License-Identifier: Apache-2.0
#include "core/policy/notice.h"

#include <array>

#include "core/base/limits.h"

namespace codexos::policy {
namespace {

constexpr const char* kHead =
    "This program runs as a task of CodexOS. What it may do was decided by its user and cannot be\n"
    "changed from inside: what was refused once will be refused again, so do not try again, and "
    "do\n"
    "not look for another way. Say what is needed, and the option of `codexos run` that allows "
    "it.\n\n";

struct ModeRow {
  wire::WorkspaceMode mode;
  const char* text;
};
constexpr std::array kModes{
    ModeRow{wire::WorkspaceMode::overlay,
            "writable; changes are held back until the user takes them over"},
    ModeRow{wire::WorkspaceMode::direct, "writable; changes are written at once"},
    ModeRow{wire::WorkspaceMode::read_only, "read-only (option: --mode overlay)"},
    ModeRow{wire::WorkspaceMode::none, "none"},
};

/// A folder's name may hold anything, also what looks like the next line.
std::string line(const std::string& key, std::string value) {
  for (char& c : value)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return key + ": " + value + "\n";
}

std::string list(const Names& names) {
  constexpr size_t kMost = 50;
  std::string out;
  for (size_t i = 0; i < names.size() && i < kMost; ++i) out += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > kMost) out += ", ...";
  return out;
}

std::string network(const Rights& r) {
  if (r.net == wire::Network::host) return "the host's";
  if (r.net == wire::Network::none || r.allow.empty())
    return "none but the own loopback (option: --allow HOST)";
  return "by name: " + list(r.allow) + " (option for more: --allow HOST)";
}

}  // namespace

std::string notice(const Rights& r, const NoticeFacts& f) {
  std::string out = kHead;
  std::string mode;
  for (const ModeRow& row : kModes)
    if (row.mode == f.mode) mode = row.text;
  out += line("workspace", f.workspace.empty() ? "none" : f.workspace + ", " + mode);
  if (!f.write.empty()) out += line("written through", list(f.write));
  out += line("network", network(r));
  if (!r.show.empty()) out += line("also shown", list(r.show));
  if (!r.hide.empty()) out += line("hidden", list(r.hide));
  out += line("not shown",
              "the rest of the home folder, credentials, other processes (option: --show PATH)");
  for (const LimitRow& row : kLimits)
    if (const uint64_t amount = r.limits.*(row.amount); amount != 0)
      out += line(std::string(row.what),
                  limit_text(row, amount) + " (option: " + limit_option(row) + ")");
  return out;
}

}  // namespace codexos::policy

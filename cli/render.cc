// SPDX-License-Identifier: Apache-2.0
#include "cli/render.h"

#include <fmt/core.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cli/client.h"
#include "cli/escape.h"
#include "core/json/json.h"
#include "core/os/file.h"

namespace codexos::cli {
namespace {

bool is_set(const char* name) {
  const char* v = getenv(name);
  return v != nullptr && *v != '\0';
}

struct StateColor {
  TaskState state;
  std::string_view sgr;
};
constexpr std::array kColors{
    StateColor{TaskState::running, "32"},  StateColor{TaskState::paused, "33"},
    StateColor{TaskState::stopping, "33"}, StateColor{TaskState::failed, "31"},
    StateColor{TaskState::killed, "31"},   StateColor{TaskState::timed_out, "31"},
    StateColor{TaskState::denied, "31"},   StateColor{TaskState::lost, "31"}};

/// The first `columns` of `s`, with an ellipsis when it is longer.
std::string cut_to(std::string_view s, size_t columns) {
  if (columns_of(s) <= columns) return std::string(s);
  size_t end = 0;
  for (size_t n = 0; end < s.size(); ++end) {
    const bool begins = (static_cast<unsigned char>(s[end]) & 0xc0) != 0x80;
    if (begins && ++n == columns) break;
  }
  return std::string(s.substr(0, end)) + "…";
}

std::string paint_cell(const std::string& cell) {
  if (const auto state = find_enum<TaskState>(cell)) return paint_state(*state, true);
  return cell;
}

}  // namespace

Status print_to(int fd, std::string_view text) {
  if (auto r = write_all(fd, text); !r.ok()) {
    const std::string_view why = r.error().message;
    const size_t colon = why.rfind(": ");
    return Error{Code::internal,
                 fmt::format("write to {}: {}", fd == 1 ? "stdout" : "stderr",
                             colon == why.npos ? why : why.substr(colon + 2)),
                 {}};
  }
  return {};
}

Status print(std::string_view text) { return print_to(STDOUT_FILENO, text); }
Status print_line(std::string_view text) { return print(std::string(text) + "\n"); }

void say(std::string_view text) {
  // Nobody to tell when this fails.
  (void)write_all(STDERR_FILENO, fmt::format("note: {}\n", printable(text)));
}

void report(const Context& ctx, const Error& e) {
  std::string text = fmt::format("error: {}\n", printable(e.message));
  if (!e.hint.empty()) text += fmt::format("hint: {}\n", printable(e.hint));
  if (ctx.globals.json) {
    wire::Problem p = problem_of(e);
    if (ctx.problem) {
      p = *ctx.problem;
      p.detail = e.message;
    }
    text += json::encode(p) + "\n";
  }
  (void)write_all(STDERR_FILENO, text);
}

bool wants_color(const Context& ctx, int fd) {
  if (ctx.globals.color != Color::automatic) return ctx.globals.color == Color::always;
  if (is_set("NO_COLOR")) return false;
  const char* force = getenv("CLICOLOR_FORCE");
  if (force != nullptr && *force != '\0' && std::strcmp(force, "0") != 0) return true;
  const char* term = getenv("TERM");
  return isatty(fd) == 1 && (term == nullptr || std::strcmp(term, "dumb") != 0);
}

std::string paint_state(TaskState state, bool color) {
  if (color)
    for (const StateColor& c : kColors)
      if (c.state == state) return fmt::format("\x1b[{}m{}\x1b[0m", c.sgr, name_of(state));
  return std::string(name_of(state));
}

size_t columns_of(std::string_view s) {
  return static_cast<size_t>(std::count_if(
      s.begin(), s.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string Table::text(size_t width, bool color) const {
  std::vector<std::vector<std::string>> cells = rows_;
  std::vector<size_t> wide(rows_[0].size(), 0);
  for (auto& row : cells)
    for (size_t i = 0; i < row.size(); ++i) {
      row[i] = printable(row[i]);
      wide[i] = std::max(wide[i], columns_of(row[i]));
    }
  std::string out;
  for (const auto& row : cells) {
    std::string line;
    for (size_t i = 0; i + 1 < row.size(); ++i) {
      const size_t fill = wide[i] - columns_of(row[i]) + 2;
      line += color ? paint_cell(row[i]) : row[i];
      line.append(fill, ' ');
    }
    size_t before = 0;
    for (size_t i = 0; i + 1 < row.size(); ++i) before += wide[i] + 2;
    constexpr size_t kLeast = 10;
    line += width == 0 ? row.back()
                       : cut_to(row.back(), width > before + kLeast ? width - before : kLeast);
    while (line.ends_with(' ')) line.pop_back();
    out += line + "\n";
  }
  return out;
}

int64_t parse_time(std::string_view rfc3339) {
  tm t{};
  int micros = 0;
  const std::string text(rfc3339);
  if (sscanf(text.c_str(), "%d-%d-%dT%d:%d:%d.%dZ", &t.tm_year, &t.tm_mon, &t.tm_mday, &t.tm_hour,
             &t.tm_min, &t.tm_sec, &micros) < 6)
    return 0;
  t.tm_year -= 1900;
  t.tm_mon -= 1;
  return int64_t{timegm(&t)} * 1000000 + micros;
}

std::string age(std::string_view rfc3339, int64_t now_us) {
  const int64_t at = parse_time(rfc3339);
  if (at == 0) return "";
  const int64_t s = std::max<int64_t>(0, (now_us - at) / 1000000);
  if (s < 60) return fmt::format("{}s", s);
  if (s < 3600) return fmt::format("{}m", s / 60);
  if (s < 86400) return fmt::format("{}h", s / 3600);
  return fmt::format("{}d", s / 86400);
}

std::string span_text(uint64_t us) {
  if (us < 1000000) return fmt::format("{} ms", us / 1000);
  const uint64_t s = us / 1000000;
  if (s < 60) return fmt::format("{}.{} s", s, us / 100000 % 10);
  if (s < 3600) return fmt::format("{}m {}s", s / 60, s % 60);
  return fmt::format("{}h {}m", s / 3600, s / 60 % 60);
}

std::string size_text(uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  auto x = static_cast<double>(bytes);
  size_t unit = 0;
  while (x >= 1024 && unit + 1 < kUnits.size()) {
    x /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", x, kUnits[unit]);
}

std::string limit_line(const wire::LimitHeld& l) {
  return fmt::format("{} ({})", l.value, l.by.empty() ? "not held: " + l.why : l.by);
}

std::string changes_text(const wire::ChangeCount& c) {
  struct Part {
    uint64_t n;
    std::string_view what;
  };
  std::string out;
  for (const Part& p :
       {Part{c.added, "added"}, Part{c.modified, "modified"}, Part{c.deleted, "deleted"}}) {
    if (p.n == 0) continue;
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", p.n, p.what);
  }
  if (c.more) out += out.empty() ? "many" : " and more";
  return out;
}

}  // namespace codexos::cli

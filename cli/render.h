// SPDX-License-Identifier: Apache-2.0
// What people read: tables and short text on stdout, notes and errors on stderr. All output to
// stdout goes through print(), so that a failed write is an exit code and not a silence.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/context.h"
#include "core/base/error.h"
#include "core/wire/task.h"

namespace codexos::cli {

/// All bytes to stdout (stderr); error internal "write to stdout: No space left on device".
Status print(std::string_view text);
Status print_to(int fd, std::string_view text);
Status print_line(std::string_view text);

/// "note: ..." on stderr.
void say(std::string_view text);
/// error:, hint: and with --json the problem document.
void report(const Context& ctx, const Error& e);

bool wants_color(const Context& ctx, int fd);
/// The state in its colour, where `color` is true.
std::string paint_state(TaskState state, bool color);

/// Columns of cells, each as wide as its widest, two blanks between. Cells are made printable; the
/// last column is cut to the width of the terminal when `width` is not 0.
class Table {
 public:
  explicit Table(std::vector<std::string> head) : rows_{std::move(head)} {}
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string text(size_t width, bool color) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// How many columns `s` takes: bytes that begin a UTF-8 character (wide ones count as one).
size_t columns_of(std::string_view s);

/// Microseconds since the epoch of format_time()'s form; 0 when it is not that.
int64_t parse_time(std::string_view rfc3339);
/// "3s", "12m", "5h", "2d": since `at`.
std::string age(std::string_view rfc3339, int64_t now_us);
/// "1.5 s", "3m 20s".
std::string span_text(uint64_t us);
/// "12 KiB".
std::string size_text(uint64_t bytes);
/// "512MiB (cgroup v1)", "1.5 (not held: ...)".
std::string limit_line(const wire::LimitHeld& l);
/// "2 added, 1 modified"; empty when there are none.
std::string changes_text(const wire::ChangeCount& c);

}  // namespace codexos::cli

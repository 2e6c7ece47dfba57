// SPDX-License-Identifier: Apache-2.0
// The widths of --stat are git's (diff.c, show_stats), so that both can be compared line by line.
#include "cli/change_text.h"

#include <fmt/core.h>

#include <algorithm>

#include "cli/escape.h"
#include "cli/render.h"
#include "core/base/quote.h"
#include "core/base/text.h"

namespace codexos::cli {
namespace {

std::string bytes_of(const std::string& text, const std::string& raw) {
  if (raw.empty()) return text;
  const auto bytes = from_base64(raw);
  return bytes.ok() ? *bytes : text;
}
/// Paths of other roots (a work tree's git folder) would be mistaken for the workspace's.
std::string full_path(const wire::Change& c, const std::string& path, const ChangeStyle& style) {
  if (c.root == style.workspace) return path;
  return path.empty() ? c.root : c.root + "/" + path;
}
std::string path_of(const wire::Change& c, const ChangeStyle& style) {
  return full_path(c, bytes_of(c.path, c.raw), style);
}
std::string from_of(const wire::Change& c, const ChangeStyle& style) {
  return full_path(c, bytes_of(c.from, c.from_raw), style);
}
bool is_content(const wire::Change& c) { return c.kind == "file" || c.kind == "symlink"; }

/// Of what git has no form for: "new folder", "mode 040755 -> 040700".
std::string remark(const wire::Change& c) {
  if (c.collapsed) return {};
  if (c.status == "A") return "new " + c.kind;
  if (c.status == "D") return c.kind + " is gone";
  if (c.status == "T") return "now a " + c.kind;
  std::string out;
  if (c.old_mode != c.new_mode) out = fmt::format("mode {} -> {}", c.old_mode, c.new_mode);
  if (c.xattrs) out += fmt::format("{}extended attributes differ", out.empty() ? "" : ", ");
  return out;
}

// --- --stat
// ---------------------------------------------------------------------------------------

size_t digits(uint64_t n) { return std::to_string(n).size(); }

struct FileStat {
  std::string name;
  uint64_t added = 0, removed = 0;  // lines; of binary files: bytes after and before
  bool binary = false;
};

struct Widths {
  size_t name = 0, number = 0, graph = 0;
  uint64_t most = 0;  // changed lines of one file
};

Widths widths_of(const std::vector<FileStat>& rows, size_t width) {
  Widths w;
  size_t bin = 0;
  for (const FileStat& r : rows) {
    w.name = std::max(w.name, columns_of(r.name));
    if (r.binary) {
      bin = std::max(bin, 14 + digits(r.added) + digits(r.removed));
      w.number = 3;  // "Bin"
    } else {
      w.most = std::max(w.most, r.added + r.removed);
    }
  }
  w.number = std::max(w.number, digits(w.most));
  width = std::max(width, 16 + 6 + w.number);
  w.graph = w.most + 4 > bin ? w.most : bin - 4;
  if (w.name + w.number + 6 + w.graph <= width) return w;
  if (w.graph > width * 3 / 8 - w.number - 6)
    w.graph = std::max<size_t>(6, width * 3 / 8 - w.number - 6);
  if (w.name > width - w.number - 6 - w.graph)
    w.name = width - w.number - 6 - w.graph;
  else
    w.graph = width - w.number - 6 - w.name;
  return w;
}

uint64_t scale(uint64_t n, uint64_t width, uint64_t most) {
  return n == 0 ? 0 : 1 + n * (width - 1) / most;
}

/// The end of a name that is too long, from a slash on where there is one.
std::string fitted(const std::string& name, size_t width) {
  if (columns_of(name) <= width) return name + std::string(width - columns_of(name), ' ');
  const size_t room = width - 3;
  size_t at = 0;
  for (size_t left = columns_of(name); left > room; --left) do
      ++at;
    while (at < name.size() && (static_cast<unsigned char>(name[at]) & 0xc0) == 0x80);
  const size_t slash = name.find('/', at);
  const std::string tail = name.substr(slash == std::string::npos ? at : slash);
  return "..." + tail + std::string(room - std::min(room, columns_of(tail)), ' ');
}

std::string paint(std::string text, const char* sgr, bool color) {
  if (!color || text.empty()) return text;
  return fmt::format("\x1b[{}m{}\x1b[m", sgr, text);
}

std::string row_text(const FileStat& r, const Widths& w, bool color) {
  std::string out = " " + fitted(r.name, w.name) + " | ";
  if (r.binary) {
    out += fmt::format("{:>{}}", "Bin", w.number);
    if (r.added + r.removed == 0) return out + "\n";
    return out + fmt::format(" {} -> {} bytes\n", paint(std::to_string(r.removed), "31", color),
                             paint(std::to_string(r.added), "32", color));
  }
  uint64_t plus = r.added, minus = r.removed;
  if (w.graph <= w.most) {
    uint64_t total = scale(plus + minus, w.graph, w.most);
    if (total < 2 && plus > 0 && minus > 0) total = 2;
    if (plus < minus) {
      plus = scale(plus, w.graph, w.most);
      minus = total - plus;
    } else {
      minus = scale(minus, w.graph, w.most);
      plus = total - minus;
    }
  }
  out += fmt::format("{:>{}}", r.added + r.removed, w.number);
  if (r.added + r.removed > 0) out += " ";
  out += paint(std::string(plus, '+'), "32", color) + paint(std::string(minus, '-'), "31", color);
  return out + "\n";
}

std::string sum_text(const std::vector<FileStat>& rows) {
  uint64_t added = 0, removed = 0;
  for (const FileStat& r : rows) {
    added += r.binary ? 0 : r.added;
    removed += r.binary ? 0 : r.removed;
  }
  std::string out = fmt::format(" {} file{} changed", rows.size(), rows.size() == 1 ? "" : "s");
  if (added > 0 || removed == 0)
    out += fmt::format(", {} insertion{}(+)", added, added == 1 ? "" : "s");
  if (removed > 0 || added == 0)
    out += fmt::format(", {} deletion{}(-)", removed, removed == 1 ? "" : "s");
  return out + "\n";
}

}  // namespace

std::string rename_text(const std::string& from, const std::string& to) {
  if (quote_git(from) != from || quote_git(to) != to)
    return quote_git(from) + " => " + quote_git(to);
  size_t prefix = 0;
  for (size_t i = 0; i < from.size() && i < to.size() && from[i] == to[i]; ++i)
    if (from[i] == '/') prefix = i + 1;
  size_t suffix = 0;
  // The slash that ends the common beginning may begin the common end as well.
  const size_t least = prefix > 0 ? prefix - 1 : 0;
  for (size_t n = 1; from.size() >= least + n && to.size() >= least + n; ++n) {
    if (from[from.size() - n] != to[to.size() - n]) break;
    if (from[from.size() - n] == '/') suffix = n;
  }
  const auto middle = [&](const std::string& s) {
    return s.size() > prefix + suffix ? s.substr(prefix, s.size() - prefix - suffix)
                                      : std::string();
  };
  const std::string both = middle(from) + " => " + middle(to);
  if (prefix + suffix == 0) return both;
  return from.substr(0, prefix) + "{" + both + "}" + from.substr(from.size() - suffix);
}

std::string name_status_text(const std::vector<wire::Change>& changes, const ChangeStyle& style) {
  std::string out;
  for (const wire::Change& c : changes) {
    std::string status = c.status;
    if (c.status == "R") status += fmt::format("{:03}", c.similarity.value_or(100));
    std::string path = quote_git(path_of(c, style));
    if (c.status == "R") path = quote_git(from_of(c, style)) + "\t" + path;
    out += fmt::format("{}\t{}\n", status, path);
  }
  return out;
}

std::string stat_text(const std::vector<wire::Change>& changes, const ChangeStyle& style) {
  const auto shown = [&](const std::string& s) { return style.neutral ? harmless(s) : s; };
  std::string out;
  std::vector<FileStat> rows;
  for (const wire::Change& c : changes) {
    if (c.collapsed) {
      out += shown(c.note) + "\n";
    } else if (!is_content(c)) {
      out += quote_git(path_of(c, style)) + ": " + remark(c) + "\n";
    } else {
      FileStat r;
      const std::string path = path_of(c, style);
      r.name = c.status == "R" ? rename_text(from_of(c, style), path) : quote_git(path);
      r.name = shown(r.name);
      r.binary = c.binary;
      r.added = c.binary ? c.new_size.value_or(0) : c.added.value_or(0);
      r.removed = c.binary ? c.old_size.value_or(0) : c.removed.value_or(0);
      rows.push_back(std::move(r));
    }
  }
  if (rows.empty()) return out;
  const Widths w = widths_of(rows, style.width);
  for (const FileStat& r : rows) out += row_text(r, w, style.color);
  return out + sum_text(rows);
}

}  // namespace codexos::cli

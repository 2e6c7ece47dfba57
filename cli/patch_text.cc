// SPDX-License-Identifier: Apache-2.0
#include "cli/patch_text.h"

#include <algorithm>
#include <charconv>

#include "cli/escape.h"

namespace codexos::cli {
namespace {

struct HeaderLine {
  std::string_view begin;  // of the line
  std::string_view sgr;
};
constexpr HeaderLine kHeader[] = {
    {"diff --git ", "1"}, {"index ", "1"},    {"--- ", "1"},      {"+++ ", "1"},
    {"old mode ", "1"},   {"new mode ", "1"}, {"new file ", "1"}, {"deleted file ", "1"},
    {"similarity ", "1"}, {"rename ", "1"},
};

/// ",N" or nothing, which is one line.
uint64_t count_after(std::string_view& text) {
  uint64_t first = 0, n = 1;
  const auto number = [&text](uint64_t& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error == std::errc()) text.remove_prefix(static_cast<size_t>(end - text.data()));
  };
  number(first);
  if (!text.starts_with(",")) return n;
  text.remove_prefix(1);
  number(n);
  return n;
}

}  // namespace

bool PatchText::begins_hunk(std::string_view text) {
  if (!text.starts_with("@@ -")) return false;
  text.remove_prefix(4);
  old_left_ = count_after(text);
  if (text.starts_with(" +")) text.remove_prefix(2);
  new_left_ = count_after(text);
  return true;
}

std::string PatchText::line(std::string_view text) {
  std::string_view sgr;
  if (old_left_ + new_left_ > 0 && !text.empty()) {
    if (text[0] == '+') sgr = "32";
    if (text[0] == '-') sgr = "31";
    const bool both = text[0] == ' ';
    if ((both || text[0] == '-') && old_left_ > 0) --old_left_;
    if ((both || text[0] == '+') && new_left_ > 0) --new_left_;
  } else if (begins_hunk(text)) {
    sgr = "36";
  } else {
    for (const HeaderLine& c : kHeader)
      if (text.starts_with(c.begin)) sgr = c.sgr;
  }
  std::string shown = harmless(text);
  if (!color_ || sgr.empty()) return shown;
  return "\x1b[" + std::string(sgr) + "m" + shown + "\x1b[m";
}

std::string PatchText::feed(std::string_view bytes) {
  std::string out;
  for (size_t end = bytes.find('\n'); end != std::string_view::npos; end = bytes.find('\n')) {
    if (held_.empty()) {
      out += line(bytes.substr(0, end));
    } else {
      held_ += bytes.substr(0, end);
      out += line(held_);
      held_.clear();
    }
    out += '\n';
    bytes.remove_prefix(end + 1);
  }
  held_ += bytes;
  return out;
}

std::string PatchText::finish() {
  std::string out = held_.empty() ? "" : line(held_);
  held_.clear();
  return out;
}

}  // namespace codexos::cli

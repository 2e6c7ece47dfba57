// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/ignore.h"

#include <fnmatch.h>

#include <algorithm>
#include <cstddef>

#include "core/base/split.h"

namespace codexos::daemon {
namespace {

bool match_name(const std::string& pattern, const std::string& name) {
  return fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

/// Blanks at the end do not count unless the last has a backslash before it.
std::string_view trimmed(std::string_view line) {
  while (line.ends_with(' ') && !line.ends_with("\\ ")) line.remove_suffix(1);
  return line;
}

bool parse_rule(std::string_view line, IgnoreRule& rule) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.starts_with('#')) return false;
  line = trimmed(line);
  if (line.starts_with('!')) {
    rule.negated = true;
    line.remove_prefix(1);
  }
  if (line.ends_with('/')) {
    rule.folders_only = true;
    line.remove_suffix(1);
  }
  rule.anchored = line.find('/') != std::string_view::npos;
  rule.parts = split(line, "/");
  return !rule.parts.empty();
}

}  // namespace

std::vector<IgnoreRule> parse_ignore_rules(std::string_view text) {
  constexpr std::string_view kBom = "\xEF\xBB\xBF";
  if (text.starts_with(kBom)) text.remove_prefix(kBom.size());
  std::vector<IgnoreRule> out;
  while (!text.empty()) {
    const size_t newline = std::min(text.find('\n'), text.size());
    IgnoreRule rule;
    if (parse_rule(text.substr(0, newline), rule)) out.push_back(std::move(rule));
    text.remove_prefix(std::min(newline + 1, text.size()));
  }
  return out;
}

/// As a glob is matched: what follows the last "**" is tried further and further on. A "**" at the
/// end stands for one folder or name at least.
bool match_parts(const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
  size_t p = 0, t = 0, after_stars = 0, tried = 0;
  bool stars = false;
  while (t < path.size()) {
    if (p < pattern.size() && pattern[p] == "**") {
      if (p + 1 == pattern.size()) return true;
      stars = true;
      after_stars = ++p;
      tried = t;
    } else if (p < pattern.size() && match_name(pattern[p], path[t])) {
      ++p;
      ++t;
    } else if (stars) {
      p = after_stars;
      t = ++tried;
    } else {
      return false;
    }
  }
  return p == pattern.size();
}

const IgnoreRules::Folder& IgnoreRules::folder(const std::string& path) {
  if (const auto it = folders_.find(path); it != folders_.end()) return it->second;
  Folder f;
  if (!path.empty()) {
    const size_t slash = path.rfind('/');
    f.ignored = folder(slash == std::string::npos ? "" : path.substr(0, slash)).ignored;
    if (f.ignored.empty() && judge(path, true)) f.ignored = path;
  }
  if (f.ignored.empty()) f.rules = parse_ignore_rules(read_(path));
  return folders_.emplace(path, std::move(f)).first->second;
}

/// The rules of the nearest folder first, in each the last that fits.
bool IgnoreRules::judge(const std::string& path, bool is_folder) {
  const std::vector<std::string> whole = split(path, "/");
  const auto decide = [&](const std::vector<IgnoreRule>& rules, size_t depth, bool& answer) {
    const std::vector<std::string> below(whole.begin() + static_cast<std::ptrdiff_t>(depth),
                                         whole.end());
    for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule) {
      if (rule->folders_only && !is_folder) continue;
      const bool fits = rule->anchored ? match_parts(rule->parts, below)
                                       : match_name(rule->parts[0], below.back());
      if (!fits) continue;
      answer = !rule->negated;
      return true;
    }
    return false;
  };
  bool answer = false;
  for (size_t depth = whole.size(); depth-- > 0;) {
    std::string at;
    for (size_t i = 0; i < depth; ++i) at += (i == 0 ? "" : "/") + whole[i];
    if (decide(folder(at).rules, depth, answer)) return answer;
  }
  return decide(last_, 0, answer) && answer;
}

std::string IgnoreRules::ignored(const std::string& path, bool is_folder) {
  if (is_folder) return folder(path).ignored;
  const size_t slash = path.rfind('/');
  const std::string& above =
      folder(slash == std::string::npos ? "" : path.substr(0, slash)).ignored;
  if (!above.empty()) return above;
  return judge(path, false) ? path : std::string();
}

bool match_pathspec(const std::string& spec, const std::string& path) {
  if (spec.empty() || path == spec) return true;
  if (path.size() > spec.size() && path.starts_with(spec) &&
      (spec.back() == '/' || path[spec.size()] == '/'))
    return true;
  if (spec.find_first_of("*?[") == std::string::npos) return false;
  // A glob that fits a folder fits all that is in it.
  for (size_t end = path.find('/'); end != std::string::npos; end = path.find('/', end + 1))
    if (fnmatch(spec.c_str(), path.substr(0, end).c_str(), 0) == 0) return true;
  return fnmatch(spec.c_str(), path.c_str(), 0) == 0;
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// Names that are protected wherever they lie, and how a name is read: as every file system that a
// repository may be taken to would read it (git's verify_path in read-cache.c, path.c and utf8.c).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace codexos::daemon {

/// Without what HFS+ ignores, in lower case, without what NTFS ignores at the end (blanks, dots, a
/// stream's name).
std::string normal_name(std::string_view component);
/// The same for each part of a component that NTFS would split at backslashes; most have one.
std::vector<std::string> normal_names(std::string_view component);
/// `name` (normal) is what NTFS may call a file named `pattern`: git~1, gitmod~1.txt.
bool is_short_name(std::string_view name, std::string_view pattern);
/// ".git" in any spelling; normal.
bool is_dot_git(std::string_view name);

/// Finds protected names along a path, one component after the other.
class ProtectedNames {
 public:
  /// `more`: names beside the table's; a blank-free path each.
  explicit ProtectedNames(const std::vector<std::string>& more);

  /// How far the last components of a path agree with names that have several.
  struct Step {
    uint32_t row;
    uint32_t matched;
  };
  using Steps = std::vector<Step>;
  /// One component (normal) further: the reason if a name is complete, else null. `steps` becomes
  /// what the next component goes on from.
  const char* next(const std::string& name, Steps& steps) const;
  /// The components of a step's name that are still to come, joined by '/'.
  std::string rest(const Step& step) const;
  const char* why(const Step& step) const { return rows_[step.row].why; }
  /// All names without wildcards, as paths.
  std::vector<std::pair<std::string, const char*>> plain() const;

 private:
  struct Row {
    std::vector<std::string> components;
    const char* why;
  };
  bool fits(const std::string& name, const std::string& pattern) const;
  void add(std::string_view path, const char* why);

  std::vector<Row> rows_;
  std::multimap<std::string, uint32_t, std::less<>> first_;  // by the first component
  std::vector<uint32_t> wild_;                               // first component has a '*'
};

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// Which paths git would ignore, by the rules of gitignore(5), read as text: nothing is opened here,
// and no repository is. (libgit2 can match only in a repository that it opened.) Names are matched
// by fnmatch(3), one at a time, so that no pattern takes more than a product of two lengths.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace codexos::daemon {

/// One line of a .gitignore.
struct IgnoreRule {
  std::vector<std::string> parts;  // between slashes; "**" is any number of folders
  bool negated = false;            // "!": not ignored after all
  bool folders_only = false;       // a slash at the end
  bool anchored = false;           // a slash elsewhere: relative to the file's own folder
};
std::vector<IgnoreRule> parse_ignore_rules(std::string_view text);
/// `parts` against the folders and the name of a path.
bool match_parts(const std::vector<std::string>& pattern, const std::vector<std::string>& path);

class IgnoreRules {
 public:
  /// The text of the .gitignore in a folder ("": the root), or empty.
  using Read = std::function<std::string(const std::string& folder)>;

  explicit IgnoreRules(Read read) : read_(std::move(read)) {}
  /// Rules that all .gitignore files go before: .git/info/exclude.
  void add_last(std::string_view text) { last_ = parse_ignore_rules(text); }

  /// The topmost ignored folder that holds `path`, or `path` when it is ignored itself; else empty.
  std::string ignored(const std::string& path, bool is_folder);

 private:
  struct Folder {
    std::string ignored;  // the topmost ignored folder at or above; empty: none
    std::vector<IgnoreRule> rules;
  };
  const Folder& folder(const std::string& path);
  bool judge(const std::string& path, bool is_folder);

  Read read_;
  std::vector<IgnoreRule> last_;
  std::map<std::string, Folder> folders_;  // those that were asked about
};

/// A path that the user names: itself and what is below it; with * ? [ a glob, in which * matches
/// slashes too, as git's pathspecs do. "": everything.
bool match_pathspec(const std::string& spec, const std::string& path);

}  // namespace codexos::daemon

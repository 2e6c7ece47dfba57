// SPDX-License-Identifier: Apache-2.0
// What a task changed, as work and not as noise: renames found, git's own files told in one line a
// git folder, ignored folders in one line each. What is ignored is judged by the rules of the real
// folder: a task cannot hide its work by a .gitignore of its own; and what git tracks (its index
// says so) is not ignored.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/wire/changes.h"
#include "daemon/workspace/layers.h"
#include "daemon/workspace/workspace.h"

namespace codexos::daemon {

struct DiffOptions {
  bool all = false;   // nothing is told in one line
  bool stat = false;  // count changed lines
  /// Pathspecs, relative to the workspace, or absolute; none: everything. One that names an ignored
  /// folder, or what is in it, expands it.
  std::vector<std::string> paths;
};

struct DiffEntry {
  Delta delta;                // of a rename: the new file
  std::optional<Delta> from;  // of a rename: the file that is gone
  int similarity = 0;         // of a rename, percent
};
/// One line that stands for many changes.
struct DiffGroup {
  char status = 'I';  // I: an ignored folder or file, G: a git folder
  std::string path;   // relative to the root; "": the whole root
  wire::ChangeCount count;
  std::string note;  // of G: what changed in it, in words
};
struct RootDiff {
  Root root;
  LayerStack stack;
  std::vector<DiffEntry> entries;  // sorted by path
  std::vector<DiffGroup> groups;   // sorted by path
  bool more = false;               // not whole: cut, or a folder cannot be read
};

/// Error conflict: a real folder is another one now.
Result<std::vector<RootDiff>> make_diff(const std::vector<Root>& roots, const DiffOptions& o);

/// As the wire tells it, sorted by path; with DiffOptions::stat the files are read.
std::vector<wire::Change> changes_of(const std::vector<RootDiff>& diff, const DiffOptions& o,
                                     bool& more);

/// "100644": type and mode as git writes them, with all bits of folders and what else git has not.
std::string mode_text(const Facts& f);
std::string_view kind_text(const Facts& f);

}  // namespace codexos::daemon

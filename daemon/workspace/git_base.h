// SPDX-License-Identifier: Apache-2.0
// The version of a file from before a task, where only git still has it: the user edited the file
// while the task ran, so the real folder holds that edit, and the layer what the task made of the
// version before. The index of the real folder says of each file which blob it held when git last
// looked, and what lstat(2) said then.
//
// Where that was before the task began the blob is a base for a merge of three: with an older base
// than the one that both sides had, what both have in common counts as the same change made twice,
// so nothing that either wrote is lost.
#pragma once

#include <optional>
#include <string>

#include "daemon/workspace/apply_plan.h"
#include "daemon/workspace/libgit2.h"
#include "daemon/workspace/workspace.h"

namespace codexos::daemon {

class GitBase {
 public:
  struct Found {
    std::string text;
    bool executable = false;
  };

  /// A root that is no work tree of git has no bases.
  explicit GitBase(const Root& root);

  /// Nothing: git does not know the path, last looked after the task began, or keeps something
  /// else than what lay in the folder (filters, line ends), or what it keeps is no text.
  std::optional<Found> find(const std::string& path, const TaskTimes& times) const;

 private:
  const Root& root_;
  GitPtr<git_repository, git_repository_free> repo_;
  GitPtr<git_index, git_index_free> index_;
  int64_t written_ns_ = 0;  // when the index was
};

}  // namespace codexos::daemon

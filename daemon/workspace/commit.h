// SPDX-License-Identifier: Apache-2.0
// apply --commit: a commit of exactly what was applied, on the branch that is checked out. Made by
// libgit2 on the user's own repository: no hook, no filter, no program of git's runs.
#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/fields.h"
#include "daemon/workspace/apply_plan.h"
#include "daemon/workspace/workspace.h"

namespace codexos::daemon {

struct CommitMade {
  std::string id;      // empty: there was nothing to commit
  std::string parent;  // empty: it is the first
  std::string ref;     // refs/heads/…
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("id", s.id);
    v("parent", s.parent);
    v("ref", s.ref);
  }
};

/// Before anything is applied. Error conflict: what stands in the way (a merge that is not
/// finished, a detached HEAD, staged changes of a path); invalid: no repository, or nobody to
/// commit as.
Status can_commit(const Root& root, uint32_t index, const std::vector<Op>& ops);

/// After the apply. New files that git ignores are left out.
Result<CommitMade> commit_applied(const Root& root, uint32_t index, const std::vector<Op>& ops,
                                  const std::string& message);

/// Takes the branch back, if the commit is still its last. False: it went on, and is left alone.
Result<bool> take_commit_back(const Root& root, uint32_t index, const std::vector<Op>& ops,
                              const CommitMade& made);

/// Whether `file` (absolute) is the index of the repository in this root, and holds nothing that
/// its HEAD does not: then it can be replaced without loss, though a `git status` outside has
/// written it.
bool is_clean_index(const Root& root, const std::string& file);

/// Whether both open files are indexes of git that name the same versions: they differ in what
/// lstat(2) said, which git looks up anew by itself.
bool same_index(int a, int b);

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// Taking a task's changes over, undoing that, dropping them: the types of /v1/tasks/{id}/apply,
// /undo and /discard.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/fields.h"
#include "core/wire/changes.h"

namespace codexos::wire {

/// What to do with a path that both sides changed.
enum class OnConflict : int { fail, ours, theirs, merge };
constexpr auto enum_names(OnConflict) {
  return std::array{EnumName{OnConflict::fail, "fail"}, EnumName{OnConflict::ours, "ours"},
                    EnumName{OnConflict::theirs, "theirs"}, EnumName{OnConflict::merge, "merge"}};
}

struct ApplyBody {
  std::vector<std::string> paths;
  bool dry_run = false;
  std::string commit;
  OnConflict on_conflict = OnConflict::fail;
  bool allow_protected = false;
  bool skip_protected = false;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("paths", s.paths, "only these: paths, folders or globs, relative to the workspace");
    v("dry_run", s.dry_run, "say what would be done, do nothing");
    v("commit", s.commit, "message of a commit of the applied paths; empty: none");
    v("on_conflict", s.on_conflict, "what to do with paths that both sides changed");
    v("allow_protected", s.allow_protected, "also what a tool outside would later execute or obey");
    v("skip_protected", s.skip_protected, "leave protected and refused paths out");
  }
};

struct UndoBody {
  bool dry_run = false;
  OnConflict on_conflict = OnConflict::fail;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("dry_run", s.dry_run, "say what would be done, do nothing");
    v("on_conflict", s.on_conflict, "what to do with paths that were changed since the apply");
  }
};

struct DiscardBody {
  std::vector<std::string> paths;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("paths", s.paths, "only these: paths, folders or globs, relative to the workspace");
  }
};

/// How an apply or undo came out. Only with `done` was anything written.
enum class ApplyOutcome : int { done, nothing, conflict, protected_, refused };
constexpr auto enum_names(ApplyOutcome) {
  return std::array{
      EnumName{ApplyOutcome::done, "done"}, EnumName{ApplyOutcome::nothing, "nothing"},
      EnumName{ApplyOutcome::conflict, "conflict"}, EnumName{ApplyOutcome::protected_, "protected"},
      EnumName{ApplyOutcome::refused, "refused"}};
}
/// Exit codes as everywhere: a conflict is 5, what is denied 4.
constexpr int exit_code_of(ApplyOutcome o) {
  if (o == ApplyOutcome::conflict) return 5;
  return o == ApplyOutcome::protected_ || o == ApplyOutcome::refused ? 4 : 0;
}

struct PathNote {
  std::string path;
  std::string root;
  std::string what;  // of protected paths: the protected thing that it is or is part of
  std::string why;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("path", s.path, "path relative to root");
    v("root", s.root, "the folder on the host");
    v("what", s.what, "the protected thing that it is, or is part of");
    v("why", s.why, "in words");
  }
};

struct ApplyResult {
  std::string task;
  std::string apply;  // id; empty: nothing was written
  ApplyOutcome outcome = ApplyOutcome::nothing;
  bool dry_run = false;  // `outcome` says what it would be
  std::vector<Change> applied;
  std::vector<PathNote> merged, conflicts, kept, protected_, refused;
  std::string commit;
  std::vector<std::string> notes;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("task", s.task, "task id");
    v("apply", s.apply, "id of this apply, for undo; empty: nothing was written");
    v("outcome", s.outcome, "done, nothing, conflict, protected or refused");
    v("dry_run", s.dry_run, "nothing was written: the outcome is what it would be");
    v("applied", s.applied, "what was written");
    v("merged", s.merged, "of those, what was merged with changes made here");
    v("conflicts", s.conflicts, "changed on both sides: why nothing was written");
    v("kept", s.kept, "left as it is here, as was asked for");
    v("protected", s.protected_, "what a tool outside would later execute or obey");
    v("refused", s.refused, "what is never written to a workspace");
    v("commit", s.commit, "id of the commit that was made");
    v("notes", s.notes, "remarks");
  }
};

}  // namespace codexos::wire

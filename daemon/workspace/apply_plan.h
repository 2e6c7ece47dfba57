// SPDX-License-Identifier: Apache-2.0
// What an apply would do, decided from facts alone: nothing here reads or writes a file. A path is
// judged by what the real entry was when the task began, when it ended, and is now; the rule is
// that nothing which the user wrote is ever overwritten. Of an overlay's lower entry nothing is
// recorded when it is first hidden, so "untouched since the task began" is known by its change time
// (ctime cannot be set by programs), less a margin for its granularity and for a clock that was
// stepped.
//
// An apply is a list of operations, each one path from a state to another. undo is the same list
// with the states changed over.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/fields.h"
#include "daemon/workspace/layers.h"

namespace codexos::daemon {

constexpr uint32_t kPermissions = 0777;  // of a file mode: what an apply takes and puts back
constexpr uint32_t kEnter = 0300;        // what a folder needs so that entries can be made in it

// --- judging ------------------------------------------------------------------------------------

/// When the task ran whose layer hides the real entry, microseconds of the wall clock, and by how
/// much that clock was stepped meanwhile.
struct TaskTimes {
  int64_t started_us = 0;
  std::optional<int64_t> step_us = 0;  // nothing: unknown, no ctime can be trusted
  int64_t tick_us = 10'000;            // a ctime can be so much older than the change (HZ=100)
};

/// Whether the entry has not been touched since before the task began.
bool is_older(const Facts& f, const TaskTimes& t);

/// The real entry at the task's end, where it was recorded.
struct Recorded {
  std::optional<Facts> facts;  // nothing: there was no entry
  std::string digest;          // of a file's content; empty: not taken
  bool text = false;           // its content is kept and is text
};

/// What is to happen to one path.
enum class Verdict {
  take,      // the user has not touched it: the task's version
  merge,     // both sides changed a text whose base is known
  conflict,  // both sides changed it, and nothing can be merged
};
struct Judgement {
  Verdict verdict = Verdict::take;
  std::string why;  // of merge and conflict, for the user
};

/// `same_content`: the entry is not the recorded one, but holds the same and has the same mode (an
/// apply that was undone leaves that).
Judgement judge(const Delta& d, const Recorded* recorded, const TaskTimes& times,
                bool same_content);

/// Which mode bits result when the base had `base`, the user has `now`, the task left `after`.
/// Nothing: both changed it, and differently.
std::optional<uint32_t> merge_modes(uint32_t base, uint32_t now, uint32_t after);

/// Why an entry of this kind is never written to a user's folder; empty: it may be.
std::string why_refused(const Facts& after);

/// Why a symlink at `path` below the real folder `root` needs consent: it leads out of the
/// workspace, and not to a program or library of the system. Empty: it does not.
std::string why_leaves(const std::string& root, const std::string& path, const std::string& target);

// --- operations ---------------------------------------------------------------------------------

enum class EntryKind : int { absent, file, folder, link };
constexpr auto enum_names(EntryKind) {
  return std::array{EnumName{EntryKind::absent, "absent"}, EnumName{EntryKind::file, "file"},
                    EnumName{EntryKind::folder, "folder"}, EnumName{EntryKind::link, "link"}};
}

/// One side of an operation. `dev` to `ctime_ns` name the very entry on disk, where there is one.
struct Side {
  EntryKind kind = EntryKind::absent;
  uint32_t mode = 0;  // permission bits
  uint64_t size = 0;
  int64_t mtime_ns = 0;
  std::string digest;  // of a file's content
  std::string target;  // of a link
  std::map<std::string, std::string> xattrs;
  uint32_t uid = 0, gid = 0;
  uint64_t dev = 0, ino = 0, nlink = 0;
  int64_t ctime_ns = 0;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("kind", s.kind);
    v("mode", s.mode);
    v("size", s.size);
    v("mtime_ns", s.mtime_ns);
    v("digest", s.digest);
    v("target", s.target);
    v("xattrs", s.xattrs);
    v("uid", s.uid);
    v("gid", s.gid);
    v("dev", s.dev);
    v("ino", s.ino);
    v("nlink", s.nlink);
    v("ctime_ns", s.ctime_ns);
  }
  bool is_content() const { return kind == EntryKind::file || kind == EntryKind::link; }
};
Side side_of(const std::optional<Facts>& f);

struct Op {
  uint32_t root = 0;  // index into the task's roots
  std::string path;   // raw bytes, relative to the root
  Side pre, post;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("root", s.root);
    v("path", s.path);
    v("pre", s.pre);
    v("post", s.post);
  }
};

/// The path lies in a git directory: git reads it while it works.
bool in_git_dir(MountRole role, const std::string& path);

/// One change of a directory entry, in the order in which they are made.
enum class Act : int {
  take_out,       // move a file or link out of the folder
  remove_folder,  // it is empty by now
  make_folder,
  put,       // place a file or link: instead of another, or where there was nothing
  set_mode,  // of a folder
};
struct Step {
  Act act = Act::put;
  size_t op = 0;
};

/// Room first, then folders from the top, then content, then what only goes away. Of git: objects
/// before refs, refs before anything of it is removed, so that a git that runs meanwhile finds a
/// whole repository.
std::vector<Step> order_steps(const std::vector<Op>& ops, const std::vector<MountRole>& roles);

/// Folders that become a file or link, by root and path.
std::set<std::pair<uint32_t, std::string>> replaced_folders(const std::vector<Op>& ops);
/// Whether one of them lies above the operation's path.
bool is_below(const std::set<std::pair<uint32_t, std::string>>& folders, const Op& op);

/// pre and post changed over.
std::vector<Op> inverse(const std::vector<Op>& ops);

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/apply_plan.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "core/base/path.h"

namespace codexos::daemon {
namespace {

constexpr int64_t kNsPerUs = 1000;

/// The very entry, not touched since: no program can set a ctime. A folder's times also change with
/// what is in it, which is judged by itself.
bool same_entry(const Facts& a, const Facts& b) {
  if (a.is_dir() && b.is_dir()) return (a.mode & 07777) == (b.mode & 07777);
  return a.dev == b.dev && a.ino == b.ino && a.size == b.size && a.mtime_ns == b.mtime_ns &&
         a.ctime_ns == b.ctime_ns && a.mode == b.mode;
}

bool is_text_change(const Delta& d) {
  return d.before && d.after && d.before->is_file() && d.after->is_file();
}

Judgement conflict(std::string why) { return {Verdict::conflict, std::move(why)}; }

/// What both sides did, for the conflict's sentence.
std::string both(const Delta& d, const char* when) {
  const std::string they = std::string(when);
  if (!d.after) return "the task removed it, " + they;
  if (!d.before) return "the task wrote it, " + they;
  return "the task changed it, " + they;
}

Judgement judge_without_record(const Delta& d, const TaskTimes& t) {
  if (!d.before) return {};  // nothing is there that could be lost
  if (d.before->is_dir() || is_older(*d.before, t)) return {};
  if (!t.step_us)
    return conflict("the clock was set while the task ran, so whether you edited it is not known");
  return conflict(both(d, "and it was written here since the task began"));
}

Judgement judge_unchanged(const Delta& d, const Recorded& r, const TaskTimes& t) {
  if (!r.facts || r.facts->is_dir() || is_older(*r.facts, t)) return {};
  if (!t.step_us)
    return conflict("the clock was set while the task ran, so whether you edited it is not known");
  return conflict(both(d, "and it was written here while the task ran"));
}

}  // namespace

bool is_older(const Facts& f, const TaskTimes& t) {
  if (!t.step_us) return false;
  const int64_t step = *t.step_us < 0 ? -*t.step_us : *t.step_us;
  return f.ctime_ns < (t.started_us - t.tick_us - step) * kNsPerUs;
}

Judgement judge(const Delta& d, const Recorded* r, const TaskTimes& t, bool same_content) {
  if (r == nullptr) return judge_without_record(d, t);
  if (!d.before && !r->facts) return {};
  if (!d.before) {
    if (r->facts->is_dir()) return {};
    return conflict("the task changed it, and it was removed here since the task ended");
  }
  if (!r->facts) {
    if (d.before->is_dir()) return {};
    return conflict(both(d, "and it was made here since the task ended"));
  }
  if (same_content || same_entry(*d.before, *r->facts)) return judge_unchanged(d, *r, t);
  if (d.before->is_dir() && r->facts->is_dir())
    return d.mode && d.after && (d.before->mode & kPermissions) != (d.after->mode & kPermissions)
               ? conflict("the folder's mode was changed on both sides")
               : Judgement{};
  if (r->text && r->facts->is_file() && is_text_change(d) && is_older(*r->facts, t))
    return {Verdict::merge, "edited here since the task ended"};
  return conflict(both(d, "and it was written here since the task ended"));
}

std::optional<uint32_t> merge_modes(uint32_t base, uint32_t now, uint32_t after) {
  base &= kPermissions;
  now &= kPermissions;
  after &= kPermissions;
  if (now == base || now == after) return after;
  if (after == base) return now;
  return std::nullopt;
}

std::string why_refused(const Facts& after) {
  if (S_ISFIFO(after.mode)) return "a named pipe";
  if (S_ISSOCK(after.mode)) return "a socket";
  if (S_ISCHR(after.mode) || S_ISBLK(after.mode)) return "a device";
  return {};
}

namespace {

/// Counted, not resolved: what a ".." passes may be a link itself on the host.
bool climbs(std::string_view target) {
  return target.find("/../") != std::string_view::npos || target.ends_with("/..");
}

/// Programs and libraries that every task sees, read-only and at the same place as outside: a link
/// to them (the python3 of a virtual environment) says the same on both sides.
bool is_system_program(std::string_view target) {
  static constexpr std::string_view kFolders[] = {"/usr/",   "/bin/", "/sbin/",     "/lib/",
                                                  "/lib64/", "/opt/", "/nix/store/"};
  return std::any_of(std::begin(kFolders), std::end(kFolders),
                     [&](std::string_view f) { return target.starts_with(f); });
}

}  // namespace

std::string why_leaves(const std::string& root, const std::string& path,
                       const std::string& target) {
  const std::string why = "a link that leaves the workspace: " + path_text(target);
  if (target.starts_with("/")) {
    if (climbs(target)) return why;
    const bool stays = path_within(normal_path(target), root) || is_system_program(target);
    return stays ? std::string() : why;
  }
  int depth = static_cast<int>(std::count(path.begin(), path.end(), '/'));
  for (size_t at = 0; at <= target.size();) {
    const size_t slash = std::min(target.find('/', at), target.size());
    const std::string_view part = std::string_view(target).substr(at, slash - at);
    at = slash + 1;
    if (part.empty() || part == ".") continue;
    depth += part == ".." ? -1 : 1;
    if (depth < 0) return why;
  }
  return {};
}

Side side_of(const std::optional<Facts>& f) {
  Side s;
  if (!f) return s;
  s.kind = f->is_dir() ? EntryKind::folder : f->is_link() ? EntryKind::link : EntryKind::file;
  s.mode = f->mode & 07777;
  s.size = f->size;
  s.mtime_ns = f->mtime_ns;
  s.ctime_ns = f->ctime_ns;
  s.uid = f->uid;
  s.gid = f->gid;
  s.dev = f->dev;
  s.ino = f->ino;
  s.nlink = f->nlink;
  return s;
}

bool in_git_dir(MountRole role, const std::string& path) {
  if (role != MountRole::workspace) return true;
  return path.starts_with(".git/") || path.find("/.git/") != std::string::npos;
}

namespace {

/// Within git's directory: what names objects comes after the objects.
bool is_ref(const std::string& path) {
  const size_t at = path.rfind(".git/");
  const std::string inner = at == std::string::npos ? path : path.substr(at + 5);
  return inner.starts_with("refs/") || inner.find("/refs/") != std::string::npos ||
         inner == "packed-refs" || inner.ends_with("HEAD");
}
/// Among refs: packed ones before loose ones, what names a branch last.
int ref_rank(const std::string& path) {
  if (path.ends_with("packed-refs")) return 0;
  return path.ends_with("HEAD") ? 2 : 1;
}

enum Phase : int {
  kMakeRoom,
  kRoomFolders,
  kFolders,
  kContent,
  kRefs,
  kRefsGo,
  kGo,
  kFoldersGo,
  kModes
};

int depth_of(const std::string& path) {
  return static_cast<int>(std::count(path.begin(), path.end(), '/'));
}

struct Placed {
  int phase;
  int rank;
  size_t op;
  Act act;
};

}  // namespace

std::set<std::pair<uint32_t, std::string>> replaced_folders(const std::vector<Op>& ops) {
  std::set<std::pair<uint32_t, std::string>> out;
  for (const Op& op : ops)
    if (op.pre.kind == EntryKind::folder && op.post.is_content()) out.emplace(op.root, op.path);
  return out;
}

bool is_below(const std::set<std::pair<uint32_t, std::string>>& folders, const Op& op) {
  if (folders.empty()) return false;
  for (size_t slash = op.path.rfind('/'); slash != std::string::npos && slash > 0;
       slash = op.path.rfind('/', slash - 1))
    if (folders.count({op.root, op.path.substr(0, slash)}) != 0) return true;
  return false;
}

/// What is in a folder that becomes something else has to go first.
std::vector<Step> order_steps(const std::vector<Op>& ops, const std::vector<MountRole>& roles) {
  const auto room = replaced_folders(ops);
  std::vector<Placed> placed;
  for (size_t i = 0; i < ops.size(); ++i) {
    const Op& op = ops[i];
    const auto role = op.root < roles.size() ? roles[op.root] : MountRole::workspace;
    const bool ref = in_git_dir(role, op.path) && is_ref(op.path);
    const bool first = is_below(room, op);
    const int depth = depth_of(op.path);
    const auto add = [&](int phase, int rank, Act act) { placed.push_back({phase, rank, i, act}); };
    const bool was_folder = op.pre.kind == EntryKind::folder;
    const bool is_folder = op.post.kind == EntryKind::folder;
    if (op.pre.is_content() && is_folder) add(kMakeRoom, 0, Act::take_out);
    if (op.pre.is_content() && op.post.kind == EntryKind::absent)
      add(first ? kMakeRoom : ref ? kRefsGo : kGo, 0, Act::take_out);
    if (was_folder && !is_folder)
      add(first || op.post.is_content() ? kRoomFolders : kFoldersGo, -depth, Act::remove_folder);
    if (!was_folder && is_folder) add(kFolders, depth, Act::make_folder);
    if (op.post.is_content()) add(ref ? kRefs : kContent, ref ? ref_rank(op.path) : 0, Act::put);
    if (is_folder) add(kModes, -depth, Act::set_mode);
  }
  std::stable_sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) {
    return std::tie(a.phase, a.rank) < std::tie(b.phase, b.rank);
  });
  std::vector<Step> out;
  out.reserve(placed.size());
  for (const Placed& p : placed) out.push_back({p.act, p.op});
  return out;
}

std::vector<Op> inverse(const std::vector<Op>& ops) {
  std::vector<Op> out = ops;
  for (Op& op : out) std::swap(op.pre, op.post);
  return out;
}

}  // namespace codexos::daemon

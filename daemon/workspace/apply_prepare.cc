// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/apply_prepare.h"

#include <fnmatch.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "core/base/clock.h"
#include "core/os/file.h"
#include "daemon/workspace/commit.h"
#include "daemon/workspace/gate.h"
#include "daemon/workspace/git_base.h"
#include "daemon/workspace/merge.h"

namespace codexos::daemon {
namespace {

using wire::ApplyOutcome;
using wire::OnConflict;

Result<std::string> read_all(const Fd& fd, size_t limit) {
  std::string out;
  char piece[65536];
  for (off_t at = 0;;) {
    const ssize_t n = pread(fd.get(), piece, sizeof piece, at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("read", errno);
    if (n == 0) return out;
    out.append(piece, static_cast<size_t>(n));
    at += n;
    if (out.size() > limit) return Error{Code::exhausted, "too large", {}};
  }
}

/// A memory file with the text, to be copied from.
Result<Fd> fd_of_text(const std::string& text) {
  Fd fd(memfd_create("merged", MFD_CLOEXEC));
  if (!fd) return errno_error("memfd_create", errno);
  CODEXOS_TRY(write_all(fd.get(), text));
  return fd;
}

bool is_git_path(const Root& root, const std::string& path) { return in_git_dir(root.role, path); }

/// One root's part of an apply.
class RootPlan {
 public:
  RootPlan(const ApplyRequest& request, uint32_t index, const LayerStack& layers, Images& images,
           wire::ApplyResult& result)
      : request_(request),
        root_(request.roots[index]),
        index_(index),
        layers_(layers),
        images_(images),
        result_(result) {}

  Status make(Prepared& out) {
    WalkOptions o;
    o.all_folders = true;
    o.expand_deleted_folders = true;
    bool more = false;
    CODEXOS_ASSIGN(auto deltas, layers_.walk(o, more));
    if (more && request_.body.paths.empty())
      return Error{Code::denied,
                   "a folder that the task left in " + root_.path +
                       " cannot be read, so its changes cannot be applied as a whole",
                   "name what is to be applied: codexos apply " + request_.task + " -- PATH..."};
    const size_t all = deltas.size();
    for (auto& d : deltas)
      if (is_selected(request_.body.paths, root_.path, d.path)) add(std::move(d));
    add_units(deltas);
    add_folders_above(deltas);
    if (deltas_of_all(all)) out.whole = false;
    refuse();
    gate();
    for (Choice& c : choices_)
      if (c.taken) CODEXOS_TRY(decide(c));
    keep_units_together();
    fit_together();
    for (Choice& c : choices_) {
      if (c.taken) {
        emit(c, out);
      } else if (!c.by_choice) {
        out.whole = false;
      }
    }
    return {};
  }

 private:
  struct Choice {
    Delta delta;
    bool taken = true;
    bool by_choice = false;  // left as it is here, because that was asked for
    Content content;
    std::optional<uint32_t> mode;  // merged
    std::string expected;  // digest of the content here that this was decided upon; empty: by facts
  };

  void add(Delta d) {
    at_[d.path] = choices_.size();
    Choice c;
    c.delta = std::move(d);
    choices_.push_back(std::move(c));
  }
  Choice* find(const std::string& path) {
    const auto it = at_.find(path);
    return it == at_.end() ? nullptr : &choices_[it->second];
  }
  bool deltas_of_all(size_t all) const { return choices_.size() < all; }

  // --- which ------------------------------------------------------------------------------------

  /// A database of SQLite and the files beside it are one thing.
  static constexpr std::string_view kBeside[] = {"-wal", "-shm", "-journal"};
  static std::string unit_of(const std::string& path) {
    for (const auto& suffix : kBeside)
      if (path.size() > suffix.size() && path.ends_with(suffix))
        return path.substr(0, path.size() - suffix.size());
    return path;
  }
  void add_units(std::vector<Delta>& rest) {
    if (request_.body.paths.empty()) return;
    std::set<std::string> units;
    for (const Choice& c : choices_) units.insert(unit_of(c.delta.path));
    for (Delta& d : rest)
      if (!d.path.empty() && at_.count(d.path) == 0 && units.count(unit_of(d.path)) != 0)
        add(std::move(d));
  }
  /// A path in a new folder needs the folder.
  void add_folders_above(std::vector<Delta>& rest) {
    if (request_.body.paths.empty()) return;
    std::set<std::string> needed;
    for (const Choice& c : choices_) {
      if (!c.delta.after) continue;
      const std::string& path = c.delta.path;
      for (size_t slash = path.find('/'); slash != std::string::npos;
           slash = path.find('/', slash + 1))
        needed.insert(path.substr(0, slash));
    }
    for (Delta& d : rest)
      if (!d.path.empty() && at_.count(d.path) == 0 && needed.count(d.path) != 0 && d.after &&
          d.after->is_dir())
        add(std::move(d));
    std::sort(choices_.begin(), choices_.end(),
              [](const Choice& a, const Choice& b) { return a.delta.path < b.delta.path; });
    for (size_t i = 0; i < choices_.size(); ++i) at_[choices_[i].delta.path] = i;
  }

  // --- what must not -----------------------------------------------------------------------------

  wire::PathNote note(const std::string& path, std::string why, std::string what = {}) const {
    return {path_text(path), root_.path, path_text(what), std::move(why)};
  }

  std::string why_not(const Delta& d) const {
    // A pipe or socket of the user's that the task removed could not be brought back.
    if (d.before && !d.before->is_dir() && !d.before->is_file() && !d.before->is_link())
      return why_refused(*d.before) + " here, which undo could not restore";
    return d.after ? why_refused(*d.after) : std::string();
  }

  void refuse() {
    for (Choice& c : choices_) {
      const std::string why = why_not(c.delta);
      if (why.empty()) continue;
      result_.refused.push_back(note(c.delta.path, why));
      if (request_.body.skip_protected) leave_out(c);
    }
  }

  /// With it what was in a folder that it replaces.
  void leave_out(Choice& c) {
    c.taken = false;
    const auto is_folder = [](const std::optional<Facts>& f) { return f && S_ISDIR(f->mode); };
    if (!is_folder(c.delta.before) || is_folder(c.delta.after)) return;
    const std::string below = c.delta.path + "/";
    for (Choice& x : choices_)
      if (x.delta.path.starts_with(below)) x.taken = false;
  }

  void gate() {
    std::vector<Delta> deltas;
    for (const Choice& c : choices_)
      if (c.taken) deltas.push_back(c.delta);
    GateOptions o;
    o.git_dir = root_.role != MountRole::workspace;
    o.names = request_.protect;
    for (const Protected& p : find_protected(deltas, layers_, o)) {
      result_.protected_.push_back(note(p.path, p.why, p.what));
      if (Choice* c = find(p.path); c != nullptr && request_.body.skip_protected) leave_out(*c);
    }
    for (Choice& c : choices_) {
      if (!c.taken || !c.delta.after || !c.delta.after->is_link()) continue;
      const auto target = layers_.link_after(c.delta);
      const std::string why = target.ok() ? why_leaves(root_.path, c.delta.path, *target)
                                          : "a link that cannot be read";
      if (why.empty()) continue;
      result_.protected_.push_back(note(c.delta.path, why));
      if (request_.body.skip_protected) leave_out(c);
    }
  }

  // --- judging ----------------------------------------------------------------------------------

  /// Whether the layer says something about this very path, so that what lies below is hidden.
  bool hides(int layer, const std::string& path, bool last) const {
    Delta probe;
    probe.path = path;
    probe.layer = layer;
    probe.after.emplace();
    const Fd fd = layers_.open_after(probe, O_PATH);
    struct stat st {};
    if (!fd || fstat(fd.get(), &st) != 0) return false;
    if (!S_ISDIR(st.st_mode) || last) return true;
    const Fd dir = layers_.open_after(probe, O_RDONLY | O_DIRECTORY);
    char value = 0;
    return dir && get_opaque(dir.get(), value) && value == 'y';
  }
  static bool get_opaque(int fd, char& value);

  /// The oldest layer of the stack that hides the real entry: from when it was made on, the task
  /// did not see what the user did there.
  int hiding_layer(const Delta& d) {
    const int last = static_cast<int>(layers_.layers()) - 1;
    for (int layer = last; layer > d.layer; --layer) {
      const std::string& path = d.path;
      for (size_t slash = path.find('/'); slash != std::string::npos;
           slash = path.find('/', slash + 1)) {
        const auto key = std::make_pair(layer, path.substr(0, slash));
        auto known = hidden_.find(key);
        if (known == hidden_.end())
          known = hidden_.emplace(key, hides(layer, key.second, false)).first;
        if (known->second) return layer;
      }
      if (hides(layer, path, true)) return layer;
    }
    return d.layer;
  }

  const TaskKnowledge* knowledge(const Delta& d) {
    const auto it = request_.tasks.find(layers_.layer_task(hiding_layer(d)));
    return it == request_.tasks.end() ? nullptr : &it->second;
  }

  /// The present file holds what was recorded.
  bool same_content(const Delta& d, const Recorded* r) {
    if (r == nullptr || !r->facts || !d.before || r->digest.empty()) return false;
    const Facts &was = *r->facts, &now = *d.before;
    if (was.mode != now.mode || was.size != now.size) return false;
    if (was.is_link()) {
      const auto target = layers_.link_before(d);
      return target.ok() && images_.digest_of(*target) == r->digest;
    }
    if (!was.is_file()) return false;
    if (was.ino == now.ino && was.ctime_ns == now.ctime_ns) return true;
    const Fd fd = layers_.open_before(d);
    if (!fd) return false;
    const auto digest = images_.digest(fd.get());
    return digest.ok() && *digest == r->digest;
  }

  std::optional<Recorded> recorded_of(const TaskKnowledge& k, const std::string& path) const {
    const auto root = std::find(k.roots.begin(), k.roots.end(), root_.path);
    if (!k.base || root == k.roots.end()) return std::nullopt;
    const auto entry = k.base->find(static_cast<size_t>(root - k.roots.begin()), path);
    if (!entry) return std::nullopt;
    return Recorded{entry->facts(), entry->digest, entry->kept};
  }

  /// The entry as the task found it, where an apply is what changed it first since.
  const Side* replaced_since(const TaskKnowledge& k, const Delta& d) const {
    const auto found = request_.replaced.find({root_.path, d.path});
    if (found == request_.replaced.end()) return nullptr;
    for (const Replaced& r : found->second) {
      if (r.at_us < k.times.started_us) continue;
      Facts was;
      was.ctime_ns = r.before.ctime_ns;
      const bool known = r.before.is_content() && is_older(was, k.times);
      return known ? &r.before : nullptr;
    }
    return nullptr;
  }
  /// It was undone: the entry is again what the task found.
  bool is_again(const Delta& d, const Side& was) const {
    const Side now = side_of(d.before);
    if (now.kind != was.kind) return false;
    if (now.kind == EntryKind::link) {
      const auto target = layers_.link_before(d);
      return target.ok() && *target == was.target;
    }
    if (now.mode != was.mode || now.size != was.size) return false;
    const Fd fd = layers_.open_before(d);
    const auto digest = fd ? images_.digest(fd.get()) : Result<std::string>(std::string());
    return digest.ok() && *digest == was.digest;
  }
  bool can_merge(const Delta& d) const {
    return !is_git_path(root_, d.path) && d.before && d.after && d.before->is_file() &&
           d.after->is_file();
  }

  /// What both sides started from, for a merge of three.
  struct MergeBase {
    std::string text;
    uint32_t mode = 0;
  };

  /// What was recorded at the task's end is what the task started from only if it is older than the
  /// task: with what the user wrote meanwhile as base, a merge would throw just that away.
  std::optional<MergeBase> recorded_base(const Recorded* r, const TaskTimes& times) const {
    if (r == nullptr || !r->facts || !r->text || !is_older(*r->facts, times)) return std::nullopt;
    return kept_base(r->digest, r->facts->mode);
  }
  std::optional<MergeBase> kept_base(const std::string& digest, uint32_t mode) const {
    auto fd = images_.open(digest);
    if (!fd.ok()) return std::nullopt;
    auto text = text_of(*fd);
    if (!text.ok()) return std::nullopt;
    return MergeBase{*std::move(text), mode};
  }
  /// git knows only whether a file can be executed: who changed that, changed the mode.
  std::optional<MergeBase> git_base(const Delta& d, const TaskTimes& times) {
    if (root_.role != MountRole::workspace) return std::nullopt;
    if (!git_) git_.emplace(root_);
    auto found = git_->find(d.path, times);
    if (!found) return std::nullopt;
    const bool task_changed = ((d.after->mode & S_IXUSR) != 0) != found->executable;
    return MergeBase{std::move(found->text), task_changed ? d.before->mode : d.after->mode};
  }

  /// A `git status` outside writes the index, and says nothing by it.
  bool is_only_refreshed(const Choice& c, const Recorded* recorded, const TaskTimes& times) const {
    if (!c.delta.after || !c.delta.before || !c.delta.before->is_file()) return false;
    if (is_clean_index(request_.roots[0], root_.path + "/" + c.delta.path)) return true;
    if (recorded == nullptr || !recorded->facts || !is_older(*recorded->facts, times) ||
        !is_git_path(root_, c.delta.path))
      return false;
    const auto was = images_.open(recorded->digest);
    return was.ok() && same_index(was->get(), layers_.open_before(c.delta).get());
  }

  Status decide(Choice& c) {
    const TaskKnowledge* k = knowledge(c.delta);
    const std::optional<Recorded> known =
        k != nullptr ? recorded_of(*k, c.delta.path) : std::nullopt;
    const Recorded* recorded = known ? &*known : nullptr;
    TaskTimes times;
    times.step_us.reset();
    if (k != nullptr) times = k->times;
    const bool same = same_content(c.delta, recorded);
    if (same && c.delta.before->is_file()) c.expected = recorded->digest;
    Judgement j = judge(c.delta, recorded, times, same);
    // What git keeps for itself is no prose.
    if (j.verdict == Verdict::merge && is_git_path(root_, c.delta.path)) {
      j.verdict = Verdict::conflict;
      j.why = "the task changed it, and it was written here since the task ended";
    }
    if (j.verdict == Verdict::conflict && is_only_refreshed(c, recorded, times))
      j.verdict = Verdict::take;
    if (j.verdict == Verdict::take) return {};
    std::optional<MergeBase> base = recorded_base(recorded, times);
    if (j.verdict == Verdict::conflict && k != nullptr) {
      // What an apply of ours wrote since the task began has a base: what that one replaced.
      if (const Side* found = replaced_since(*k, c.delta)) {
        if (is_again(c.delta, *found)) {
          if (found->kind == EntryKind::file) c.expected = found->digest;
          return {};
        }
        if (can_merge(c.delta) && found->kind == EntryKind::file) {
          j.verdict = Verdict::merge;
          base = kept_base(found->digest, found->mode);
        }
      } else if (!base && can_merge(c.delta)) {
        base = git_base(c.delta, times);
        if (base) j.verdict = Verdict::merge;
      }
    }
    if (j.verdict == Verdict::merge) return merge(c, base, std::move(j.why));
    return conflict(c, base, std::move(j.why));
  }

  Status conflict(Choice& c, const std::optional<MergeBase>& base, std::string why) {
    const auto how = request_.body.on_conflict;
    if (how == OnConflict::theirs) return {};
    if (how == OnConflict::ours) {
      c.taken = false;
      c.by_choice = true;
      result_.kept.push_back(note(c.delta.path, std::move(why)));
      return {};
    }
    if (how == OnConflict::merge && can_merge(c.delta)) return merge(c, base, std::move(why));
    c.taken = false;
    result_.conflicts.push_back(note(c.delta.path, std::move(why)));
    return {};
  }

  Result<std::string> text_of(const Fd& fd) const {
    if (!fd) return errno_error("open", errno);
    CODEXOS_ASSIGN(std::string text, read_all(fd, kMergeLimit));
    if (!is_mergeable_text(text)) return Error{Code::invalid, "it is no text", {}};
    return text;
  }

  /// Both sides changed a text. Without a base only markers are possible.
  Status merge(Choice& c, const std::optional<MergeBase>& base, std::string why) {
    const bool markers = request_.body.on_conflict == OnConflict::merge;
    const auto now = text_of(layers_.open_before(c.delta));
    const auto after = text_of(layers_.open_after(c.delta));
    if (!now.ok() || !after.ok() || (!base && !markers))
      return no_merge(c, std::move(why), base ? "it is no text" : "");
    CODEXOS_ASSIGN(const MergedText merged,
                   merge_texts(base ? base->text : std::string(), *now, *after,
                               path_text(c.delta.path), request_.task));
    if (!merged.clean && !markers)
      return no_merge(c, std::move(why), "the same lines were changed");
    const auto mode = merge_modes(base ? base->mode : c.delta.before->mode, c.delta.before->mode,
                                  c.delta.after->mode);
    if (!mode && !markers) return no_merge(c, std::move(why), "its mode was changed on both sides");
    c.expected = images_.digest_of(*now);
    c.mode = mode ? *mode : c.delta.after->mode & 0777;
    c.content.text = merged.text;
    c.content.has_text = true;
    result_.merged.push_back(
        note(c.delta.path, merged.clean ? why : why + "; conflict markers are in it"));
    if (merged.text == *now && *c.mode == (c.delta.before->mode & 0777)) {
      c.taken = false;  // what the task did is there already
      c.by_choice = true;
    }
    return {};
  }
  Status no_merge(Choice& c, std::string why, const std::string& more) {
    if (request_.body.on_conflict == OnConflict::theirs) return {};
    if (!more.empty()) why += ": " + more;
    c.taken = false;
    if (request_.body.on_conflict == OnConflict::ours) {
      c.by_choice = true;
      result_.kept.push_back(note(c.delta.path, std::move(why)));
    } else {
      result_.conflicts.push_back(note(c.delta.path, std::move(why)));
    }
    return {};
  }

  // --- what hangs together
  // ------------------------------------------------------------------------

  void leave_out(Choice& c, std::string why, bool by_choice) {
    c.taken = false;
    c.by_choice = by_choice;
    auto& list = request_.body.on_conflict == OnConflict::ours || request_.body.skip_protected ||
                         !request_.body.paths.empty()
                     ? result_.kept
                     : result_.conflicts;
    list.push_back(note(c.delta.path, std::move(why)));
  }

  void keep_units_together() {
    std::map<std::string, std::vector<Choice*>> units;
    for (Choice& c : choices_)
      if (unit_of(c.delta.path) != c.delta.path) units[unit_of(c.delta.path)].push_back(&c);
    for (auto& [name, parts] : units) {
      if (Choice* main = find(name)) parts.push_back(main);
      const auto out =
          std::find_if(parts.begin(), parts.end(), [](const Choice* c) { return !c->taken; });
      if (out == parts.end()) continue;
      for (Choice* c : parts)
        if (c->taken)
          leave_out(*c, "it belongs to " + path_text((*out)->delta.path), (*out)->by_choice);
    }
  }

  /// A folder stays while something in it stays; what is in a folder needs the folder.
  void fit_together() {
    for (Choice& c : choices_) {
      if (c.taken || !c.delta.before) continue;
      for_above(c.delta.path, [&](Choice& above) {
        if (above.taken && !(above.delta.after && above.delta.after->is_dir()))
          leave_out(above, "it holds " + path_text(c.delta.path), c.by_choice);
      });
    }
    // What was never asked for stays as well.
    for (Choice& c : choices_) {
      if (!c.taken || !c.delta.after) continue;
      bool missing = false, by_choice = false;
      for_above(c.delta.path, [&](Choice& above) {
        if (above.taken || !above.delta.after || !above.delta.after->is_dir()) return;
        if (above.delta.before && above.delta.before->is_dir()) return;  // only its mode
        missing = true;
        by_choice = above.by_choice;
      });
      if (missing) leave_out(c, "the folder that holds it is not applied", by_choice);
    }
  }
  template <class Fn>
  void for_above(const std::string& path, const Fn& fn) {
    for (size_t slash = path.rfind('/'); slash != std::string::npos && slash > 0;
         slash = path.rfind('/', slash - 1))
      if (Choice* above = find(path.substr(0, slash))) fn(*above);
  }

  // --- operations
  // ---------------------------------------------------------------------------------

  void emit(Choice& c, Prepared& out) {
    Op op;
    op.root = index_;
    op.path = c.delta.path;
    op.pre = side_of(c.delta.before);
    op.pre.digest = c.expected;
    op.post = side_of(c.delta.after);
    op.post.mode &= 0777;  // set-id and sticky bits never come from a task
    if (op.post.kind == EntryKind::folder) {
      const Fd fd = layers_.open_after(c.delta, O_RDONLY | O_DIRECTORY);
      op.post.xattrs = user_xattrs(fd.get());
    }
    if (op.post.kind == EntryKind::link) {
      auto target = layers_.link_after(c.delta);
      if (target.ok()) op.post.target = *target;
    }
    if (c.content.has_text) {
      op.post.mode = *c.mode;
      op.post.mtime_ns = now_us() * 1000;
      op.post.nlink = 1;
    }
    wire::Change change;
    change.status = std::string(1, c.delta.status);
    change.path = path_text(c.delta.path);
    change.root = root_.path;
    result_.applied.push_back(std::move(change));
    c.content.layers = &layers_;
    c.content.delta = std::move(c.delta);
    out.ops.push_back(std::move(op));
    out.contents.push_back(std::move(c.content));
  }

  const ApplyRequest& request_;
  const Root& root_;
  uint32_t index_;
  const LayerStack& layers_;
  Images& images_;
  wire::ApplyResult& result_;
  std::vector<Choice> choices_;
  std::map<std::string, size_t> at_;
  std::map<std::pair<int, std::string>, bool> hidden_;
  std::optional<GitBase> git_;  // opened for the first conflict
};

bool RootPlan::get_opaque(int fd, char& value) {
  return fgetxattr(fd, "user.overlay.opaque", &value, 1) == 1;
}

ApplyOutcome outcome_of(const wire::ApplyResult& r, const wire::ApplyBody& body, bool any) {
  if (!body.skip_protected && !r.refused.empty()) return ApplyOutcome::refused;
  if (!body.skip_protected && !body.allow_protected && !r.protected_.empty())
    return ApplyOutcome::protected_;
  if (!r.conflicts.empty()) return ApplyOutcome::conflict;
  return any ? ApplyOutcome::done : ApplyOutcome::nothing;
}

}  // namespace

bool is_selected(const std::vector<std::string>& patterns, const std::string& root,
                 const std::string& path) {
  if (patterns.empty()) return true;
  for (const std::string& given : patterns) {
    std::string p = given;
    if (p.starts_with(root + "/")) p = p.substr(root.size() + 1);
    if (p == root || p == "." || p.empty()) return true;
    while (p.ends_with("/")) p.pop_back();
    if (p.starts_with("./")) p = p.substr(2);
    if (path == p || path.starts_with(p + "/")) return true;
    if (fnmatch(p.c_str(), path.c_str(), FNM_PERIOD) == 0) return true;
  }
  return false;
}

Result<Prepared> prepare_apply(const ApplyRequest& request, Images& images) {
  Prepared out;
  out.result.task = request.task;
  out.result.dry_run = request.body.dry_run;
  for (size_t i = 0; i < request.roots.size(); ++i) {
    out.stacks.emplace_back();
    if (request.roots[i].layer.empty()) continue;
    CODEXOS_ASSIGN(auto stack, LayerStack::open(request.roots[i]));
    out.stacks.back() = std::make_unique<LayerStack>(std::move(stack));
    RootPlan plan(request, static_cast<uint32_t>(i), *out.stacks.back(), images, out.result);
    CODEXOS_TRY(plan.make(out));
  }
  out.result.outcome = outcome_of(out.result, request.body, !out.ops.empty());
  if (!request.body.commit.empty() && out.result.outcome == ApplyOutcome::done)
    CODEXOS_TRY(can_commit(request.roots.front(), 0, out.ops));
  return out;
}

ApplyRun::OpenContent open_contents(Prepared& p, Images& images) {
  return [&p, &images](size_t i) -> Result<Fd> {
    const Content& c = p.contents.at(i);
    if (c.has_text && c.layers == nullptr) {  // of undo: the attributes stay those of here
      p.ops[i].post.xattrs = p.ops[i].pre.xattrs;
      return fd_of_text(c.text);
    }
    if (!c.digest.empty()) return images.open(c.digest);
    Fd fd = c.layers->open_after(c.delta);
    if (!fd) return errno_error("open what the task left", errno);
    p.ops[i].post.xattrs = user_xattrs(fd.get());
    if (c.has_text) return fd_of_text(c.text);
    return fd;
  };
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/git_note.h"

#include <zlib.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "core/base/path.h"
#include "core/base/quote.h"
#include "core/base/text.h"
#include "daemon/workspace/content.h"

namespace codexos::daemon {
namespace {

constexpr size_t kMaxRefFile = 16 << 20;  // packed-refs
constexpr size_t kMaxObject = 1 << 20;    // a commit, packed and unpacked
constexpr size_t kMaxCommits = 10000;     // counted
constexpr size_t kNamed = 3;              // branches, and other files, by name

bool is_object_id(std::string_view s) {
  return (s.size() == 40 || s.size() == 64) &&
         s.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}
std::string_view line_of(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  while (text.ends_with(' ') || text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

using Refs = std::map<std::string, std::string>;  // refs/heads/main -> id

/// "ID NAME" lines; comments and peeled tags ("^ID") do not count.
Refs parse_packed_refs(std::string_view text) {
  Refs out;
  while (!text.empty()) {
    const size_t newline = std::min(text.find('\n'), text.size());
    const std::string_view line = line_of(text.substr(0, newline));
    text.remove_prefix(std::min(newline + 1, text.size()));
    const size_t blank = line.find(' ');
    if (blank == std::string_view::npos || !is_object_id(line.substr(0, blank))) continue;
    out.emplace(line.substr(blank + 1), line.substr(0, blank));
  }
  return out;
}

std::string inflate_all(const std::string& packed) {
  std::string out(kMaxObject, '\0');
  uLongf size = out.size();
  const auto* in = reinterpret_cast<const Bytef*>(packed.data());
  auto* to = reinterpret_cast<Bytef*>(out.data());
  if (uncompress(to, &size, in, packed.size()) != Z_OK) return {};
  out.resize(size);
  return out;
}

class Note {
 public:
  Note(const LayerStack& stack, std::string git_dir, const std::vector<Delta>& deltas)
      : stack_(stack), prefix_(git_dir.empty() ? "" : git_dir + "/") {
    for (const Delta& d : deltas)
      if (d.path.size() > prefix_.size()) changed_.emplace(d.path.substr(prefix_.size()), &d);
  }

  std::string text() {
    const bool made = !stack_.look_before(prefix_ + "HEAD") && stack_.look_after(prefix_ + "HEAD");
    if (made) say("new repository");
    collect_refs();
    say_branches();
    say_head(made);
    say_count(tags_, "tag");
    if (remotes_) say("remote branches");
    if (stash_) say("stash");
    say_others(made);
    if (parts_.empty() && changed_.count("index") != 0) say("index");
    return join_words(parts_, ", ");
  }

 private:
  struct Moved {
    std::string before, after;  // ids; empty: there was (is) none
  };

  void say(std::string part) { parts_.push_back(std::move(part)); }
  void say_count(size_t n, const std::string& what) {
    if (n > 0) say(std::to_string(n) + " " + what + (n == 1 ? "" : "s"));
  }
  std::string read(const Delta& d, When side) const {
    auto text = load_content(stack_, d, side, kMaxRefFile);
    return text.ok() ? *text : std::string();
  }

  // --- refs -------------------------------------------------------------------------------------

  void collect_refs() {
    Refs packed_before, packed_after;
    const auto packed = changed_.find("packed-refs");
    if (packed != changed_.end()) {
      packed_before = parse_packed_refs(read(*packed->second, When::before));
      packed_after = parse_packed_refs(read(*packed->second, When::after));
    } else if (std::any_of(changed_.begin(), changed_.end(), [](const auto& c) {
                 return c.first.starts_with("refs/") && c.second->status != 'M';
               })) {
      // A loose ref that is new may have been packed before.
      Delta d;
      d.path = prefix_ + "packed-refs";
      d.before = stack_.look_before(d.path);
      packed_before = packed_after = parse_packed_refs(read(d, When::before));
    }
    std::set<std::string> names;
    for (const auto& [path, d] : changed_)
      if (path.starts_with("refs/")) names.insert(path);
    if (packed != changed_.end()) {
      for (const auto& [name, id] : packed_before) names.insert(name);
      for (const auto& [name, id] : packed_after) names.insert(name);
    }
    for (const auto& name : names) {
      const Moved m{value(name, When::before, packed_before),
                    value(name, When::after, packed_after)};
      if (m.before != m.after) take(name, m);
    }
  }
  /// A loose ref goes before a packed one.
  std::string value(const std::string& name, When side, const Refs& packed) const {
    Delta d;
    const auto changed = changed_.find(name);
    if (changed != changed_.end()) {
      d = *changed->second;
    } else {
      d.path = prefix_ + name;
      d.before = stack_.look_before(d.path);
      d.after = stack_.look_after(d.path, &d.layer);
      if (d.layer < 0) side = When::before;  // untouched
    }
    const auto& facts = facts_on(d, side);
    if (facts && facts->is_file()) {
      const std::string text = read(d, side);
      const std::string_view id = line_of(text);
      if (is_object_id(id)) return std::string(id);
    }
    const auto it = packed.find(name);
    return it == packed.end() ? std::string() : it->second;
  }
  void take(const std::string& name, const Moved& m) {
    constexpr std::string_view kHeads = "refs/heads/";
    if (name.starts_with(kHeads))
      branches_.emplace(name.substr(kHeads.size()), m);
    else if (name.starts_with("refs/tags/"))
      ++tags_;
    else if (name.starts_with("refs/remotes/"))
      remotes_ = true;
    else if (name == "refs/stash")
      stash_ = true;
  }

  void say_branches() {
    size_t named = 0;
    for (const auto& [name, m] : branches_) {
      if (named++ < kNamed) say(branch_text(name, m));
    }
    if (branches_.size() > kNamed)
      say(std::to_string(branches_.size() - kNamed) + " more branches");
  }
  std::string branch_text(const std::string& raw, const Moved& m) {
    const std::string name = quote_git(raw);
    if (m.after.empty()) return name + " deleted";
    bool reached = false;
    const size_t n = commits(m, reached);
    const std::string plus =
        n == 0 ? "" : " +" + std::to_string(n) + (n == 1 ? " commit" : " commits");
    if (m.before.empty()) return "new branch " + name + plus;
    if (n > 0) return name + plus + (reached ? "" : " (rewritten)");
    return name + " moved to " + m.after.substr(0, 7);
  }

  void say_head(bool made) {
    const auto head = changed_.find("HEAD");
    if (head == changed_.end() || !head->second->after) return;
    const std::string text = read(*head->second, When::after);
    const std::string_view line = line_of(text);
    constexpr std::string_view kRef = "ref: refs/heads/";
    if (line.starts_with(kRef)) {
      const std::string name(line.substr(kRef.size()));
      if (!made || branches_.count(name) == 0) say((made ? "on " : "now on ") + quote_git(name));
    } else if (is_object_id(line)) {
      say("detached at " + std::string(line.substr(0, 7)));
    }
  }

  // --- commits ----------------------------------------------------------------------------------

  /// New commits that lead to the branch; `reached`: they build on where it was.
  size_t commits(const Moved& m, bool& reached) {
    std::vector<std::string> open{m.after};
    std::set<std::string> seen{m.after};
    size_t n = 0;
    while (!open.empty() && n < kMaxCommits) {
      const std::string id = std::move(open.back());
      open.pop_back();
      if (id == m.before) reached = true;
      std::vector<std::string> parents;
      if (!new_commit(id, parents)) continue;
      ++n;
      for (auto& p : parents)
        if (seen.insert(p).second) open.push_back(std::move(p));
    }
    return n;
  }
  /// False: no commit, or not a loose object of the task's.
  bool new_commit(const std::string& id, std::vector<std::string>& parents) const {
    const auto object = changed_.find("objects/" + id.substr(0, 2) + "/" + id.substr(2));
    if (object == changed_.end() || object->second->status != 'A') return false;
    const auto packed = load_content(stack_, *object->second, When::after, kMaxObject);
    if (!packed.ok()) return false;
    const std::string whole = inflate_all(*packed);
    const size_t end = whole.find('\0');
    if (!whole.starts_with("commit ") || end == std::string::npos) return false;
    std::string_view rest = std::string_view(whole).substr(end + 1);
    while (!rest.empty()) {
      const size_t newline = std::min(rest.find('\n'), rest.size());
      const std::string_view line = rest.substr(0, newline);
      rest.remove_prefix(std::min(newline + 1, rest.size()));
      if (line.empty()) break;  // the message follows
      constexpr std::string_view kParent = "parent ";
      if (line.starts_with(kParent) && is_object_id(line.substr(kParent.size())))
        parents.emplace_back(line.substr(kParent.size()));
    }
    return true;
  }

  // --- the rest ---------------------------------------------------------------------------------

  /// What git itself writes all day.
  static bool is_data(std::string_view path) {
    constexpr std::string_view kFolders[] = {"objects", "refs", "logs", "worktrees"};
    constexpr std::string_view kFiles[] = {
        "HEAD",       "index",     "packed-refs", "ORIG_HEAD",   "FETCH_HEAD", "COMMIT_EDITMSG",
        "MERGE_HEAD", "MERGE_MSG", "MERGE_MODE",  "REBASE_HEAD", "AUTO_MERGE", "gc.log"};
    for (const auto f : kFolders)
      if (path == f || path_within(path, f)) return true;
    return std::find(std::begin(kFiles), std::end(kFiles), path) != std::end(kFiles);
  }
  static bool comes_with_a_new_one(std::string_view path) {
    return path == "config" || path == "description" || path == "branches" || path == "info" ||
           path == "info/exclude" || path == "hooks" ||
           (path.starts_with("hooks/") && path.ends_with(".sample"));
  }
  void say_others(bool made) {
    size_t n = 0;
    for (const auto& [path, d] : changed_) {
      if (is_data(path) || (made && comes_with_a_new_one(path))) continue;
      if (d->status == 'D' && d->before->is_dir()) continue;
      const char* what = d->status == 'A' ? " new" : d->status == 'D' ? " deleted" : " changed";
      if (n++ < kNamed) say(quote_git(path) + what);
    }
    if (n > kNamed) say_count(n - kNamed, "more file");
  }

  const LayerStack& stack_;
  std::string prefix_;
  std::map<std::string, const Delta*> changed_;  // by the path in the git folder
  std::map<std::string, Moved> branches_;
  size_t tags_ = 0;
  bool remotes_ = false, stash_ = false;
  std::vector<std::string> parts_;
};

}  // namespace

std::string git_note(const LayerStack& stack, const std::string& git_dir,
                     const std::vector<Delta>& deltas) {
  return Note(stack, git_dir, deltas).text();
}

}  // namespace codexos::daemon

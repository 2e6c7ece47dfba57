// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/patch.h"

#include <git2.h>

#include <algorithm>

#include "core/base/path.h"
#include "core/base/quote.h"
#include "core/base/text.h"
#include "daemon/workspace/content.h"
#include "daemon/workspace/libgit2.h"

namespace codexos::daemon {
namespace {

constexpr size_t kMaxContent = 32 << 20;  // of one side; larger files are named, not shown
constexpr std::string_view kNoFile = "/dev/null";

// --- names and modes
// ------------------------------------------------------------------------------

/// What git knows of a mode; "" for what it has no form for.
std::string git_mode(const std::optional<Facts>& f) {
  if (!f) return {};
  if (f->is_link()) return "120000";
  if (!f->is_file()) return {};
  return (f->mode & S_IXUSR) != 0 ? "100755" : "100644";
}

/// In "--- " and "+++ " lines a name with a blank ends with a tab, or patch(1) cuts it there.
std::string header_name(std::string_view prefix, const std::string& path) {
  const std::string full = std::string(prefix) + path;
  const std::string quoted = quote_git(full);
  return quoted == full && path.find(' ') != std::string::npos ? full + "\t" : quoted;
}

std::string hash_of(std::string_view content) {
  git_oid oid;
  char text[GIT_OID_HEXSZ + 1];
  if (git_odb_hash(&oid, content.data(), content.size(), GIT_OBJECT_BLOB) != 0) return {};
  return git_oid_tostr(text, sizeof text, &oid);
}

// --- git's binary patches (git's diff.c, emit_binary_diff_body)
// -----------------------------------

constexpr std::string_view kBase85 =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";

void add_base85(std::string_view bytes, std::string& out) {
  for (size_t i = 0; i < bytes.size(); i += 4) {
    uint32_t word = 0;
    for (size_t k = 0; k < 4; ++k)
      word = word << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    char text[5];
    for (size_t k = 5; k-- > 0; word /= 85) text[k] = kBase85[word % 85];
    out.append(text, sizeof text);
  }
}

void add_binary_side(const git_diff_binary_file& f, std::string& out) {
  constexpr size_t kLine = 52;
  if (f.inflatedlen == 0) {
    out += "literal 0\nHcmV?d00001\n\n";  // what zlib makes of nothing
    return;
  }
  out += f.type == GIT_DIFF_BINARY_DELTA ? "delta " : "literal ";
  out += std::to_string(f.inflatedlen) + "\n";
  for (std::string_view rest(f.data, f.datalen); !rest.empty();) {
    const std::string_view line = rest.substr(0, kLine);
    rest.remove_prefix(line.size());
    const auto n = static_cast<char>(line.size());
    out += static_cast<char>(n <= 26 ? 'A' + n - 1 : 'a' + n - 27);
    add_base85(line, out);
    out += '\n';
  }
  out += '\n';
}

// --- the body: hunks, or a binary patch
// -----------------------------------------------------------

struct Body {
  std::string text;
  LineCount lines;
};

int on_binary(const git_diff_delta*, const git_diff_binary* binary, void* payload) {
  auto& text = static_cast<Body*>(payload)->text;
  text += "GIT binary patch\n";
  add_binary_side(binary->new_file, text);
  add_binary_side(binary->old_file, text);
  return 0;
}
int on_hunk(const git_diff_delta*, const git_diff_hunk* hunk, void* payload) {
  static_cast<Body*>(payload)->text.append(hunk->header, hunk->header_len);
  return 0;
}
int on_line(const git_diff_delta*, const git_diff_hunk*, const git_diff_line* line, void* payload) {
  auto& body = *static_cast<Body*>(payload);
  body.lines.added += line->origin == GIT_DIFF_LINE_ADDITION ? 1 : 0;
  body.lines.removed += line->origin == GIT_DIFF_LINE_DELETION ? 1 : 0;
  const bool content = line->origin == GIT_DIFF_LINE_CONTEXT ||
                       line->origin == GIT_DIFF_LINE_ADDITION ||
                       line->origin == GIT_DIFF_LINE_DELETION;
  if (content) body.text += line->origin;
  body.text.append(line->content, line->content_len);
  return 0;
}

Body make_body(std::string_view before, std::string_view after) {
  use_libgit2();
  Body body;
  body.lines.binary = is_binary(before) || is_binary(after);
  git_diff_options o;
  git_diff_options_init(&o, GIT_DIFF_OPTIONS_VERSION);
  o.flags = body.lines.binary ? GIT_DIFF_FORCE_BINARY | GIT_DIFF_SHOW_BINARY : GIT_DIFF_FORCE_TEXT;
  o.max_size = -1;
  if (git_diff_buffers(before.data(), before.size(), nullptr, after.data(), after.size(), nullptr,
                       &o, nullptr, on_binary, on_hunk, on_line, &body) != 0)
    body.text.clear();
  return body;
}

uint64_t lines_in(std::string_view text) {
  return static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n')) +
         (text.empty() || text.ends_with('\n') ? 0 : 1);
}

/// Cuts off the lines that both begin and end with. Which lines differ does not change by it; those
/// that are only added or only taken away are then left alone on one side.
void cut_common_ends(std::string_view& a, std::string_view& b) {
  const auto differs = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
  const auto same = static_cast<size_t>(differs - a.begin());
  const size_t begin = a.substr(0, same).rfind('\n') + 1;  // npos + 1: none
  a.remove_prefix(begin);
  b.remove_prefix(begin);
  const auto differs_back = std::mismatch(a.rbegin(), a.rend(), b.rbegin(), b.rend()).first;
  auto tail = static_cast<size_t>(differs_back - a.rbegin());
  const auto begins_line = [](std::string_view text, size_t at) {
    return at == 0 || text[at - 1] == '\n';
  };
  if (!begins_line(a, a.size() - tail) || !begins_line(b, b.size() - tail)) {
    const size_t line = a.find('\n', a.size() - tail);
    tail = line == std::string_view::npos ? 0 : a.size() - line - 1;
  }
  a.remove_suffix(tail);
  b.remove_suffix(tail);
}

// --- one file
// -------------------------------------------------------------------------------------

/// One or both sides of an entry as git sees them. A change of type is two: gone, and new.
struct FilePair {
  const Delta* before = nullptr;  // null: new
  const Delta* after = nullptr;   // null: gone
  int similarity = 0;
  std::string old_mode, new_mode;
};

std::vector<FilePair> pairs_of(const DiffEntry& e) {
  const Delta& d = e.delta;
  FilePair p;
  p.old_mode = git_mode(e.from ? e.from->before : d.before);
  p.new_mode = git_mode(d.after);
  p.similarity = e.similarity;
  if (!p.old_mode.empty()) p.before = e.from ? &*e.from : &d;
  if (!p.new_mode.empty()) p.after = &d;
  if (p.before == nullptr && p.after == nullptr) return {};
  const bool both = p.before != nullptr && p.after != nullptr;
  if (!both || (p.old_mode[1] == p.new_mode[1])) return {p};  // 10…, 12…: the type
  FilePair gone = p, made = p;
  gone.after = nullptr;
  gone.new_mode.clear();
  made.before = nullptr;
  made.old_mode.clear();
  return {gone, made};
}

std::string text_of(const LayerStack& stack, const FilePair& p) {
  const std::string& old_path = (p.before != nullptr ? p.before : p.after)->path;
  const std::string& new_path = (p.after != nullptr ? p.after : p.before)->path;
  std::string out =
      "diff --git " + quote_git("a/" + old_path) + " " + quote_git("b/" + new_path) + "\n";
  if (p.before == nullptr) out += "new file mode " + p.new_mode + "\n";
  if (p.after == nullptr) out += "deleted file mode " + p.old_mode + "\n";
  const bool both = p.before != nullptr && p.after != nullptr;
  if (both && p.old_mode != p.new_mode)
    out += "old mode " + p.old_mode + "\nnew mode " + p.new_mode + "\n";
  if (old_path != new_path)
    out += "similarity index " + std::to_string(p.similarity) + "%\nrename from " +
           quote_git(old_path) + "\nrename to " + quote_git(new_path) + "\n";
  if (old_path != new_path && p.similarity == 100) return out;

  Result<std::string> before = std::string(), after = std::string();
  if (p.before != nullptr) before = load_content(stack, *p.before, When::before, kMaxContent);
  if (p.after != nullptr) after = load_content(stack, *p.after, When::after, kMaxContent);
  const std::string from = p.before != nullptr ? header_name("a/", old_path) : std::string(kNoFile);
  const std::string to = p.after != nullptr ? header_name("b/", new_path) : std::string(kNoFile);
  // Of a task that runs: gone since the walk.
  for (const auto& side : {&before, &after})
    if (!side->ok() && side->error().code == Code::not_found) return {};
  if (!before.ok() || !after.ok())
    return out + "Binary files " + quote_git(from) + " and " + quote_git(to) + " differ\n";
  if (both && *before == *after) return out;

  Body body = make_body(*before, *after);
  const std::string none(GIT_OID_HEXSZ, '0');
  std::string old_hash = p.before != nullptr ? hash_of(*before) : none;
  std::string new_hash = p.after != nullptr ? hash_of(*after) : none;
  if (!body.lines.binary) {  // a binary patch needs them whole
    constexpr size_t kShort = 7;
    old_hash.resize(kShort);
    new_hash.resize(kShort);
  }
  out += "index " + old_hash + ".." + new_hash;
  out += (both && p.old_mode == p.new_mode ? " " + p.new_mode : "") + "\n";
  if (body.text.empty()) return out;  // an empty file
  if (!body.lines.binary) out += "--- " + from + "\n+++ " + to + "\n";
  return out + body.text;
}

// --- remarks
// --------------------------------------------------------------------------------------

std::string octal(uint32_t mode) {
  char text[8];
  snprintf(text, sizeof text, "%04o", mode & 07777);
  return text;
}

/// What the patch cannot say about an entry; empty: it says all.
std::string remark_of(const DiffEntry& e) {
  const Delta& d = e.delta;
  std::vector<std::string> parts;
  if (d.after && !d.after->is_file() && !d.after->is_link() && d.status != 'M')
    parts.push_back("new " + std::string(kind_text(*d.after)));
  if (d.before && !d.before->is_file() && !d.before->is_link() && d.status != 'M')
    parts.push_back(std::string(kind_text(*d.before)) + " is gone");
  const auto& before = e.from ? e.from->before : d.before;
  if (before && d.after && d.mode && !d.after->is_link() && git_mode(before) == git_mode(d.after))
    parts.push_back("mode " + octal(before->mode) + " -> " + octal(d.after->mode));
  if (d.xattrs) parts.push_back("extended attributes differ");
  for (const auto& f : {before, d.after})
    if (f && f->is_file() && f->size > kMaxContent && (d.content || d.status != 'M') &&
        !(e.from && e.similarity == 100)) {
      parts.push_back("too large to be shown: its content is not in this patch");
      break;
    }
  return join_words(parts, ", ");
}

/// A name that cannot be taken for a line of a patch.
std::string safe_name(const std::string& path) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/@+";
  const std::string quoted = quote_git(path);
  const bool plain = quoted == path && !path.empty() &&
                     path.find_first_not_of(kPlain) == std::string::npos && path[0] != '-' &&
                     path[0] != '+' && path[0] != '@';
  if (plain || quoted != path) return quoted;
  return "\"" + path + "\"";
}

std::string with_commas(uint64_t n) {
  std::string out = std::to_string(n);
  for (size_t at = out.size(); at > 3;) out.insert(at -= 3, ",");
  return out;
}

}  // namespace

std::string group_text(const DiffGroup& g, const Root& root) {
  const std::string path =
      root.role == MountRole::workspace ? g.path : join_path(root.path, g.path);
  std::string out = safe_name(path);
  const auto& c = g.count;
  if (g.status == 'G' && !g.note.empty()) return out + ": " + g.note;
  const uint64_t n = c.added + c.modified + c.deleted;
  if (g.status == 'G') out += ":";
  // Only added is the rule: "+41,233 files".
  std::string counts;
  if (c.added > 0 || n == 0) counts += "+" + with_commas(c.added);
  if (c.deleted > 0) counts += (counts.empty() ? "-" : " -") + with_commas(c.deleted);
  if (c.modified > 0) counts += (counts.empty() ? "~" : " ~") + with_commas(c.modified);
  return out + " " + counts + (n == 1 ? " file" : " files");
}

LineCount count_lines(const LayerStack& stack, const DiffEntry& e) {
  LineCount out;
  for (const FilePair& p : pairs_of(e)) {
    if (p.similarity == 100 || (e.delta.status == 'M' && !e.delta.content)) continue;
    Result<std::string> before = std::string(), after = std::string();
    if (p.before != nullptr) before = load_content(stack, *p.before, When::before, kMaxContent);
    if (p.after != nullptr) after = load_content(stack, *p.after, When::after, kMaxContent);
    if (!before.ok() || !after.ok()) {
      out.binary = true;
      continue;
    }
    if (*before == *after) continue;
    const bool binary = is_binary(*before) || is_binary(*after);
    out.binary = out.binary || binary;
    if (binary) continue;
    std::string_view was = *before, is = *after;
    cut_common_ends(was, is);
    if (was.empty() || is.empty()) {
      out.added += lines_in(is);
      out.removed += lines_in(was);
      continue;
    }
    const LineCount n = make_body(was, is).lines;
    out.added += n.added;
    out.removed += n.removed;
  }
  return out;
}

PatchStream::PatchStream(std::vector<RootDiff> diff, DiffOptions o)
    : diff_(std::move(diff)), o_(std::move(o)) {
  // patch(1) goes from the top: a folder that became a file must be empty by then.
  for (RootDiff& root : diff_)
    std::stable_sort(root.entries.begin(), root.entries.end(),
                     [](const DiffEntry& a, const DiffEntry& b) {
                       const auto key = [](const DiffEntry& e) {
                         const Delta& d = e.delta;
                         const bool was_folder = d.status == 'T' && d.before && d.before->is_dir();
                         return was_folder ? d.path + "/\xFF" : d.path;
                       };
                       return key(a) < key(b);
                     });
}

std::string PatchStream::remarks() {
  std::string out;
  for (const RootDiff& root : diff_) {
    for (const DiffGroup& g : root.groups) out += group_text(g, root.root) + "\n";
    const bool elsewhere = root.root.role != MountRole::workspace;
    for (const DiffEntry& e : root.entries) {
      std::string remark = remark_of(e);
      if (elsewhere && remark.empty()) remark = "changed";
      if (remark.empty()) continue;
      const std::string& path = e.delta.path;
      out += safe_name(elsewhere ? join_path(root.root.path, path) : path) + ": " + remark + "\n";
    }
    if (root.more)
      out +=
          "This is not all: too many changes, or a folder that cannot be read. codexos diff -- "
          "PATH "
          "shows a part.\n";
  }
  return out;
}

std::string PatchStream::next(size_t least) {
  std::string out;
  if (!std::exchange(begun_, true)) out = remarks();
  for (; root_ < diff_.size(); ++root_, entry_ = 0) {
    const RootDiff& root = diff_[root_];
    if (root.root.role != MountRole::workspace) continue;  // paths of a patch are the workspace's
    while (entry_ < root.entries.size()) {
      if (out.size() >= least) return out;
      for (const FilePair& p : pairs_of(root.entries[entry_])) {
        const std::string text = text_of(root.stack, p);
        // Nothing but the first line: it differs in what git does not know.
        if (std::count(text.begin(), text.end(), '\n') > 1) out += text;
      }
      ++entry_;
    }
  }
  return out;
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// What one task adds to the view: its package caches, and what --show names. Pure but
// for what Host answers. The workspace's own mounts are made by tasks/, which knows its layers.
#include <algorithm>
#include <optional>

#include "core/base/path.h"
#include "daemon/sandbox/view_parts.h"

namespace codexos::daemon {
namespace {

// Of a shown folder: how much is looked at for sockets, and how many are covered.
constexpr size_t kMaxLooked = 5000;
constexpr size_t kMaxSockets = 64;

/// One --show, taken apart.
struct Show {
  std::string source, target;  // absolute, normal; source not resolved yet
  bool write = false;
};

Error bad_show(const std::string& text, const std::string& why, std::string hint = {}) {
  return Error{Code::invalid, "--show " + text + ": " + why, std::move(hint)};
}
Error refused_show(const std::string& text, const std::string& why, std::string hint = {}) {
  return Error{Code::denied, "--show " + text + ": " + why, std::move(hint)};
}

/// "~/x", absolute, or relative to the caller's directory; empty: it is none of them.
std::string absolute(const ViewRequest& r, std::string_view path) {
  if (path == "~") return r.caller.home;
  if (path.substr(0, 2) == "~/") return normal_path(join_path(r.caller.home, path.substr(2)));
  if (!path.empty() && path[0] == '/') return normal_path(path);
  if (path.empty() || r.cwd.empty()) return {};
  return normal_path(join_path(r.cwd, path));
}

Result<Show> parse_show(const ViewRequest& r, const std::string& text) {
  std::vector<std::string> parts{""};
  for (const char c : text) {
    if (c == ':')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  Show s;
  if (parts.size() > 1 && (parts.back() == "ro" || parts.back() == "rw")) {
    s.write = parts.back() == "rw";
    parts.pop_back();
  }
  if (parts.size() > 2)
    return bad_show(text, "expected SRC[:DST][:ro|rw]", "a path with ':' cannot be shown");
  s.source = absolute(r, parts[0]);
  if (s.source.empty())
    return bad_show(text, "expected an absolute path, or one that starts with ~/");
  s.target = parts.size() == 1 ? s.source : absolute(r, parts[1]);
  if (s.target.empty() || parts.back().empty())
    return bad_show(text, "the place inside must be an absolute path");
  return s;
}

bool same(const PathFact& a, const PathFact& b) { return a.dev == b.dev && a.ino == b.ino; }

/// `path` is `dir` or lies in it, also where one of them is reached through a bind mount.
bool lies_in(const std::string& path, const PathFact& dir, const Host& host) {
  for (std::string p = path;; p = parent_path(p)) {
    PathFact fact;
    if (host.lookup(p, fact) && same(fact, dir)) return true;
    if (p == "/") return false;
  }
}

Status check_source(const ViewRequest& r, const std::string& text, const PathFact& source,
                    const Host& host) {
  PathFact state;
  if (!r.state_home.empty() && host.lookup(r.state_home, state)) {
    if (lies_in(source.path, state, host))
      return refused_show(text, "it lies in the state folder of codexos, which no task sees");
    if (lies_in(state.path, source, host))
      return refused_show(text, "it holds the state folder of codexos, which no task sees",
                          "name the folders in it that the task needs");
  }
  if (path_within(r.caller.home, source.path) || path_within(r.caller.passwd_home, source.path))
    return refused_show(text, "it holds the whole home folder",
                        "name the folders in it that the task needs");
  if (path_within(source.path, "/proc") || path_within(source.path, "/sys"))
    return refused_show(text, "a task has its own /proc and nothing of /sys but its processors");
  return {};
}

/// A place that would hide a part of the view, or that cannot be made.
Status check_target(const std::string& text, const std::string& target, const View& view,
                    const Host& host) {
  for (const auto& m : view.mounts) {
    const bool fixed = m.role == MountRole::system || m.role == MountRole::etc ||
                       m.role == MountRole::dev || m.role == MountRole::proc ||
                       (m.role == MountRole::home && m.kind != MountKind::file);
    if (fixed && path_within(m.target, target))
      return refused_show(text, "at " + target + " it would hide " + m.target + " of the task");
  }
  for (const std::string_view dir : {"/proc", "/sys"})
    if (path_within(target, dir))
      return refused_show(text, std::string(dir) + " is the task's own");
  const Mount* at = mount_at(target, {&view.mounts});
  PathFact fact;
  if (at != nullptr && at->kind == MountKind::bind &&
      !host_path_of(target, {&view.mounts}, host, fact))
    return refused_show(text,
                        target + " does not exist, and " + at->target + " is read-only inside",
                        "choose another place, for example below /opt, /srv or /mnt");
  return {};
}

/// What is never shown and lies in a folder that is: covered, unless it is asked for itself.
void cover_never(const ViewRequest& r, const Mount& shown, const Host& host,
                 std::vector<Mount>& out) {
  for (const auto& path : never_shown(r.caller)) {
    PathFact fact;
    if (path == shown.source || !path_within(path, shown.source) || !host.lookup(path, fact))
      continue;
    // A link out of the folder shows nothing inside; one that is a link itself cannot be covered.
    if (fact.path != path) continue;
    const std::string target = shown.target + path.substr(shown.source.size());
    Mount cover = tmpfs_at(MountRole::shown, target, 0555, 4096, 2);
    if (!fact.is_dir) cover.kind = MountKind::hide;
    cover.read_only = true;
    out.push_back(std::move(cover));
  }
}

/// A read-only mount does not stop connect(2): the sockets that lie in a shown folder now are
/// covered, unless one is asked for itself. A folder that is too large to be looked through is told
/// (`notes`), and so is one with more sockets than can be covered.
void cover_sockets(const ViewRequest& r, const Mount& shown, const Host& host,
                   std::vector<Mount>& out, std::vector<std::string>& notes) {
  std::vector<std::string> asked;
  for (const auto& text : r.show)
    if (const auto s = parse_show(r, text); s.ok()) asked.push_back(s->source);
  size_t left = kMaxLooked;
  size_t covered = 0;
  std::vector<std::string> folders{shown.source};
  while (!folders.empty()) {
    const std::string dir = std::move(folders.back());
    folders.pop_back();
    const auto entries = host.entries(dir, left);
    left -= entries.size();
    for (const auto& e : entries) {
      const std::string path = join_path(dir, e.name);
      if (e.is_dir) folders.push_back(path);
      if (!e.is_socket || std::find(asked.begin(), asked.end(), path) != asked.end()) continue;
      if (++covered > kMaxSockets) break;
      Mount cover =
          tmpfs_at(MountRole::shown, shown.target + path.substr(shown.source.size()), 0444, 0, 0);
      cover.kind = MountKind::hide;
      cover.read_only = true;
      out.push_back(std::move(cover));
    }
    if (left == 0 || covered > kMaxSockets) {
      notes.push_back("--show " + shown.source +
                      ": too much lies in it to cover every socket; the task can connect to those "
                      "that it finds");
      return;
    }
  }
}

Result<Mount> show_one(const ViewRequest& r, const std::string& text, const View& view,
                       const Host& host) {
  CODEXOS_ASSIGN(const Show s, parse_show(r, text));
  PathFact fact;
  if (!host.lookup(s.source, fact)) return bad_show(text, s.source + " does not exist");
  CODEXOS_TRY(check_source(r, text, fact, host));
  CODEXOS_TRY(check_target(text, s.target, view, host));
  Mount m;
  m.kind = MountKind::bind;
  m.role = MountRole::shown;
  m.source = fact.path;
  m.target = s.target;
  m.dev = fact.dev;
  m.ino = fact.ino;
  m.read_only = !s.write;
  m.devices = path_within(fact.path, "/dev");  // asked for by name: /dev/kvm, /dev/dri
  return m;
}

/// Parents before what lies in them, so that no mount hides an earlier one; equal places in the
/// order they were given.
Result<std::vector<Mount>> show_mounts(const ViewRequest& r, const View& view, const Host& host,
                                       std::vector<std::string>& notes) {
  std::vector<Mount> shown;
  for (const auto& text : r.show) {
    CODEXOS_ASSIGN(Mount m, show_one(r, text, view, host));
    shown.push_back(std::move(m));
  }
  std::stable_sort(shown.begin(), shown.end(), [](const Mount& a, const Mount& b) {
    return std::count(a.target.begin(), a.target.end(), '/') <
           std::count(b.target.begin(), b.target.end(), '/');
  });
  std::vector<Mount> out;
  for (auto& m : shown) {
    std::vector<Mount> covers;
    cover_never(r, m, host, covers);
    cover_sockets(r, m, host, covers, notes);
    out.push_back(std::move(m));
    std::move(covers.begin(), covers.end(), std::back_inserter(out));
  }
  return out;
}

/// One mount for all caches of the workspace: the view's links lead there. Without a workspace they
/// lead to scratch space.
void add_caches(const ViewRequest& r, const Host& host, std::vector<Mount>& out) {
  PathFact fact;
  if (!r.cache_dir.empty() && host.lookup(r.cache_dir, fact)) {
    Mount m;
    m.kind = MountKind::bind;
    m.role = MountRole::cache;
    m.source = fact.path;
    m.target = std::string(kCacheRoot);
    m.dev = fact.dev;
    m.ino = fact.ino;
    out.push_back(std::move(m));
    return;
  }
  out.push_back(
      tmpfs_at(MountRole::scratch, std::string(kCacheRoot), 0700, kScratchBytes, kScratchInodes));
  for (const auto& row : cache_rows()) {
    Mount m;
    m.kind = MountKind::dir;
    m.role = MountRole::scratch;
    m.target = join_path(kCacheRoot, row.folder);
    m.mode = 0700;
    out.push_back(std::move(m));
  }
}

}  // namespace

const Mount* mount_at(const std::string& target, const MountLists& mounts) {
  const Mount* found = nullptr;
  for (const auto* list : mounts)
    for (const auto& m : *list)
      if (m.kind != MountKind::symlink && path_within(target, m.target)) found = &m;
  return found;
}

const std::vector<CacheRow>& cache_rows() {
  static const std::vector<CacheRow> kRows = {
      {".npm", "npm"},
      {".cache/pip", "pip"},
      {".cache/uv", "uv"},
      {".cargo/registry", "cargo-registry"},
      {".cache/go-build", "go-build"},
      {"go/pkg/mod", "go-mod"},
      {".m2", "m2"},
      {".gradle", "gradle"},
      {".ccache", "ccache"},
  };
  return kRows;
}

Result<std::vector<Mount>> make_job_mounts(const ViewRequest& r, const View& view, const Host& host,
                                           std::vector<std::string>& notes) {
  std::vector<Mount> out;
  add_caches(r, host, out);
  CODEXOS_ASSIGN(std::vector<Mount> shown, show_mounts(r, view, host, notes));
  std::move(shown.begin(), shown.end(), std::back_inserter(out));
  return out;
}

bool host_path_of(const std::string& inside, const MountLists& mounts, const Host& host,
                  PathFact& out) {
  std::string path = normal_path(inside);
  for (int links = 0; links < 8; ++links) {
    const Mount* link = nullptr;
    for (const auto* list : mounts)
      for (const auto& m : *list)
        if (m.kind == MountKind::symlink && path_within(path, m.target)) link = &m;
    if (link == nullptr) break;
    const std::string base = link->source[0] == '/' ? "" : parent_path(link->target);
    path = normal_path(base + "/" + link->source + path.substr(link->target.size()));
  }
  const Mount* m = mount_at(path, mounts);
  if (m == nullptr || m->kind != MountKind::bind) return false;
  return host.lookup(m->source + path.substr(m->target.size()), out);
}

std::string path_inside(const std::string& path, const MountLists& mounts, const Host& host) {
  std::vector<std::string> kept;
  const auto keep = [&](const std::string& entry) {
    PathFact fact;
    if (!host_path_of(entry, mounts, host, fact) || !fact.is_dir) return false;
    if (std::find(kept.begin(), kept.end(), entry) == kept.end()) kept.push_back(entry);
    return true;
  };
  each_part(path, ':', [&](std::string_view entry) {
    if (entry[0] != '/') return;  // relative to wherever one happens to be
    const std::string as_written = normal_path(entry);
    PathFact real;
    if (!keep(as_written) && host.lookup(as_written, real)) keep(real.path);
  });
  if (kept.empty())
    for (const char* entry : {"/usr/local/bin", "/usr/bin", "/bin"}) keep(entry);
  std::string out;
  for (const auto& entry : kept) out += (out.empty() ? "" : ":") + entry;
  return out;
}

std::string reduce_path(const std::string& path, const View& view, const std::vector<Mount>& more,
                        const Host& host) {
  return path_inside(path, {&view.mounts, &more}, host);
}

}  // namespace codexos::daemon

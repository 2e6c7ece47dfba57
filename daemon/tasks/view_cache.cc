// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/view_cache.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <string_view>

namespace codexos::daemon {
namespace {

constexpr size_t kMaxEntries = 8;

std::string cache_key(const ViewRequest& r) {
  std::string key = std::to_string(r.caller.uid) + ":" + std::to_string(r.caller.gid);
  key += std::string(1, '\0') + r.caller.user + '\0' + r.caller.home + '\0';
  key += std::string(name_of(r.seccomp)) + '\0' + std::string(name_of(r.net)) + '\0';
  for (const auto& [name, value] : r.caller.env) key += name + '=' + value + '\0';
  return key;
}

void split_path(std::string_view path, std::vector<std::string>& out) {
  while (!path.empty()) {
    const size_t colon = path.find(':');
    if (const auto part = path.substr(0, colon); !part.empty()) out.emplace_back(part);
    if (colon == std::string_view::npos) return;
    path.remove_prefix(colon + 1);
  }
}

/// What a view is made from beside its sources.
std::vector<std::string> watched_paths(const ViewRequest& r, const View& view) {
  std::vector<std::string> out{"/etc",
                               "/etc/localtime",
                               "/etc/passwd",
                               "/etc/alternatives",
                               "/opt",
                               r.caller.home + "/.gitconfig",
                               r.caller.home + "/.config/git/config",
                               "/"};
  const auto path = r.caller.env.find("PATH");
  if (path != r.caller.env.end()) split_path(path->second, out);
  // Of a bound source only the identity matters, and one that is replaced in /etc or / touches that
  // folder, which is in the list.
  for (const auto& m : view.mounts)
    if (m.kind == MountKind::bind && m.source.rfind('/') != 0 &&
        m.source.compare(0, m.source.rfind('/'), "/etc") != 0)
      out.push_back(m.source);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

uint64_t fnv(std::string_view s) {
  uint64_t h = 0xcbf29ce484222325ULL;
  for (const char c : s) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return h;
}

}  // namespace

Result<MountTable> MountTable::open() {
  MountTable t;
  t.fd_.reset(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
  if (!t.fd_) return errno_error("open /proc/self/mountinfo", errno);
  return t;
}

void MountTable::refresh() {
  pollfd p{fd_.get(), POLLPRI, 0};
  const bool changed = poll(&p, 1, 0) > 0;
  if (!changed && !text_.empty()) return;
  text_.clear();
  char buf[16384];
  lseek(fd_.get(), 0, SEEK_SET);
  for (ssize_t n = 0; (n = read(fd_.get(), buf, sizeof buf)) > 0;)
    text_.append(buf, static_cast<size_t>(n));
  generation_ = fnv(text_);
}

const std::string& MountTable::text() {
  refresh();
  return text_;
}

uint64_t MountTable::generation() {
  refresh();
  return generation_;
}

ViewCache::Fact ViewCache::look(const std::string& path) {
  Fact f;
  f.path = path;
  struct stat st {};
  if (stat(path.c_str(), &st) < 0) return f;
  f.exists = true;
  f.dev = st.st_dev;
  f.ino = st.st_ino;
  // A device node's times change whenever it is used.
  if (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode))
    f.mtime_ns = int64_t{st.st_mtim.tv_sec} * 1000000000 + st.st_mtim.tv_nsec;
  return f;
}

bool ViewCache::fresh(const Entry& e) {
  if (e.generation != mounts_.generation()) return false;
  return std::all_of(e.facts.begin(), e.facts.end(),
                     [](const Fact& f) { return look(f.path) == f; });
}

Result<ViewCache::Entry> ViewCache::make(const ViewRequest& r, std::string key) {
  Entry e;
  e.key = std::move(key);
  e.generation = mounts_.generation();
  ViewRequest constant = r;  // these belong to one task
  constant.workspace.clear();
  constant.cache_dir.clear();
  constant.show.clear();
  CODEXOS_ASSIGN(e.view, make_view(constant, host_));
  // A mount that came or went below a bound source changes what a parked helper already copied.
  e.view.key += "+" + std::to_string(e.generation);
  for (const auto& path : watched_paths(r, e.view)) e.facts.push_back(look(path));
  return e;
}

Result<const View*> ViewCache::get(const ViewRequest& r) {
  const std::string key = cache_key(r);
  const auto it = std::find_if(entries_.begin(), entries_.end(),
                               [&key](const Entry& e) { return e.key == key; });
  if (it != entries_.end() && fresh(*it)) {
    entries_.splice(entries_.begin(), entries_, it);
    return static_cast<const View*>(&entries_.front().view);
  }
  if (it != entries_.end()) entries_.erase(it);
  CODEXOS_ASSIGN(Entry made, make(r, key));
  entries_.push_front(std::move(made));
  if (entries_.size() > kMaxEntries) entries_.pop_back();
  return static_cast<const View*>(&entries_.front().view);
}

}  // namespace codexos::daemon

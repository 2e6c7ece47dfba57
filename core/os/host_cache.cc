// SPDX-License-Identifier: Apache-2.0
#include "core/os/host_cache.h"

#include <linux/magic.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <utility>

#include "core/base/clock.h"

namespace codexos {
namespace {

constexpr uint32_t kMask =
    IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr size_t kMaxAnswers = 8192;  // above, all is forgotten: a caller with a thousand folders
constexpr size_t kMaxFolders = 4096;
constexpr int kMaxLinks = 40;  // of the kernel, path_resolution(7)

/// Whose changes all pass through this kernel (statfs(2), linux/magic.h; the two last are btrfs'
/// and zfs').
constexpr std::array<long, 10> kLocal{EXT4_SUPER_MAGIC,      0x58465342 /* xfs */,
                                      TMPFS_MAGIC,           OVERLAYFS_SUPER_MAGIC,
                                      0xF2F52010 /* f2fs */, SQUASHFS_MAGIC,
                                      ISOFS_SUPER_MAGIC,     RAMFS_MAGIC,
                                      BTRFS_SUPER_MAGIC,     0x2fc12fc1};

bool is_local(const std::string& dir) {
  struct statfs fs {};
  return statfs(dir.c_str(), &fs) == 0 &&
         std::find(kLocal.begin(), kLocal.end(), static_cast<long>(fs.f_type)) != kLocal.end();
}

/// Made by the kernel, and as constant as the machine.
bool is_kernels(const std::string& dir) {
  struct statfs fs {};
  return statfs(dir.c_str(), &fs) == 0 &&
         (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC);
}

std::string join(const std::string& dir, const std::string& name) {
  return dir == "/" ? "/" + name : dir + "/" + name;
}

}  // namespace

HostCache::HostCache(const Host& real, MountTable& mounts) : real_(real), mounts_(mounts) {
  clear();
}

void HostCache::clear() const {
  for (auto& [key, a] : answers_)
    for (const auto& fact : a.facts) fact->valid = false;
  ++changes_;
  answers_.clear();
  folders_.clear();
  inotify_.reset(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  generation_ = mounts_.generation();
}

void HostCache::refresh() {
  take_events();
  if (mounts_.generation() != generation_ || answers_.size() > kMaxAnswers ||
      folders_.size() > kMaxFolders)
    clear();
}

void HostCache::take_events() const {
  alignas(inotify_event) char buffer[16384];
  const auto end = [this](const std::vector<std::weak_ptr<Fact>>& facts) {
    for (const auto& weak : facts)
      if (const auto fact = weak.lock()) fact->valid = false;
    if (!facts.empty()) ++changes_;
  };
  ssize_t n = 0;
  while (inotify_ && (n = ::read(inotify_.get(), buffer, sizeof buffer)) > 0) {
    for (ssize_t at = 0; at < n;) {
      inotify_event e{};
      std::memcpy(&e, buffer + at, sizeof e);
      const char* name = buffer + at + sizeof e;
      at += static_cast<ssize_t>(sizeof e + e.len);
      if ((e.mask & IN_Q_OVERFLOW) != 0) return clear();
      const auto folder = folders_.find(e.wd);
      if (folder == folders_.end()) continue;
      end(folder->second.all);
      folder->second.all.clear();
      if (e.len > 0) {
        const auto facts = folder->second.by_name.find(name);
        if (facts != folder->second.by_name.end()) {
          end(facts->second);
          folder->second.by_name.erase(facts);
        }
      } else {
        for (auto& [_, facts] : folder->second.by_name) end(facts);
        folder->second.by_name.clear();
      }
      if ((e.mask & IN_IGNORED) != 0) folders_.erase(folder);
    }
  }
}

/// Writing into files is told only where the content of one was asked for: /dev/null is written to
/// all the time.
int HostCache::watch(const std::string& dir, bool contents) const {
  if (!inotify_ || !is_local(dir)) return -1;
  return inotify_add_watch(
      inotify_.get(), dir.c_str(),
      kMask | (contents ? IN_MODIFY : 0U) | IN_ONLYDIR | IN_DONT_FOLLOW | IN_MASK_ADD);
}

void HostCache::unwatched(Answer& a, const std::string& path) const {
  auto fact = std::make_shared<Fact>();
  fact->unwatched = path;
  struct stat st {};
  if (lstat(path.c_str(), &st) == 0) {
    fact->dev = st.st_dev;
    fact->ino = st.st_ino;
    fact->mode = st.st_mode;
    if (S_ISREG(st.st_mode)) fact->ctime_ns = ns_of(st.st_ctim);
  }
  a.facts.push_back(std::move(fact));
}

void HostCache::depends_on_name(Answer& a, const std::string& dir, const std::string& name,
                                bool contents) const {
  if (is_kernels(dir)) return;
  const int wd = watch(dir, contents);
  if (wd < 0) return unwatched(a, join(dir, name));
  auto fact = std::make_shared<Fact>();
  folders_[wd].by_name[name].push_back(fact);
  a.facts.push_back(std::move(fact));
}

void HostCache::depends_on_names(Answer& a, const std::string& dir) const {
  if (is_kernels(dir)) return;
  const int wd = watch(dir, false);
  if (wd < 0) return unwatched(a, dir);
  auto fact = std::make_shared<Fact>();
  folders_[wd].all.push_back(fact);
  a.facts.push_back(std::move(fact));
}

/// Walks the path as path_resolution(7) does, watching each folder before looking into it, so that
/// what changes meanwhile is told.
void HostCache::depends_on(Answer& a, const std::string& path, char kind) const {
  std::vector<std::string> rest;  // the next component last
  const auto push = [&rest](const std::string& text) {
    std::vector<std::string> parts;
    for (size_t at = 0; at < text.size();) {
      const size_t slash = std::min(text.find('/', at), text.size());
      if (slash > at) parts.push_back(text.substr(at, slash - at));
      at = slash + 1;
    }
    rest.insert(rest.end(), parts.rbegin(), parts.rend());
  };
  push(path);
  std::string dir = "/";
  for (int links = 0; !rest.empty();) {
    const std::string name = std::move(rest.back());
    rest.pop_back();
    if (name == ".") continue;
    if (name == "..") {
      dir = dir.rfind('/') == 0 ? "/" : dir.substr(0, dir.rfind('/'));
      continue;
    }
    depends_on_name(a, dir, name, kind == 'r' && rest.empty());
    const std::string here = join(dir, name);
    struct stat st {};
    if (lstat(here.c_str(), &st) != 0) return;
    if (!S_ISLNK(st.st_mode)) {
      dir = here;
      continue;
    }
    char target[PATH_MAX];
    const ssize_t n = readlink(here.c_str(), target, sizeof target);
    if (n <= 0 || ++links > kMaxLinks) return;
    if (target[0] == '/') dir = "/";
    push(std::string(target, static_cast<size_t>(n)));
  }
  if (kind == 'n') depends_on_names(a, dir);
}

bool HostCache::hold(const Facts& facts) {
  return std::all_of(facts.begin(), facts.end(), [](const auto& fact) {
    if (!fact->valid || fact->unwatched.empty()) return fact->valid;
    struct stat st {};
    if (lstat(fact->unwatched.c_str(), &st) != 0) return fact->ino == 0;
    return fact->dev == st.st_dev && fact->ino == st.st_ino && fact->mode == st.st_mode &&
           (!S_ISREG(st.st_mode) || fact->ctime_ns == ns_of(st.st_ctim));
  });
}

template <class Ask>
const HostCache::Answer& HostCache::answer(char kind, const std::string& path, Ask ask) const {
  const std::string key = kind + path;
  const auto known = answers_.find(key);
  const auto valid = [](const FactPtr& f) { return f->valid && f->unwatched.empty(); };
  if (known != answers_.end() &&
      (known->second.held_at == changes_ + 1 ||
       std::all_of(known->second.facts.begin(), known->second.facts.end(), valid))) {
    known->second.held_at = changes_ + 1;
    if (recording_)
      recorded_.insert(recorded_.end(), known->second.facts.begin(), known->second.facts.end());
    return known->second;
  }
  Answer a;
  depends_on(a, path, kind);
  ask(a);
  if (recording_) recorded_.insert(recorded_.end(), a.facts.begin(), a.facts.end());
  const bool watched = inotify_ && std::all_of(a.facts.begin(), a.facts.end(), valid);
  Answer& kept = watched ? answers_[key] : last_;
  kept = std::move(a);
  return kept;
}

void HostCache::start_recording() {
  recording_ = true;
  recorded_.clear();
}

HostCache::Facts HostCache::stop_recording() {
  recording_ = false;
  std::sort(recorded_.begin(), recorded_.end());
  recorded_.erase(std::unique(recorded_.begin(), recorded_.end()), recorded_.end());
  return std::exchange(recorded_, {});
}

bool HostCache::lookup(const std::string& path, PathFact& out) const {
  const Answer& a = answer('p', path, [&](Answer& x) { x.found = real_.lookup(path, x.path); });
  if (a.found) out = a.path;
  return a.found;
}

bool HostCache::read_link(const std::string& path, std::string& text) const {
  const Answer& a = answer('l', path, [&](Answer& x) { x.found = real_.read_link(path, x.text); });
  if (a.found) text = a.text;
  return a.found;
}

std::vector<std::string> HostCache::list(const std::string& dir) const {
  return answer('n', dir, [&](Answer& x) { x.names = real_.list(dir); }).names;
}

bool HostCache::read(const std::string& path, std::string& text) const {
  const Answer& a = answer('r', path, [&](Answer& x) { x.found = real_.read(path, x.text); });
  if (a.found) text = a.text;
  return a.found;
}

bool HostCache::owner(const std::string& path, uid_t& uid, gid_t& gid) const {
  const Answer& a =
      answer('o', path, [&](Answer& x) { x.found = real_.owner(path, x.uid, x.gid); });
  if (!a.found) return false;
  uid = a.uid;
  gid = a.gid;
  return true;
}

}  // namespace codexos

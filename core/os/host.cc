// SPDX-License-Identifier: Apache-2.0
#include "core/os/host.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <string_view>

#include "core/os/file.h"

namespace codexos {
namespace {

class RealHost : public Host {
 public:
  bool lookup(const std::string& path, PathFact& out) const override {
    auto resolved = real_path(path);
    if (!resolved.ok()) return false;
    struct stat st {};
    if (stat(resolved->c_str(), &st) != 0) return false;
    out = PathFact{*std::move(resolved),
                   S_ISDIR(st.st_mode),
                   st.st_dev,
                   st.st_ino,
                   st.st_mode,
                   static_cast<uint64_t>(st.st_size)};
    return true;
  }

  bool read_link(const std::string& path, std::string& text) const override {
    char target[PATH_MAX];
    const ssize_t n = readlink(path.c_str(), target, sizeof target);
    if (n < 0) return false;
    text.assign(target, static_cast<size_t>(n));
    return true;
  }

  std::vector<std::string> list(const std::string& dir) const override {
    std::vector<std::string> names;
    DIR* stream = opendir(dir.c_str());
    if (stream == nullptr) return names;
    while (const dirent* entry = readdir(stream)) {
      std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(std::move(name));
    }
    closedir(stream);
    std::sort(names.begin(), names.end());
    return names;
  }

  std::vector<HostEntry> entries(const std::string& dir, size_t limit) const override {
    std::vector<HostEntry> out;
    DIR* stream = opendir(dir.c_str());
    if (stream == nullptr) return out;
    const dirent* entry = nullptr;
    while (out.size() < limit && (entry = readdir(stream)) != nullptr) {
      const std::string_view name = entry->d_name;
      struct stat st {};
      if (name == "." || name == ".." ||
          fstatat(dirfd(stream), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        continue;
      out.push_back(HostEntry{std::string(name), S_ISDIR(st.st_mode), S_ISSOCK(st.st_mode),
                              st.st_uid, st.st_gid});
    }
    closedir(stream);
    return out;
  }

  bool read(const std::string& path, std::string& text) const override {
    struct stat st {};
    // A fifo or device at that place would block or never end.
    if (stat(path.c_str(), &st) != 0 || !S_ISREG(st.st_mode)) return false;
    auto r = read_file(path);
    if (!r.ok()) return false;
    text = *std::move(r);
    return true;
  }

  bool owner(const std::string& path, uid_t& uid, gid_t& gid) const override {
    struct stat st {};
    if (stat(path.c_str(), &st) != 0) return false;
    uid = st.st_uid;
    gid = st.st_gid;
    return true;
  }
};

}  // namespace

const Host& real_host() {
  static const RealHost host;
  return host;
}

}  // namespace codexos

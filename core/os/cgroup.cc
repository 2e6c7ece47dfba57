// SPDX-License-Identifier: Apache-2.0
#include "core/os/cgroup.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "core/base/fd.h"
#include "core/base/split.h"
#include "core/os/file.h"

namespace codexos {
namespace {

constexpr size_t kMaxText = 8 << 20;

/// "HIERARCHY:CONTROLLER,...:PATH"; version 2 is 0 without controllers.
bool is_of(const CgroupMount& m, const std::string& id, const std::string& controllers) {
  if (m.v2) return id == "0";
  const auto names = split(controllers, ",");
  return !names.empty() &&
         std::all_of(names.begin(), names.end(), [&m](const auto& n) { return m.has(n); });
}

}  // namespace

bool CgroupMount::has(std::string_view controller) const { return holds(options, controller); }

std::vector<CgroupMount> parse_cgroup_mounts(const std::string& mountinfo) {
  std::vector<CgroupMount> out;
  for (const auto& line : split(mountinfo, "\n")) {
    // ID PARENT DEVICE ROOT TARGET OPTIONS... - TYPE SOURCE SUPER-OPTIONS
    const size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    const auto head = split(line.substr(0, dash), " ");
    const auto tail = split(line.substr(dash + 3), " ");
    if (head.size() < 5 || tail.size() < 3 || (tail[0] != "cgroup" && tail[0] != "cgroup2"))
      continue;
    CgroupMount m;
    m.root = head[3];
    m.path = head[4];
    m.v2 = tail[0] == "cgroup2";
    m.options = split(tail[2], ",");
    out.push_back(std::move(m));
  }
  std::stable_partition(out.begin(), out.end(), [](const CgroupMount& m) { return !m.v2; });
  return out;
}

std::vector<CgroupMount> cgroup_mounts() {
  const auto text = read_file("/proc/self/mountinfo", kMaxText);
  return text.ok() ? parse_cgroup_mounts(*text) : std::vector<CgroupMount>();
}

std::string parse_cgroup_folder(const CgroupMount& mount, const std::string& text) {
  for (const auto& line : split(text, "\n")) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    if (!is_of(mount, line.substr(0, first), line.substr(first + 1, second - first - 1))) continue;
    std::string path = line.substr(second + 1);
    if (path.compare(0, 3, "/..") == 0) return {};  // above what this namespace is shown
    if (mount.root != "/" && path.compare(0, mount.root.size(), mount.root) == 0)
      path.erase(0, mount.root.size());
    return path == "/" ? mount.path : mount.path + path;
  }
  return {};
}

std::string cgroup_folder(const CgroupMount& mount, pid_t pid) {
  const auto text = read_file("/proc/" + std::to_string(pid) + "/cgroup", kMaxText);
  return text.ok() ? parse_cgroup_folder(mount, *text) : std::string();
}

Status write_cgroup(const std::string& file, const std::string& text) {
  CODEXOS_ASSIGN(const Fd fd, open_file(file, O_WRONLY | O_CLOEXEC));
  if (write(fd.get(), text.data(), text.size()) < 0) return errno_error("write " + file, errno);
  return {};
}

uint64_t cgroup_number(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!key.empty()) {
      if (line.substr(0, key.size()) != key || line.size() <= key.size() || line[key.size()] != ' ')
        continue;
      line.remove_prefix(key.size() + 1);
    }
    uint64_t n = 0;
    std::from_chars(line.data(), line.data() + line.size(), n);
    return n;
  }
  return 0;
}

}  // namespace codexos

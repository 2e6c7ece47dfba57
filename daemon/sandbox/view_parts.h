// SPDX-License-Identifier: Apache-2.0
// What the files of the view share: who the task is inside, and the parts that make_view puts
// together in order.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/plan.h"
#include "core/os/host.h"
#include "daemon/sandbox/mount_paths.h"
#include "daemon/sandbox/sandbox.h"

namespace codexos::daemon {

constexpr std::string_view kHostname = "codexos";
constexpr uint64_t kScratchBytes = 1 << 30;  // each, as long as no memory limit says else
constexpr uint64_t kScratchInodes = 1 << 18;
/// Where the workspace's package caches are mounted, all at once; links below HOME lead there.
constexpr std::string_view kCacheRoot = "/var/cache/codexos";

/// Who the task is inside.
struct Inside {
  uint32_t uid = 0, gid = 0;
  std::string user, group, home, shell;
};
Inside inside_of(const Caller& c, const Host& host);
/// The parts that ask nobody.
std::string inside_user(const Caller& c);
std::string inside_home(const Caller& c);

/// A read-only bind of `path` at `target`; nothing when it does not exist.
void bind_existing(const Host& host, MountRole role, const std::string& path,
                   const std::string& target, std::vector<Mount>& out);
Mount tmpfs_at(MountRole role, std::string target, uint32_t mode, uint64_t size, uint64_t inodes);
Mount dir_at(MountRole role, std::string target, uint32_t mode);
Mount file_at(MountRole role, std::string target, std::string content, uint32_t mode = 0444);
Mount link_at(MountRole role, std::string target, std::string text);

// The parts, each appends.
void add_system(const Host& host, std::vector<Mount>& out);
void add_etc(const Inside& who, wire::Network net, const Host& host, std::vector<Mount>& out);
void add_dev(const Host& host, std::vector<Mount>& out);
void add_proc(wire::SeccompProfile p, const Host& host, std::vector<Mount>& out);
void add_scratch(const Inside& who, std::vector<Mount>& out);
void add_toolchains(const Caller& c, const Inside& who, const Host& host, std::vector<Mount>& out);

/// The text of the user's git identity for ~/.gitconfig; empty when there is none.
std::string git_identity(const Caller& c, const Host& host);
/// Package registries, without credentials, as the configuration files of npm and pip.
struct HomeFile {
  std::string path, text;  // path: relative to HOME
};
std::vector<HomeFile> registries(const Caller& c, const Host& host);

/// PATH reduced to what exists inside.
std::string path_inside(const std::string& path, const MountLists& mounts, const Host& host);

/// `pattern` is a name, or a prefix and '*'.
bool name_fits(std::string_view pattern, std::string_view name);

/// Calls `f` for every part between separators; empty parts are left out.
void each_part(std::string_view text, char separator,
               const std::function<void(std::string_view)>& f);

}  // namespace codexos::daemon

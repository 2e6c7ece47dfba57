// SPDX-License-Identifier: Apache-2.0
// A way to ask the host about paths, so that plan and workspace making stay pure and testable; and
// who the caller is.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace codexos {

/// What exists on the host, as far as the view depends on it. Filled by read_host(); tests fill it
/// by hand.
struct PathFact {
  std::string path;  // resolved by realpath
  bool is_dir = false;
  uint64_t dev = 0, ino = 0;
  uint32_t mode = 0;  // st_mode
  uint64_t size = 0;  // of a file
};
struct HostEntry {
  std::string name;
  bool is_dir = false;
  bool is_socket = false;
  uid_t uid = 0;
  gid_t gid = 0;
};
/// A way to ask the host about paths, so that plan making stays testable.
class Host {
 public:
  virtual ~Host() = default;
  virtual bool lookup(const std::string& path, PathFact& out) const = 0;  // follows links
  virtual bool read_link(const std::string& path,
                         std::string& text) const = 0;                      // false: not a link
  virtual std::vector<std::string> list(const std::string& dir) const = 0;  // names, sorted
  virtual bool read(const std::string& path, std::string& text) const = 0;  // small files
  /// What lies in a folder, links not followed, in no order; of a large one `limit` entries.
  virtual std::vector<HostEntry> entries(const std::string& dir, size_t limit) const = 0;
  virtual bool owner(const std::string& path, uid_t& uid, gid_t& gid) const = 0;
};
/// The real one.
const Host& real_host();

struct Caller {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string user;         // name
  std::string home;         // resolved
  std::string passwd_home;  // resolved; of the uid's line in /etc/passwd, where HOME says else
  std::map<std::string, std::string> env;  // TaskCreate::caller_env
};

}  // namespace codexos

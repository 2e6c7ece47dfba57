// SPDX-License-Identifier: Apache-2.0
// A host out of a table, so that what a task finds can be tested without one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/base/path.h"
#include "core/os/host.h"

namespace codexos::daemon {

class FakeHost : public Host {
 public:
  FakeHost() { node("/").kind = Kind::dir; }

  FakeHost& dir(const std::string& path) {
    node(path).kind = Kind::dir;
    return *this;
  }
  FakeHost& file(const std::string& path, const std::string& text = "x") {
    Node& n = node(path);
    n.kind = Kind::file;
    n.text = text;
    return *this;
  }
  FakeHost& mode(const std::string& path, uint32_t st_mode) {
    node(path).mode = st_mode;
    return *this;
  }
  FakeHost& link(const std::string& path, const std::string& text) {
    Node& n = node(path);
    n.kind = Kind::link;
    n.text = text;
    return *this;
  }
  /// `path` shows the same object as `other` (a bind mount).
  FakeHost& same(const std::string& path, const std::string& other) {
    const uint64_t ino = node(other).ino;
    dir(path).node(path).ino = ino;
    return *this;
  }

  FakeHost& socket(const std::string& path) {
    node(path).kind = Kind::socket;
    return *this;
  }

  bool lookup(const std::string& path, PathFact& out) const override {
    std::string real;
    if (!resolve(normal_path(path), real, 0)) return false;
    const Node& n = nodes_.at(real);
    const bool is_dir = n.kind == Kind::dir;
    out = PathFact{real, is_dir, 7, n.ino, is_dir ? 0040755U : n.mode, n.text.size()};
    return true;
  }
  bool read_link(const std::string& path, std::string& text) const override {
    std::string parent;
    if (!resolve(parent_path(path), parent, 0)) return false;
    const auto it = nodes_.find(join_path(parent, path.substr(path.rfind('/') + 1)));
    if (it == nodes_.end() || it->second.kind != Kind::link) return false;
    text = it->second.text;
    return true;
  }
  std::vector<std::string> list(const std::string& dir) const override {
    std::vector<std::string> names;
    std::string real;
    if (!resolve(dir, real, 0)) return names;
    for (const auto& [path, n] : nodes_)
      if (path != "/" && parent_path(path) == real)
        names.push_back(path.substr(path.rfind('/') + 1));
    return names;
  }
  bool read(const std::string& path, std::string& text) const override {
    std::string real;
    if (!resolve(normal_path(path), real, 0) || nodes_.at(real).kind != Kind::file) return false;
    text = nodes_.at(real).text;
    return true;
  }
  std::vector<HostEntry> entries(const std::string& dir, size_t limit) const override {
    std::vector<HostEntry> out;
    for (const auto& name : list(dir)) {
      const Node& n = nodes_.at(join_path(dir, name));
      if (out.size() < limit)
        out.push_back({name, n.kind == Kind::dir, n.kind == Kind::socket, 1000, 1000});
    }
    return out;
  }
  bool owner(const std::string&, uid_t& uid, gid_t& gid) const override {
    uid = gid = 1000;
    return true;
  }

 private:
  enum class Kind { dir, file, link, socket };
  struct Node {
    Kind kind = Kind::dir;
    std::string text;
    uint64_t ino = 0;
    uint32_t mode = 0100644;
  };

  Node& node(const std::string& path) {
    if (path != "/") node(parent_path(path));
    Node& n = nodes_[path];
    if (n.ino == 0) n.ino = ++last_;
    return n;
  }
  bool resolve(const std::string& path, std::string& out, int links) const {
    if (path == "/") {
      out = "/";
      return true;
    }
    std::string parent;
    if (links > 20 || !resolve(parent_path(path), parent, links)) return false;
    const std::string at = join_path(parent, path.substr(path.rfind('/') + 1));
    const auto it = nodes_.find(at);
    if (it == nodes_.end()) return false;
    if (it->second.kind != Kind::link) {
      out = at;
      return true;
    }
    const std::string& text = it->second.text;
    return resolve(text[0] == '/' ? normal_path(text) : normal_path(join_path(parent, text)), out,
                   links + 1);
  }

  std::map<std::string, Node> nodes_;
  uint64_t last_ = 0;
};

/// A Debian with a user `ann`.
inline FakeHost debian() {
  FakeHost h;
  for (const char* d : {"/usr/bin", "/usr/local/bin", "/usr/share/zoneinfo/Europe", "/opt",
                        "/etc/ssl/certs", "/etc/ssl/private", "/etc/alternatives",
                        "/etc/java-17-openjdk", "/etc/ssh", "/etc/sudoers.d", "/proc/sys",
                        "/proc/acpi", "/sys/devices/system/cpu", "/home/ann", "/var/lib/dpkg"})
    h.dir(d);
  for (const char* f : {"/usr/bin/make", "/usr/bin/bash", "/usr/share/zoneinfo/Europe/Berlin",
                        "/etc/shadow", "/etc/sudoers", "/etc/npmrc", "/etc/ld.so.cache",
                        "/etc/services", "/dev/null", "/dev/zero", "/dev/full", "/dev/random",
                        "/dev/urandom", "/dev/tty", "/dev/kvm", "/proc/keys", "/proc/kallsyms"})
    h.file(f);
  h.link("/bin", "usr/bin").link("/lib64", "usr/lib64");
  h.link("/etc/localtime", "/usr/share/zoneinfo/Europe/Berlin");
  h.file("/etc/passwd",
         "root:x:0:0:root:/root:/bin/bash\nann:x:1001:1002:Ann Onymous,,,:/home/ann:/bin/bash\n");
  h.file("/etc/group", "root:x:0:\nstaff:x:1002:ann\n");
  h.file("/proc/sys/kernel/osrelease", "6.1.0\n");
  h.file("/proc/sys/kernel/core_pattern", "|/usr/lib/crash %p\n");
  return h;
}

}  // namespace codexos::daemon

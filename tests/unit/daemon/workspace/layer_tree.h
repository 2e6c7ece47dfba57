// SPDX-License-Identifier: Apache-2.0
// Layers as a kernel leaves them, made by hand. Whiteouts are device nodes, which only root can
// make: without that right those cases are skipped, and say so.
#pragma once

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/os/file.h"
#include "daemon/workspace/layers.h"
#include "daemon/workspace/workspace.h"

namespace codexos::daemon {

namespace fs = std::filesystem;

/// A real folder, and layers over it; gone at the end.
class Tree {
 public:
  Tree() {
    char name[] = "/tmp/codexos-changes-XXXXXX";
    top_ = mkdtemp(name);
    for (const char* d : {"real", "layer/upper", "layer/work", "earlier/upper"})
      fs::create_directories(top_ / d);
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
  ~Tree() { (void)remove_tree(top_.string()); }
  fs::path real(const std::string& p = "") const { return top_ / "real" / p; }
  fs::path upper(const std::string& p = "") const { return top_ / "layer/upper" / p; }
  fs::path earlier(const std::string& p = "") const { return top_ / "earlier/upper" / p; }

  std::string top() const { return top_.string(); }

  std::vector<Root> roots(bool with_earlier = false) const {
    struct stat st {};
    REQUIRE(stat(real().c_str(), &st) == 0);
    Root r;
    r.path = (top_ / "real").string();
    r.dev = st.st_dev;
    r.ino = st.st_ino;
    r.layer = (top_ / "layer").string();
    if (with_earlier) r.lowers.push_back((top_ / "earlier/upper").string());
    return {r};
  }
  /// "A path" lines.
  std::vector<std::string> changes(bool with_earlier = false) const {
    bool more = false;
    const auto stack = LayerStack::open(roots(with_earlier)[0]);
    REQUIRE(stack.ok());
    const auto deltas = stack->walk({}, more);
    REQUIRE(deltas.ok());
    std::vector<std::string> out;
    for (const auto& d : *deltas) out.push_back(std::string(1, d.status) + " " + path_text(d.path));
    return out;
  }

 private:
  fs::path top_;
};

inline void put(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}
inline bool whiteout(const fs::path& path) {
  fs::create_directories(path.parent_path());
  if (mknod(path.c_str(), S_IFCHR, makedev(0, 0)) == 0) return true;
  MESSAGE("skipped: this user cannot make whiteouts");
  return false;
}
inline void opaque(const fs::path& dir) {
  fs::create_directories(dir);
  REQUIRE(setxattr(dir.c_str(), "user.overlay.opaque", "y", 1, 0) == 0);
}

}  // namespace codexos::daemon

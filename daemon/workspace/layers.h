// SPDX-License-Identifier: Apache-2.0
// The overlay layers of one root, opened over the real folder: what differs between the merged
// state (this task's layer on top of those it started from) and the real folder, path by path, and
// the content of either side. The cost is that of the layers, not of the real folder
// (Documentation/filesystems/overlayfs.rst says how a layer tells what is gone).
//
// The layers were written by the task and are not trusted: no link is followed, everything is
// opened anew below its layer's root by openat2(2), so that neither depth nor number of layers
// holds descriptors. A folder that cannot be opened (mode 000, path too long) is listed, what is in
// it is not, and `more` says so. Markers are believed by their exact names: device 0:0 cannot be
// made inside, and the kernel escapes a task's own user.overlay.* attributes.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "daemon/workspace/workspace.h"

namespace codexos::daemon {

/// What lstat(2) says.
struct Facts {
  uint32_t mode = 0;  // st_mode with its type
  uint64_t size = 0, dev = 0, ino = 0, nlink = 0, rdev = 0;
  uint32_t uid = 0, gid = 0;
  int64_t mtime_ns = 0, ctime_ns = 0;

  bool is_dir() const { return S_ISDIR(mode); }
  bool is_file() const { return S_ISREG(mode); }
  bool is_link() const { return S_ISLNK(mode); }
};
Facts facts_of(const struct stat& st);

/// One path that differs. A: new, M: modified, D: gone, T: of another type.
struct Delta {
  char status = 'M';
  std::string path;             // raw bytes, relative to the root
  std::optional<Facts> before;  // in the real folder
  std::optional<Facts> after;   // in the merged state
  int layer = -1;               // whose entry it is; for D: of the whiteout or the opaque folder
  bool content = false;         // of M: what differs
  bool mode = false;
  bool xattrs = false;  // user.* of files and folders, without user.overlay.*
};

struct WalkOptions {
  size_t limit = 0;  // deltas; 0: all
  /// Compare bytes of files whose size is the same. False: another mtime counts as other content.
  bool contents = true;
  /// False: a new folder is one delta, what is in it is not looked at.
  bool expand_new_folders = true;
  /// Also what was in a folder that is gone (or is no folder any more), each as a D of its own.
  bool expand_deleted_folders = false;
  /// Every new folder is a delta. False: only those that would else not be seen, being empty.
  bool all_folders = false;
};

class LayerStack {
 public:
  /// Answers false to stop the walk.
  using OnDelta = std::function<bool(Delta&&)>;

  /// Layers that do not exist (never started, pruned) are left out. Error conflict: the real folder
  /// is another one now.
  static Result<LayerStack> open(const Root& root);

  /// Sorted by the bytes of the path. `more`: the limit was reached, or something cannot be opened.
  Result<std::vector<Delta>> walk(const WalkOptions& o, bool& more) const;
  /// The same without a list, in the order of the walk.
  void each(const WalkOptions& o, const OnDelta& on_delta, bool& more) const;

  /// The entry as it is after (before), no link followed, never blocking; an empty Fd when it is
  /// not there or may not be opened (errno says why).
  Fd open_after(const Delta& d, int flags = O_RDONLY) const;
  Fd open_before(const Delta& d, int flags = O_RDONLY) const;
  Result<std::string> link_after(const Delta& d) const;
  Result<std::string> link_before(const Delta& d) const;

  /// One path of the merged state (of the real folder); nothing: it is not there.
  std::optional<Facts> look_after(const std::string& path, int* layer = nullptr) const;
  std::optional<Facts> look_before(const std::string& path) const;
  /// A file of the merged state, wherever it lies.
  Fd open_merged(const std::string& path, int flags = O_RDONLY) const;
  /// Names in a folder of the merged state, sorted.
  std::vector<std::string> list_merged(const std::string& path) const;

  size_t layers() const { return layers_.size(); }
  /// The task whose layer it is (…/tasks/ID/layers/N/upper); empty for a layer that lies elsewhere.
  const std::string& layer_task(int layer) const;
  const std::string& path() const { return path_; }  // of the real folder
  int base() const { return base_.get(); }           // the real folder

 private:
  friend class LayerWalk;
  struct Layer {
    Fd fd;
    std::string task;
  };
  enum class Found { nothing, whiteout, folder, other };
  /// What the layers say about one name: the topmost entry, and for a folder which layers it is
  /// merged from, and whether the real one is merged below them.
  struct Merged {
    Found found = Found::nothing;
    int layer = -1;  // of the entry; of the whiteout, where there is one
    Facts facts;
    std::vector<int> folders;
    bool real_below = true;
    int hider = -1;  // whose layer says that the real one is not
  };
  static Found look(int dir, const std::string& name, Facts& facts);
  static Merged merge(const std::vector<Fd>& dirs, const Merged& parent, const std::string& name);
  std::vector<Fd> open_folders(const std::string& path, const Merged& m) const;
  Merged root() const;
  Merged find(const std::string& path) const;

  std::string path_;
  std::vector<Layer> layers_;  // topmost first
  Fd base_;
};

/// `path` below the folder `root` (relative; "": root itself), no link followed, not out of it,
/// never blocking. errno as of openat2(2).
Fd open_below(int root, const std::string& path, int flags);
/// The target of the link `path` below `root`.
Result<std::string> read_link_below(int root, const std::string& path);
/// Names in the open folder `dir`, whatever its offset; none when it is not one.
std::set<std::string> names_in(int dir);
/// The attributes of an open file or folder that are wanted; none where there can be none.
std::map<std::string, std::string> xattrs_of(int fd, bool (*wanted)(std::string_view name));
/// user.* attributes without user.overlay.*, which are ours. Empty where there can be none.
std::map<std::string, std::string> user_xattrs(int fd);
/// Whether `name` in the folder `dir` may have any of them; false is certain.
bool may_have_user_xattrs(int dir, const std::string& name);
/// Whether both descriptors read the same bytes from where they stand.
bool same_bytes(int a, int b);

}  // namespace codexos::daemon

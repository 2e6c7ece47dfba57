// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>

#include "core/os/mount.h"
#include "daemon/exec/step_functions.h"

namespace codexos::exec {
namespace {

// Folders of the template, relative to it.
constexpr const char* kSharedRoot = "root";
constexpr const char* kAside = "aside";

Result<Fd> new_root() {
  return new_mount("tmpfs", {{"mode", "0755"}, {"size", "4m"}, {"nr_inodes", "4096"}},
                   MountFlags{});
}

Status attach_at(int tree, const char* place) {
  const Fd at(open(place, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!at) return errno_error(std::string("open ") + place, errno);
  return attach_mount(tree, at.get());
}

bool within(const std::string& path, const std::string& dir) {
  return path.size() > dir.size() && path.compare(0, dir.size(), dir) == 0 &&
         path[dir.size()] == '/';
}

/// What a mount of the view is to the tasks that are started from one template.
enum class SharedPlace {
  shared,       // lies in the root, or in what is mounted there read-only: the template has it
  mount_point,  // the task's own, and the template has a place for it (/proc, /tmp, HOME)
  aside,        // read-only, in something of the task's own (/proc/sys): the template has it aside
  in_aside,     // what is in such a part
  own,          // everything else that lies in something of the task's own
};

bool is_private(const Mount& m) {
  return (m.kind == MountKind::tmpfs && !m.read_only) || m.kind == MountKind::proc ||
         m.kind == MountKind::devpts;
}

/// One for each mount of the view.
std::vector<SharedPlace> places_of(const View& view) {
  struct Cover {
    const std::string* target;
    SharedPlace inside;
  };
  std::vector<Cover> covers;
  std::vector<SharedPlace> out;
  for (const auto& m : view.mounts) {
    SharedPlace place = SharedPlace::shared;
    for (const auto& c : covers)
      if (within(m.target, *c.target)) place = c.inside;
    if (is_private(m)) {
      if (place == SharedPlace::shared) place = SharedPlace::mount_point;
      covers.push_back({&m.target, SharedPlace::own});
    } else if (is_unit(m) && place == SharedPlace::own) {
      place = SharedPlace::aside;
      covers.push_back({&m.target, SharedPlace::in_aside});
    }
    out.push_back(place);
  }
  return out;
}

/// A unit that the template has aside, with all that is in it.
Status put_clone(Sandbox& s, const std::string& target) {
  CODEXOS_ASSIGN(const Fd tree, clone_tree(kAside + target, Recurse::yes));
  return attach_mount_below(tree.get(), s.root.get(), target);
}

}  // namespace

Status stop_propagation() {
  return ok_or_errno(mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr), "make / a slave");
}

// On top of "/" it hides nothing: absolute paths still start at the root below it.
Status start_root(Sandbox& s) {
  CODEXOS_TRY(stop_propagation());
  CODEXOS_ASSIGN(s.root, new_root());
  CODEXOS_TRY(attach_at(s.root.get(), "/"));
  return make_empty_file(s);
}

Status start_root_of_helper(Sandbox& s) {
  if (!s.shared_units) return start_root(s);
  CODEXOS_TRY(stop_propagation());
  CODEXOS_ASSIGN(s.root, clone_tree(kSharedRoot, Recurse::yes));
  return attach_at(s.root.get(), "/");
}

Status put_view(Sandbox& s) {
  const auto places = s.shared_units ? places_of(*s.view) : std::vector<SharedPlace>();
  for (size_t i = 0; i < s.view->mounts.size(); ++i) {
    const Mount& m = s.view->mounts[i];
    if (m.target == "/") continue;  // the root is there already
    const SharedPlace place = s.shared_units ? places[i] : SharedPlace::own;
    if (place == SharedPlace::shared || place == SharedPlace::in_aside) continue;
    CODEXOS_TRY(place == SharedPlace::aside ? put_clone(s, m.target)
                                            : put_mount(s, m, *s.view_fds));
  }
  return {};
}

Status set_hostname(Sandbox& s) {
  return ok_or_errno(sethostname(s.view->hostname.data(), s.view->hostname.size()), "sethostname");
}

Status set_up_network(Sandbox& s) {
  if (s.view->host_network || s.network_ready) return {};
  if (s.view->network.empty()) return raise_loopback();
  return set_up_network(s.view->network, s.network);
}

// ---- the template of a zygote

// On an empty folder of the state, the working directory: with a mount on top of its root a process
// counts as chrooted and may make no user namespace (clone(2), EPERM).
Status start_template(Sandbox& s) {
  CODEXOS_TRY(stop_propagation());
  CODEXOS_ASSIGN(s.root, new_root());
  CODEXOS_TRY(attach_at(s.root.get(), "."));
  return ok_or_errno(fchdir(s.root.get()), "fchdir to the template");
}

// What came as descriptors can be attached once; everybody clones it from here.
Status hold_descriptors(Sandbox& s) {
  for (size_t i = 0; i < s.view_fds->size(); ++i) {
    const Fd& tree = (*s.view_fds)[i];
    if (!tree) continue;
    const std::string name = "/" + held_name(i);
    CODEXOS_ASSIGN(const struct stat st, stat_of(tree.get(), name));
    if (!S_ISDIR(st.st_mode)) {
      CODEXOS_TRY(attach_file(s, tree.get(), name));
      continue;
    }
    CODEXOS_ASSIGN(const Fd at, make_dirs_below(s.root.get(), name));
    CODEXOS_TRY(attach_mount(tree.get(), at.get()));
  }
  s.view_fds->clear();
  s.held = true;
  forget_parent(s);
  return {};
}

Status put_shared_root(Sandbox& s) {
  CODEXOS_TRY(make_dirs_below(s.root.get(), kSharedRoot));
  CODEXOS_ASSIGN(s.root, new_root());
  CODEXOS_TRY(attach_at(s.root.get(), kSharedRoot));
  CODEXOS_TRY(make_empty_file(s));
  const auto places = places_of(*s.view);
  for (size_t i = 0; i < places.size(); ++i) {
    const Mount& m = s.view->mounts[i];
    if (m.target == "/") continue;
    if (places[i] == SharedPlace::shared) CODEXOS_TRY(put_mount(s, m, *s.view_fds));
    if (places[i] == SharedPlace::mount_point) CODEXOS_TRY(make_dirs_below(s.root.get(), m.target));
  }
  s.seal.push_back(std::move(s.root));
  forget_parent(s);
  return {};
}

Status put_units_aside(Sandbox& s) {
  CODEXOS_TRY(ok_or_errno(mkdir(kAside, 0755), "mkdir of the template"));
  s.root.reset(open(kAside, O_PATH | O_DIRECTORY | O_CLOEXEC));
  const auto places = places_of(*s.view);
  for (size_t i = 0; i < places.size(); ++i)
    if (places[i] == SharedPlace::aside || places[i] == SharedPlace::in_aside)
      CODEXOS_TRY(put_mount(s, s.view->mounts[i], *s.view_fds));
  s.root.reset();
  forget_parent(s);
  return {};
}

// Read-only as mounts and as file systems: no clone of them can be written to either.
Status seal_units(Sandbox& s) {
  MountFlags flags;
  flags.read_only = true;
  for (const auto& fd : s.seal) {
    CODEXOS_TRY(set_mount(fd.get(), flags, Recurse::no));
    const std::string path = "/proc/self/fd/" + std::to_string(fd.get());
    CODEXOS_TRY(ok_or_errno(mount(nullptr, path.c_str(), nullptr,
                                  MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, nullptr),
                            "remount read-only"));
  }
  s.seal.clear();
  return {};
}

// Its children write their own id maps, which belong to root where the memory is hidden.
Status let_children_map(Sandbox&) {
  return ok_or_errno(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "dumpable 1");
}

}  // namespace codexos::exec

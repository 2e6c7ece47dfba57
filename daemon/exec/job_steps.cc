// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/os/mount.h"
#include "daemon/exec/step_functions.h"

namespace codexos::exec {
namespace {

constexpr const char* kScratch = "run/.scratch";  // the root itself may be shared and read-only

std::string scratch_name(int n) { return std::string(kScratch) + "/" + std::to_string(n); }

bool is_after_overlays(const Mount& m) {
  return m.role == MountRole::write_through || m.role == MountRole::hidden;
}

/// A workspace that is worked on as a copy lies elsewhere on the host.
bool is_copy(const Mount& m) {
  return m.kind == MountKind::bind && !m.read_only && m.source != m.target &&
         (m.role == MountRole::workspace || m.role == MountRole::gitdir);
}

/// All of a copy takes room.
Status find_copies(Sandbox& s) {
  for (const auto& m : s.job->mounts) {
    if (s.job->disk_bytes == 0 || !is_copy(m)) continue;
    CODEXOS_ASSIGN(Fd at, open_below(s.root.get(), m.target));
    s.layers.push_back(std::move(at));
  }
  return {};
}

/// The folders of an overlay, opened and compared with the plan.
struct OverlayDirs {
  std::vector<Fd> lowers;
  Fd layer;
};

// A root daemon passes detached mounts. An overlay takes folders of those only from mounts of this
// namespace's owner (clone_private_mount(), Linux 6.15; before, of this namespace), so they are
// first put on a scratch folder of the new root, and taken away when the overlays stand.
Result<Fd> open_dir(Sandbox& s, const DirRef& d, int& scratch) {
  Fd fd;
  if (d.fd < 0) {
    fd.reset(open(d.path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return errno_error("open " + d.path, errno);
  } else {
    if (static_cast<size_t>(d.fd) >= s.job_fds->size() || !(*s.job_fds)[static_cast<size_t>(d.fd)])
      return Error{Code::internal, "descriptor " + std::to_string(d.fd) + " is missing", {}};
    const Fd tree = std::move((*s.job_fds)[static_cast<size_t>(d.fd)]);
    const std::string name = scratch_name(scratch++);
    CODEXOS_ASSIGN(Fd at, make_dirs_below(s.root.get(), name));
    CODEXOS_TRY(attach_mount(tree.get(), at.get()));
    fd.reset(openat(s.root.get(), name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return errno_error("open " + name, errno);
  }
  CODEXOS_ASSIGN(const struct stat st, stat_of(fd.get(), d.path));
  CODEXOS_TRY(check_object(st, d.dev, d.ino, d.path));
  return fd;
}

Result<OverlayDirs> open_dirs(Sandbox& s, const Overlay& o, int& scratch) {
  OverlayDirs out;
  for (const auto& d : o.lowers) {
    CODEXOS_ASSIGN(Fd fd, open_dir(s, d, scratch));
    out.lowers.push_back(std::move(fd));
  }
  CODEXOS_ASSIGN(out.layer, open_dir(s, o.layer, scratch));
  return out;
}

Status clear_scratch(const Sandbox& s, int scratch) {
  for (int i = 0; i < scratch; ++i) {
    const std::string name = scratch_name(i);
    const Fd at(openat(s.root.get(), name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    const std::string path = "/proc/self/fd/" + std::to_string(at.get());
    if (!at || umount2(path.c_str(), MNT_DETACH) < 0)
      return errno_error("take away scratch mount", errno);
    unlinkat(s.root.get(), name.c_str(), AT_REMOVEDIR);
  }
  if (scratch > 0) unlinkat(s.root.get(), kScratch, AT_REMOVEDIR);
  return {};
}

Result<Fd> mount_overlay(const OverlayDirs& dirs) {
  const auto part = [&dirs](const char* name) {
    return Fd(openat(dirs.layer.get(), name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  };
  const Fd upper = part("upper");
  const Fd work = part("work");
  if (!upper || !work) return errno_error("open the layer", errno);
  std::vector<int> lowers;
  for (const auto& fd : dirs.lowers) lowers.push_back(fd.get());
  return new_overlay(lowers, upper.get(), work.get());
}

// Before Linux 6.13. Paths in overlay options cannot hold ':' or ',': layers are named by
// descriptor.
Status mount_overlay_by_name(const OverlayDirs& dirs, int at) {
  std::string lower;
  for (const auto& fd : dirs.lowers)
    lower += (lower.empty() ? "" : ":") + std::string("/proc/self/fd/") + std::to_string(fd.get());
  const std::string base = "/proc/self/fd/" + std::to_string(dirs.layer.get());
  const std::string options =
      "lowerdir=" + lower + ",upperdir=" + base + "/upper,workdir=" + base + "/work,userxattr";
  const std::string target = "/proc/self/fd/" + std::to_string(at);
  if (mount("overlay", target.c_str(), "overlay", MS_NOSUID | MS_NODEV, options.c_str()) < 0)
    return errno_error("mount overlay", errno);
  return {};
}

Status put_overlay(Sandbox& s, const Overlay& o, int& scratch) {
  CODEXOS_ASSIGN(const Fd at, make_dirs_below(s.root.get(), o.target));
  if (o.ready) return attach_mount(s.ahead.get(), at.get());
  CODEXOS_ASSIGN(const OverlayDirs dirs, open_dirs(s, o, scratch));
  if (s.job->disk_bytes != 0)
    s.layers.emplace_back(
        openat(dirs.layer.get(), "upper", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (const auto mounted = mount_overlay(dirs); mounted.ok())
    return attach_mount(mounted->get(), at.get());
  return mount_overlay_by_name(dirs, at.get());
}

}  // namespace

Status put_job_mounts(Sandbox& s) {
  s.job_began = true;
  for (const auto& m : s.job->mounts)
    if (!is_after_overlays(m)) CODEXOS_TRY(put_mount(s, m, *s.job_fds));
  return find_copies(s);
}

Status put_overlays(Sandbox& s) {
  int scratch = 0;
  for (const auto& o : s.job->overlays) {
    Status done = put_overlay(s, o, scratch);
    if (!done) return std::move(done).error().during("hold back changes of " + o.target);
  }
  return clear_scratch(s, scratch);
}

Status put_write_through(Sandbox& s) {
  forget_parent(s);  // it may lie below an overlay now
  for (const auto& m : s.job->mounts)
    if (is_after_overlays(m)) CODEXOS_TRY(put_mount(s, m, *s.job_fds));
  return {};
}

// A namespace without redirection has a listener for each port instead.
Status listen_on_ports_of_rules(Sandbox& s) {
  if (s.view->network.empty() || s.network.sockets.redirected) return {};
  if (s.job->too_many_net_ports)
    return Error{Code::unavailable,
                 "the kernel has no nf_tables, and the rules name too many ports to listen on each",
                 {}};
  for (const int32_t port : s.job->net_ports) {
    Status done = listen_for_names(port, s.network);
    if (!done) return std::move(done).error().during("port " + std::to_string(port));
  }
  return {};
}

// Ports of the host's loopback that the daemon shows here.
Status listen_for_host_ports(Sandbox& s) {
  for (const int32_t port : s.job->reach_ports) {
    Status done = listen_for_reach(port, s.network);
    if (!done) return std::move(done).error().during("port " + std::to_string(port));
  }
  return {};
}

Status leave_host(Sandbox& s) {
  if (s.inside) return {};
  forget_parent(s);
  CODEXOS_TRY(enter_root(s.root.get()));
  s.inside = true;
  return {};
}

/// Ahead of time, where nothing of the host's is opened by name any more: what a view shows comes
/// as descriptors all or not at all (a root daemon), and so does what its jobs add.
Status leave_host_early(Sandbox& s) {
  for (const auto& m : s.view->mounts)
    if (m.kind == MountKind::bind && m.fd >= 0) return leave_host(s);
  return {};
}

Status make_root_read_only(Sandbox& s) {
  forget_parent(s);
  MountFlags flags;
  flags.read_only = true;
  CODEXOS_TRY(set_mount(s.root.get(), flags, Recurse::no));
  for (const auto& fd : s.seal) CODEXOS_TRY(set_mount(fd.get(), flags, Recurse::no));
  s.seal.clear();
  s.root.reset();
  for (auto& fd : *s.view_fds) fd.reset();
  return {};
}

Status mount_ahead(Sandbox& s, const Overlay& o) {
  s.job_began = true;
  forget_parent(s);
  int scratch = 0;
  auto mounted = [&]() -> Result<Fd> {
    CODEXOS_ASSIGN(const OverlayDirs dirs, open_dirs(s, o, scratch));
    return mount_overlay(dirs);
  }();
  CODEXOS_TRY(clear_scratch(s, scratch));
  if (!mounted.ok()) return std::move(mounted).error();
  s.ahead = *std::move(mounted);
  return {};
}

}  // namespace codexos::exec

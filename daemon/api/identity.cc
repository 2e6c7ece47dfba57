// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/identity.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

#include "core/os/process_tree.h"
#include "core/os/spawn.h"

namespace codexos::daemon {
namespace {

// include/uapi/linux/pidfd.h, kernel 6.11 on.
constexpr unsigned long kPidfdGetPidNamespace = _IO(0xFF, 5);
constexpr unsigned long kPidfdGetUserNamespace = _IO(0xFF, 9);

constexpr long kNsfsMagic = 0x6e736673;  // include/uapi/linux/magic.h

Error refuse(const char* why) {
  return Error{Code::denied, std::string("the caller is refused: ") + why,
               "the daemon answers only its own user, from outside of every task"};
}

bool is_user_namespace(int fd) {
  struct statfs fs {};
  // First the file system: to anything else the number of the ioctl may mean something.
  if (fstatfs(fd, &fs) != 0 || fs.f_type != kNsfsMagic) return false;
  return ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWUSER;
}

}  // namespace

Result<PeerCheck::Inode> PeerCheck::inode_of(int fd) {
  struct stat st {};
  if (fd < 0 || fstat(fd, &st) < 0) return errno_error("look at a namespace", errno);
  return Inode{st.st_dev, st.st_ino};
}

Result<PeerCheck> PeerCheck::make(uid_t own_uid) {
  PeerCheck c;
  c.uid_ = own_uid;
  const Fd user(open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC));
  const Fd pid(open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC));
  CODEXOS_ASSIGN(c.user_ns_, inode_of(user.get()));
  CODEXOS_ASSIGN(c.pid_ns_, inode_of(pid.get()));
  CODEXOS_ASSIGN(const Fd self, open_pidfd(getpid()));
  const Fd probe(ioctl(self.get(), kPidfdGetUserNamespace, 0));
  c.pidfd_namespaces_ = static_cast<bool>(probe);
  return c;
}

Status PeerCheck::check_pidfd(int pidfd) const {
  if (pidfd < 0) return refuse("its process is not known");
  const Fd user(ioctl(pidfd, kPidfdGetUserNamespace, 0));
  const Fd pid(ioctl(pidfd, kPidfdGetPidNamespace, 0));
  if (!user || !pid) return refuse("its namespaces cannot be looked at");
  CODEXOS_ASSIGN(const Inode user_ns, inode_of(user.get()));
  CODEXOS_ASSIGN(const Inode pid_ns, inode_of(pid.get()));
  if (!(user_ns == user_ns_) || !(pid_ns == pid_ns_)) return refuse("it runs in other namespaces");
  return {};
}

// Socket calls are refused to such a task, so nothing of it should ever come here.
Status PeerCheck::check_descent(pid_t pid) const {
  const auto keepers = keepers_ ? keepers_() : std::vector<pid_t>();
  if (keepers.empty()) return {};
  const auto descends = descends_from(pid, keepers, real_parent_of);
  if (!descends) return refuse("who started it cannot be looked at");
  return *descends ? Status(refuse("it belongs to a task")) : Status();
}

Result<Identity> PeerCheck::check(const SenderId& sender, std::vector<Fd>& fds,
                                  bool& namespace_shown) const {
  if (sender.uid != uid_) return refuse("it is another user");
  if (sender.pid <= 0) return refuse("its process is not in the daemon's namespace");
  if (pidfd_namespaces_) CODEXOS_TRY(check_pidfd(sender.pidfd.get()));
  CODEXOS_TRY(check_descent(sender.pid));
  // A task cannot get a descriptor of the namespace it was born from, so showing it is a proof.
  if (!fds.empty() && is_user_namespace(fds.front().get())) {
    CODEXOS_ASSIGN(const Inode shown, inode_of(fds.front().get()));
    if (!(shown == user_ns_)) return refuse("it runs in another user namespace");
    namespace_shown = true;
    fds.erase(fds.begin());
  }
  if (!pidfd_namespaces_ && !namespace_shown)
    return Error{
        Code::denied,
        "the caller did not show its user namespace, which this kernel needs (before 6.11)",
        "use codexos, or a client that passes /proc/self/ns/user"};
  return Identity{sender.uid, sender.gid, sender.pid, "default"};
}

}  // namespace codexos::daemon

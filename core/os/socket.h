// SPDX-License-Identifier: Apache-2.0
// Unix sockets (unix(7)): listening, connecting with paths of any length, and messages with
// descriptors and sender credentials.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"

namespace codexos {

enum class SocketType { stream, seqpacket };

/// Binds and listens, mode 0600, CLOEXEC, non-blocking. Paths above 107 bytes go through
/// /proc/self/fd/N of the parent folder. A leftover socket file is replaced: hold the lock first.
Result<Fd> listen_unix(const std::string& path, SocketType type);
/// Connects, blocking. Error unavailable: nobody listens (ENOENT, ECONNREFUSED).
Result<Fd> connect_unix(const std::string& path, SocketType type);
Result<std::pair<Fd, Fd>> socket_pair(SocketType type);

struct SenderId {  // SCM_CREDENTIALS (as translated into our namespaces) and SCM_PIDFD where the
                   // kernel has it
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  Fd pidfd;
};

struct Received {
  size_t bytes = 0;  // 0: end of stream
  std::vector<Fd> fds;
  std::optional<SenderId> sender;  // only with SO_PASSCRED set
};

/// recvmsg(2) with MSG_CMSG_CLOEXEC. Error with `would_block` true in `again` when nothing is
/// there. `again` is set instead of an error for EAGAIN. Truncated control data is an error. A peer
/// that closed before it read all of ours (ECONNRESET, unix(7)) is an end of stream like any other.
Result<Received> receive(int fd, char* to, size_t room, bool& again);
/// sendmsg(2) with MSG_NOSIGNAL; returns bytes taken. EAGAIN: 0 with again = true.
Result<size_t> send_bytes(int fd, std::string_view bytes, const std::vector<int>& fds, bool& again);

/// SO_PASSCRED, and SO_PASSPIDFD where the kernel has it (6.5 on). Returns whether pidfds will
/// come.
bool want_sender_id(int fd);

}  // namespace codexos

// SPDX-License-Identifier: Apache-2.0
// The link between daemon and helper or shim: one message a packet on a SOCK_SEQPACKET socket, laid
// out as core/base/frames.h says, with descriptors beside it (unix(7), SCM_RIGHTS). A payload above
// kMaxLinkInline travels in a sealed memfd. Leaves out what the messages mean.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/frames.h"

namespace codexos {

struct LinkMessage {
  LinkType type = LinkType::abort;
  std::string payload;  // to_binary() of the type's struct
  std::vector<Fd> fds;  // CLOEXEC; without the memfd of a long payload
};

/// Sends one message, waiting for room when there is none. The descriptors stay the caller's.
/// Error unavailable: the other side is gone.
Status send_link(int fd, LinkType type, std::string_view payload, const std::vector<int>& fds);
/// The same without waiting. Error exhausted: the other side does not read.
Status try_send_link(int fd, LinkType type, std::string_view payload, const std::vector<int>& fds);

/// Waits for one message. Error unavailable: the other side closed; invalid: not a message.
Result<LinkMessage> recv_link(int fd);
/// The same without waiting: nothing when no message is there.
Result<std::optional<LinkMessage>> try_recv_link(int fd);

}  // namespace codexos

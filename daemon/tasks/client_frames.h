// SPDX-License-Identifier: Apache-2.0
// The few frames that the daemon itself writes to a client: a note before the program runs, and the
// exit frame of a task whose sandbox did not come up. Everything else is the shim's.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "core/base/binary.h"
#include "core/base/frames.h"

namespace codexos::daemon {

inline std::string make_frame(FrameType type, const std::string& body) {
  FrameHeader h;
  h.type = static_cast<uint8_t>(type);
  h.length = static_cast<uint32_t>(body.size());
  return std::string(reinterpret_cast<const char*>(&h), sizeof h) + body;
}

/// Both write at once or not at all: the connection is new, its buffer empty, and a client that is
/// gone needs no frame. Notes: one frame for each line.
inline void send_notes(int fd, std::string_view lines) {
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    const std::string frame = make_frame(FrameType::note, std::string(lines.substr(0, end)));
    (void)!::send(fd, frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
}
inline void send_exit(int fd, const ExitFrame& exit) {
  const std::string frame = make_frame(FrameType::exit, to_binary(exit));
  (void)!::send(fd, frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace codexos::daemon

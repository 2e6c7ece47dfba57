// SPDX-License-Identifier: Apache-2.0
// The few frames that the daemon itself writes to a client: a note before the program runs, and the
// exit frame of a task whose sandbox did not come up. Everything else is the shim's.
#pragma once

#include <sys/socket.h>

#include <string>

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
/// gone needs no frame.
inline void send_note(int fd, const std::string& text) {
  const std::string frame = make_frame(FrameType::note, text);
  (void)!::send(fd, frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}
inline void send_exit(int fd, const ExitFrame& exit) {
  const std::string frame = make_frame(FrameType::exit, to_binary(exit));
  (void)!::send(fd, frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace codexos::daemon

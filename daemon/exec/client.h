// SPDX-License-Identifier: Apache-2.0
// One client's connection: frames in, frames out (core/base/frames.h). Never blocks. What it has
// not taken waits in a queue of about kQueue bytes at most; more is not offered (Stream follows).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/fd.h"
#include "core/base/frames.h"
#include "daemon/exec/poll_set.h"

namespace codexos::exec {

/// A received frame; of `input` also a part of one.
struct ClientFrame {
  FrameType type = FrameType::input;
  uint8_t stream = 0;
  std::string_view payload;

  /// A little endian number of `bytes` bytes at `at`; 0 when the payload is shorter.
  uint32_t number(size_t at, size_t bytes) const;
};

class Client {
 public:
  static constexpr size_t kQueue = 64 * 1024;
  static constexpr size_t kStreams = 3;  // numbers 0, 1, 2

  explicit Client(Fd fd) : fd_(std::move(fd)) {}

  bool open() const { return static_cast<bool>(fd_); }
  int fd() const { return fd_.get(); }
  void close() { fd_.reset(); }

  /// Reads what is there into the chunk, at most `room` bytes. False: the client is gone.
  bool receive(size_t room);
  /// The next frame of what receive() read.
  bool next(ClientFrame& out);

  bool has_room() const { return waiting() < kQueue; }
  bool idle() const { return waiting() == 0; }
  void send(FrameType type, uint8_t stream, std::string_view payload);
  /// The same, but flush() sends it: so that several frames wake the client once.
  void put(FrameType type, uint8_t stream, std::string_view payload);
  void send_number(FrameType type, uint32_t number);
  void flush();
  void watch(PollSet& polls, bool read);
  short ready(const PollSet& polls) const { return open() ? polls.ready(poll_) : short{0}; }

  bool owner = false;
  bool wants_input = false;
  bool exit_sent = false;
  uint32_t input_on_way = 0;  // received, not yet taken by the program
  /// Offset up to which each stream was sent, or kNotSent.
  static constexpr uint64_t kNotSent = ~uint64_t{0};
  std::array<uint64_t, kStreams> cursor{kNotSent, kNotSent, kNotSent};

 private:
  size_t waiting() const { return queue_.size() - sent_; }
  bool start_frame();

  Fd fd_;
  std::string queue_;
  size_t sent_ = 0;
  std::string_view unread_;  // in the chunk
  // Header and payload (not input's) may come in pieces.
  std::array<char, sizeof(FrameHeader) + 16> partial_{};
  size_t have_ = 0;
  uint32_t input_left_ = 0;
  uint32_t skip_left_ = 0;
  int poll_ = -1;
};

}  // namespace codexos::exec

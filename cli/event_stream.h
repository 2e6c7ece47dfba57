// SPDX-License-Identifier: Apache-2.0
// A task's events and output lines, read on a connection of their own beside the relay. A stream
// that is cut, because the daemon ended, is asked for again from where it was, of a daemon that is
// started for it: the task's end is told whoever records it.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cli/client.h"

namespace codexos::cli {

class EventStream {
 public:
  using OnLine = std::function<Status(std::string_view line)>;
  /// `on_line` fails when our stdout does.
  EventStream(Client& client, OnLine on_line) : client_(client), on_line_(std::move(on_line)) {}

  Status open(const std::string& task);
  /// -1: there is no more.
  int fd() const { return stream_ ? stream_->fd() : -1; }
  /// False: there is no more.
  bool pump();
  /// All that is left, up to the task's end.
  Status finish();

 private:
  bool keep(bool more);
  Status connect_again();
  Status connect();
  Status take(std::string_view line);
  Status note_place(std::string_view line);

  Client& client_;
  OnLine on_line_;
  std::string task_;
  std::optional<LineStream> stream_;  // none: there is no more
  std::optional<Error> failed_;
  int64_t seq_ = 0;
  std::array<uint64_t, 2> next_{};  // offsets in stdout and stderr
  bool ended_ = false;
  bool printed_ = true;  // false: our stdout failed
  int cuts_ = 0;         // since the last line
};

}  // namespace codexos::cli

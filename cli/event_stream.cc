// SPDX-License-Identifier: Apache-2.0
#include "cli/event_stream.h"

#include <poll.h>

#include "core/base/text.h"
#include "core/json/json.h"
#include "core/wire/event.h"

namespace codexos::cli {
namespace {

constexpr int kMaxCuts = 5;

}  // namespace

Status EventStream::open(const std::string& task) {
  task_ = task;
  return connect();
}

bool EventStream::pump() {
  if (!stream_) return false;
  const auto r = stream_->read([this](std::string_view line) { return take(line); });
  if (r.ok()) return keep(*r);
  failed_ = r.error();
  if (!printed_ || failed_->code != Code::unavailable || ++cuts_ > kMaxCuts) return keep(false);
  // A daemon that cannot be started now may be there for finish().
  if (const auto again = connect_again(); !again.ok()) {
    failed_ = again.error();
    return keep(false);
  }
  failed_.reset();
  return true;
}

Status EventStream::finish() {
  if (failed_ && printed_ && !ended_ && cuts_ <= kMaxCuts && connect().ok()) failed_.reset();
  while (stream_) pump();
  if (failed_) return *failed_;
  return {};
}

bool EventStream::keep(bool more) {
  if (!more) stream_.reset();
  return more;
}

/// A daemon that is about to be gone may still take the connection, and drop it.
Status EventStream::connect_again() {
  constexpr int kTries = 10, kPauseMs = 30;
  Status last = connect();
  for (int n = 1; n < kTries && !last.ok() && last.error().code == Code::unavailable; ++n) {
    poll(nullptr, 0, kPauseMs);
    last = connect();
  }
  return last;
}

Status EventStream::connect() {
  CODEXOS_ASSIGN(auto s, client_.open_stream(Request{"GET",
                                                     task_path(task_, "stream"),
                                                     {{"follow", "1"},
                                                      {"since", std::to_string(seq_)},
                                                      {"from_stdout", std::to_string(next_[0])},
                                                      {"from_stderr", std::to_string(next_[1])}},
                                                     {}}));
  stream_.emplace(std::move(s));
  return {};
}

Status EventStream::take(std::string_view line) {
  CODEXOS_TRY(note_place(line));
  const Status printed = on_line_(line);
  printed_ = printed.ok();
  cuts_ = 0;
  return printed;
}

/// Where to go on: behind the last event, and behind the last byte of each stream.
Status EventStream::note_place(std::string_view line) {
  constexpr std::string_view kOutput = R"({"type":"output")";
  if (!line.starts_with(kOutput)) {
    CODEXOS_ASSIGN(const auto event, json::decode<wire::Event>(line, json::Unknown::ignore));
    seq_ = event.seq;
    ended_ = event.type == wire::EventType::task_ended;
    return {};
  }
  CODEXOS_ASSIGN(const auto piece, json::decode<wire::OutputLine>(line, json::Unknown::ignore));
  CODEXOS_ASSIGN(const std::string bytes, from_base64(piece.base64));
  next_[piece.stream == "stdout" ? 0 : 1] = piece.offset + piece.text.size() + bytes.size();
  return {};
}

}  // namespace codexos::cli

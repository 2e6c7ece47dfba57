// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/logs.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "core/base/plan.h"
#include "core/base/text.h"
#include "core/os/file.h"

namespace codexos::daemon {
namespace {

constexpr size_t kPiece = 64 * 1024;
constexpr std::array<const char*, 2> kStreams = {"stdout", "stderr"};

/// Length of the character that begins with `lead`, 0: not a lead byte.
size_t sequence_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead < 0xe0) return 2;
  if (lead >= 0xe0 && lead < 0xf0) return 3;
  if (lead >= 0xf0 && lead < 0xf5) return 4;
  return 0;
}
bool is_continuation(unsigned char c) { return (c & 0xc0) == 0x80; }

}  // namespace

size_t cut_utf8_tail(std::string_view s) {
  for (size_t back = 1; back <= 3 && back <= s.size(); ++back) {
    const auto c = static_cast<unsigned char>(s[s.size() - back]);
    if (is_continuation(c)) continue;
    return sequence_length(c) > back ? back : 0;
  }
  return 0;
}

LogReader::LogReader(TaskPaths paths, std::string task)
    : paths_(std::move(paths)), task_(std::move(task)), layout_{Job{}.log_cap_bytes} {}

Status LogReader::refresh() {
  for (int s = 0; s < 2; ++s) {
    Fd& fd = logs_[static_cast<size_t>(s)];
    if (fd) continue;
    CODEXOS_ASSIGN(fd, open_file(paths_.log(s), O_RDONLY | O_CLOEXEC));
  }
  if (!record_) {
    CODEXOS_ASSIGN(record_, open_file(paths_.record(), O_RDONLY | O_CLOEXEC));
  }
  constexpr size_t kLive = offsetof(Record, stream_bytes);
  Record r{};
  if (pread(record_.get(), reinterpret_cast<char*>(&r) + kLive, sizeof r - kLive, kLive) !=
      static_cast<ssize_t>(sizeof r - kLive))
    return errno_error("read " + paths_.record(), errno);
  if (r.log_cap_bytes != 0) layout_.cap = r.log_cap_bytes;
  total_ = {r.stream_bytes[0], r.stream_bytes[1]};
  errors_ = {static_cast<int>(r.log_errors[0]), static_cast<int>(r.log_errors[1])};
  return {};
}

Result<std::string> LogReader::read_at(int stream, uint64_t offset, size_t n) {
  // Not over the end of the head nor of the ring: there the file does not go on where the stream
  // does.
  const uint64_t position = layout_.position(offset);
  const uint64_t edge = position < layout_.head() ? layout_.head() : layout_.cap;
  std::string out(std::min<uint64_t>(n, edge - position), '\0');
  const ssize_t got = pread(logs_[static_cast<size_t>(stream)].get(), out.data(), out.size(),
                            static_cast<off_t>(position));
  if (got < 0) return errno_error("read " + paths_.log(stream), errno);
  out.resize(static_cast<size_t>(got));
  return out;
}

Status LogReader::seek_tail(uint64_t lines) {
  CODEXOS_TRY(refresh());
  for (int stream = 0; stream < 2; ++stream) {
    const uint64_t total = total_[static_cast<size_t>(stream)];
    uint64_t at = total;
    uint64_t seen = 0;
    bool found = false;
    while (at > 0 && !found) {
      // Within one stretch of the file: back to the edge of the ring, the tail or the head.
      const uint64_t tail = layout_.tail_begin(total);
      if (at > layout_.head() && at <= tail) at = layout_.head();
      uint64_t begin = at > kPiece ? at - kPiece : 0;
      if (at > layout_.head()) {
        const uint64_t ring = layout_.cap - layout_.head();
        const uint64_t lap = layout_.head() + (at - 1 - layout_.head()) / ring * ring;
        begin = std::max({begin, lap, tail});
      }
      CODEXOS_ASSIGN(const std::string piece,
                     read_at(stream, begin, static_cast<size_t>(at - begin)));
      for (size_t i = piece.size(); i > 0 && !found; --i) {
        // A newline at the very end closes the last line, it does not begin another.
        if (piece[i - 1] != '\n' || begin + i == total) continue;
        if (++seen < lines) continue;
        seek(stream, begin + i);
        found = true;
      }
      at = begin;
    }
    if (!found) seek(stream, 0);
    if (lines == 0) seek(stream, total);
  }
  return {};
}

Result<std::optional<wire::OutputLine>> LogReader::next(int stream, bool final) {
  const auto n = static_cast<size_t>(stream);
  wire::OutputLine line;
  while (at_[n] < total_[n]) {
    const uint64_t tail = layout_.tail_begin(total_[n]);
    if (at_[n] >= layout_.head() && at_[n] < tail) {
      line.skipped = line.skipped.value_or(0) + (tail - at_[n]);
      at_[n] = tail;
    }
    const auto want = static_cast<size_t>(std::min<uint64_t>(kPiece, total_[n] - at_[n]));
    CODEXOS_ASSIGN(std::string bytes, read_at(stream, at_[n], want));
    if (bytes.empty()) return std::optional<wire::OutputLine>();
    CODEXOS_TRY(refresh());
    // The ring went over what we just read: it is not what we think.
    if (at_[n] >= layout_.head() && at_[n] < layout_.tail_begin(total_[n])) continue;
    const size_t cut = cut_utf8_tail(bytes);
    const bool at_end = at_[n] + bytes.size() == total_[n];
    if (cut > 0 && !(final && at_end) && is_utf8({bytes.data(), bytes.size() - cut})) {
      bytes.resize(bytes.size() - cut);
      if (bytes.empty() && at_end) return std::optional<wire::OutputLine>();
      if (bytes.empty()) {  // the edge of head or ring cuts it
        CODEXOS_ASSIGN(bytes, read_at(stream, at_[n], cut));
      }
    }
    line.task = task_;
    line.stream = kStreams[n];
    line.offset = at_[n];
    at_[n] += bytes.size();
    if (is_utf8(bytes))
      line.text = std::move(bytes);
    else
      line.base64 = to_base64(bytes);
    return std::optional<wire::OutputLine>(std::move(line));
  }
  if (errors_[n] == 0 || std::exchange(cut_told_[n], true))
    return std::optional<wire::OutputLine>();
  line.task = task_;
  line.stream = kStreams[n];
  line.offset = at_[n];
  line.cut = std::strerror(errors_[n]);
  return std::optional<wire::OutputLine>(std::move(line));
}

}  // namespace codexos::daemon

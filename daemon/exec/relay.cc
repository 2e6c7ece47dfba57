// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/relay.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "daemon/exec/chunk.h"

namespace codexos::exec {
namespace {

// A pipe of 1 MiB doubles the throughput, but pipes count against a limit per user
// (pipe-user-pages-soft, 64 MiB by default), so only streams that are busy get one.
constexpr int kPipeBytes = 1 << 20;
constexpr uint64_t kBusyBytes = 1 << 20;

void grow(int pipe) { (void)fcntl(pipe, F_SETPIPE_SZ, kPipeBytes); }

}  // namespace

Outlet::Outlet(Fd fd) : fd_(std::move(fd)) {
  struct stat st {};
  if (fd_ && fstat(fd_.get(), &st) == 0) pipe_ = S_ISFIFO(st.st_mode);
}

void Outlet::close() {
  fd_.reset();
  queue_in_.reset();
  queue_out_.reset();
  queued_ = 0;
}

void Outlet::fail(int error) {
  if (error != EPIPE) error_ = error;
  close();
}

bool Outlet::make_queue() {
  if (queue_in_) return true;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return false;
  queue_out_.reset(ends[0]);
  queue_in_.reset(ends[1]);
  return true;
}

ssize_t Outlet::tee_from(int source, size_t limit) {
  if (!make_queue()) return -1;
  ssize_t n = 0;
  do n = tee(source, queue_in_.get(), limit, SPLICE_F_NONBLOCK);
  while (n < 0 && errno == EINTR);
  if (n <= 0) return n;
  queued_ += static_cast<size_t>(n);
  cursor_ += static_cast<uint64_t>(n);
  if (cursor_ > kBusyBytes && cursor_ - static_cast<uint64_t>(n) <= kBusyBytes)
    grow(queue_in_.get());
  return n;
}

size_t Outlet::take(std::string_view bytes) {
  if (!pipe_) return write_plain(bytes);
  if (!make_queue()) {
    fail(errno);
    return 0;
  }
  ssize_t n = 0;
  do n = write(queue_in_.get(), bytes.data(), bytes.size());
  while (n < 0 && errno == EINTR);
  if (n <= 0) return 0;
  queued_ += static_cast<size_t>(n);
  cursor_ += static_cast<uint64_t>(n);
  flush();
  return static_cast<size_t>(n);
}

size_t Outlet::write_plain(std::string_view bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = write(fd_.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      fail(n < 0 ? errno : EIO);
      break;
    }
    done += static_cast<size_t>(n);
  }
  cursor_ += done;
  return done;
}

void Outlet::flush() {
  while (open() && queued_ > 0) {
    const ssize_t n =
        splice(queue_out_.get(), nullptr, fd_.get(), nullptr, queued_, SPLICE_F_NONBLOCK);
    if (n > 0) {
      queued_ -= static_cast<size_t>(n);
    } else if (n < 0 && errno == EAGAIN) {
      return;
    } else if (n == 0 || errno != EINTR) {
      return fail(n < 0 ? errno : EIO);
    }
  }
}

void Outlet::watch(PollSet& polls) {
  poll_ = pipe_ ? polls.add(fd_.get(), queued_ > 0 ? POLLOUT : short{0}) : -1;
}

void Outlet::react(const PollSet& polls) {
  const short ready = open() ? polls.ready(poll_) : short{0};
  if ((ready & POLLERR) != 0)
    close();
  else if ((ready & POLLOUT) != 0)
    flush();
}

void Stream::grow_when_busy() {
  if (grown_ || !is_pipe_ || total_ < kBusyBytes) return;
  grown_ = true;
  grow(source_.get());
}

void Stream::mask_by(const Redactor& by) {
  const std::string held(mask_ ? mask_->held() : std::string_view());
  mask_.emplace(by);
  keep(held, total_ - held.size());
}

void Stream::keep(std::string_view bytes, uint64_t offset) {
  if (!mask_) return log.write(bytes, offset);
  static std::string decided;  // one for all, like the chunk
  decided.clear();
  const uint64_t from = offset - mask_->held().size();
  mask_->feed(bytes, decided);
  log.write(decided, from);
}

void Stream::close() {
  source_.reset();
  if (!mask_) return;
  const uint64_t from = logged();
  std::string rest;
  mask_->finish(rest);
  log.write(rest, from);
}

size_t Stream::read_back(uint64_t offset, char* to, size_t room) const {
  if (offset < logged()) return log.read(offset, logged(), to, room);
  if (offset >= total_) return 0;
  return mask_->held().copy(to, room, offset - logged());
}

Stream::Pull Stream::pull_spliced() {
  const ssize_t n = outlet.tee_from(source_.get(), kPipeBytes);
  if (n == 0) return Pull::end;
  if (n < 0) return Pull::none;
  log.take_from(source_.get(), static_cast<size_t>(n), total_);
  total_ += static_cast<uint64_t>(n);
  outlet.flush();
  grow_when_busy();
  return Pull::some;
}

Stream::Pull Stream::pull_bytes(std::string_view& out) {
  ssize_t n = 0;
  do n = read(source_.get(), chunk(), kChunk);
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) return Pull::none;
  if (n <= 0) return Pull::end;  // a terminal without a program reports EIO
  out = std::string_view(chunk(), static_cast<size_t>(n));
  keep(out, total_);
  const bool direct = outlet.open() && outlet.cursor() == total_;
  total_ += out.size();
  if (direct) {
    const size_t taken = outlet.take(out);
    if (mask_) behind_ = out.substr(taken);
  }
  grow_when_busy();
  return Pull::some;
}

void Stream::feed_outlet() {
  while (outlet.open() && outlet.idle() && !behind_.empty()) {
    const size_t taken = outlet.take(behind_);
    if (taken == 0) return;
    behind_.erase(0, taken);
  }
  while (outlet.open() && outlet.idle() && outlet.cursor() < total_) {
    const size_t n = read_back(outlet.cursor(), chunk(), kChunk);
    if (n == 0) return outlet.lose();  // the log failed: nothing more can be given
    if (outlet.take({chunk(), n}) == 0) return;
  }
}

}  // namespace codexos::exec

// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/client.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "daemon/exec/chunk.h"

namespace codexos::exec {

uint32_t ClientFrame::number(size_t at, size_t bytes) const {
  uint32_t out = 0;
  if (payload.size() >= at + bytes) std::memcpy(&out, payload.data() + at, bytes);
  return out;
}

bool Client::receive(size_t room) {
  ssize_t n = 0;
  do n = recv(fd_.get(), chunk(), std::min(room, kChunk), MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) return true;
  if (n <= 0) return false;
  unread_ = std::string_view(chunk(), static_cast<size_t>(n));
  return true;
}

// Completes the header, and the payload of the small frames. False: more must come first.
bool Client::start_frame() {
  FrameHeader h;
  size_t want = sizeof h;
  for (int part = 0; part < 2; ++part) {
    const size_t n = have_ < want ? std::min(want - have_, unread_.size()) : 0;
    std::memcpy(partial_.data() + have_, unread_.data(), n);
    have_ += n;
    unread_.remove_prefix(n);
    if (have_ < want) return false;
    std::memcpy(&h, partial_.data(), sizeof h);
    if (h.type == static_cast<uint8_t>(FrameType::input)) return true;
    want = std::min(sizeof h + h.length, partial_.size());
    if (have_ >= want) return true;
  }
  return have_ >= want;
}

bool Client::next(ClientFrame& out) {
  for (;;) {
    const size_t skip = std::min<size_t>(skip_left_, unread_.size());
    unread_.remove_prefix(skip);
    skip_left_ -= static_cast<uint32_t>(skip);
    if (unread_.empty()) return false;
    if (input_left_ == 0) {
      if (!start_frame()) return false;
      FrameHeader h;
      std::memcpy(&h, partial_.data(), sizeof h);
      const size_t have = std::exchange(have_, 0);
      out.type = static_cast<FrameType>(h.type);
      out.stream = h.stream;
      if (out.type != FrameType::input) {
        out.payload = {partial_.data() + sizeof h, have - sizeof h};
        skip_left_ = h.length - static_cast<uint32_t>(have - sizeof h);
        return true;
      }
      input_left_ = h.length;
      continue;
    }
    out.type = FrameType::input;
    out.stream = 0;
    out.payload = unread_.substr(0, input_left_);
    unread_.remove_prefix(out.payload.size());
    input_left_ -= static_cast<uint32_t>(out.payload.size());
    return true;
  }
}

void Client::send(FrameType type, uint8_t stream, std::string_view payload) {
  if (!open()) return;
  const FrameHeader h{static_cast<uint8_t>(type), stream, 0, static_cast<uint32_t>(payload.size())};
  const std::string_view head(reinterpret_cast<const char*>(&h), sizeof h);
  size_t done = 0;
  if (idle()) {
    iovec parts[2] = {{const_cast<char*>(head.data()), head.size()},
                      {const_cast<char*>(payload.data()), payload.size()}};
    msghdr m{};
    m.msg_iov = parts;
    m.msg_iovlen = 2;
    const ssize_t n = sendmsg(fd_.get(), &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) done = static_cast<size_t>(n);
  }
  if (done < head.size()) queue_.append(head.substr(done));
  const size_t sent = done > head.size() ? done - head.size() : 0;
  queue_.append(payload.substr(sent));
}

void Client::put(FrameType type, uint8_t stream, std::string_view payload) {
  const FrameHeader h{static_cast<uint8_t>(type), stream, 0, static_cast<uint32_t>(payload.size())};
  queue_.append(reinterpret_cast<const char*>(&h), sizeof h).append(payload);
}

void Client::send_number(FrameType type, uint32_t number) {
  send(type, 0, {reinterpret_cast<const char*>(&number), sizeof number});
}

void Client::flush() {
  while (open() && !idle()) {
    const ssize_t n =
        ::send(fd_.get(), queue_.data() + sent_, waiting(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;  // EAGAIN, or gone: then reading says so
    sent_ += static_cast<size_t>(n);
  }
  if (idle()) {
    queue_.clear();
    sent_ = 0;
  } else if (sent_ >= kQueue) {
    queue_.erase(0, sent_);
    sent_ = 0;
  }
}

void Client::watch(PollSet& polls, bool read) {
  short events = read ? POLLIN : short{0};
  if (!idle()) events = static_cast<short>(events | POLLOUT);
  poll_ = polls.add(fd_.get(), events);
}

}  // namespace codexos::exec

// SPDX-License-Identifier: Apache-2.0
#include "daemon/ssh/broker.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "core/base/log.h"
#include "core/base/ssh_wire.h"

namespace codexos::daemon {
namespace {

constexpr size_t kMaxClients = 32;
constexpr size_t kLength = 4;              // of a message, in front of it
constexpr size_t kMaxUnsent = 64 << 10;    // then a client is read no further
constexpr int kMaxRefusals = 8;            // of one connection, before it is closed
constexpr int64_t kAskMs = 5 * 60 * 1000;  // the agent may ask the user first
constexpr int64_t kPauseAcceptMs = 100;    // when descriptors are used up

enum class Frame { none, whole, broken };

/// Whether `bytes` begins with a message; `message` then is it, without its length.
Frame first_message(std::string_view bytes, std::string_view& message) {
  if (bytes.size() < kLength) return Frame::none;
  const uint32_t size = SshReader(bytes).number();
  if (size == 0 || size > kMaxAgentMessage) return Frame::broken;
  if (bytes.size() < kLength + size) return Frame::none;
  message = bytes.substr(kLength, size);
  return Frame::whole;
}

/// Without waiting: a queue that is full is an error like any other.
Fd connect_agent(const std::string& path) {
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  if (path.size() >= sizeof at.sun_path) return {};
  std::memcpy(at.sun_path, path.data(), path.size());
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || connect(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) < 0) return {};
  return fd;
}

/// True: it is still open. What came is appended.
bool read_some(int fd, std::string& to) {
  char buffer[16 << 10];
  const ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (n > 0) to.append(buffer, static_cast<size_t>(n));
  return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/// True: it is still open. What was taken is removed.
bool write_some(int fd, std::string& from) {
  while (!from.empty()) {
    const ssize_t n = send(fd, from.data(), from.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    from.erase(0, static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

struct SshBroker::Client {
  Client(Fd fd, SshAccessPtr access) : socket(std::move(fd)), session(std::move(access)) {}
  Fd socket;
  AgentSession session;
  std::string in, out;
  int refusals = 0;
  // While the user's agent is asked.
  Fd upstream;
  AgentSession::Answer asked;
  std::string up_in, up_out;
  Loop::TimerId timer = 0;
};

SshBroker::SshBroker(Loop& loop, SshAccessPtr access, Fd listener, Tell tell)
    : loop_(loop),
      access_(std::move(access)),
      listener_(std::move(listener)),
      tell_(std::move(tell)) {
  if (auto s =
          loop_.watch(listener_.get(), EPOLLIN, "ssh agent", [this](uint32_t) { on_accept(); });
      !s.ok())
    log_line(LogLevel::error, "ssh agent", s.error().message);
}

SshBroker::~SshBroker() {
  loop_.forget(listener_.get());
  if (pause_ != 0) loop_.cancel(pause_);
  while (!clients_.empty()) drop(clients_.begin()->first);
}

void SshBroker::on_accept() {
  Fd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!client && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
    (void)loop_.modify(listener_.get(), 0);
    pause_ = loop_.after_ms(kPauseAcceptMs, "ssh agent: accept again", [this] {
      pause_ = 0;
      (void)loop_.modify(listener_.get(), EPOLLIN);
    });
  }
  if (!client || clients_.size() >= kMaxClients) return;
  const int fd = client.get();
  if (!loop_.watch(fd, EPOLLIN, "ssh agent", [this, fd](uint32_t e) { on_client(fd, e); }).ok())
    return;
  clients_[fd] = std::make_unique<Client>(std::move(client), access_);
}

void SshBroker::on_client(int fd, uint32_t events) {
  const auto it = clients_.find(fd);
  if (it == clients_.end()) return;
  Client& c = *it->second;
  // Not read while its request is with the agent: all that can come then is its end.
  if ((events & EPOLLIN) == 0 && (events & (EPOLLHUP | EPOLLERR)) != 0) return drop(fd);
  if ((events & EPOLLIN) != 0 && !read_some(fd, c.in)) return drop(fd);
  advance(c);
}

/// Answers what it may, and waits for what is missing.
void SshBroker::advance(Client& c) {
  const int fd = c.socket.get();
  if (!write_some(fd, c.out)) return drop(fd);
  // Again where messages were left for want of room.
  for (size_t before = 0; before != c.in.size() && c.out.empty();) {
    before = c.in.size();
    if (!take_messages(c) || !write_some(fd, c.out)) return drop(fd);
  }
  if (c.refusals >= kMaxRefusals && c.out.empty()) return drop(fd);
  const bool reads = !c.upstream && c.out.size() < kMaxUnsent && c.refusals < kMaxRefusals;
  const bool writes = !c.out.empty();
  (void)loop_.modify(fd, (reads ? uint32_t{EPOLLIN} : 0) | (writes ? uint32_t{EPOLLOUT} : 0));
}

/// False: this is no client of an agent.
bool SshBroker::take_messages(Client& c) {
  while (!c.upstream && c.out.size() < kMaxUnsent && c.refusals < kMaxRefusals) {
    std::string_view message;
    const Frame frame = first_message(c.in, message);
    if (frame != Frame::whole) return frame == Frame::none;
    AgentSession::Answer a = c.session.on_message(message);
    c.in.erase(0, kLength + message.size());
    if (!a.why.empty()) refuse(c, a);
    if (a.forward.empty())
      c.out += a.reply;
    else
      ask_agent(c, std::move(a));
  }
  return true;
}

void SshBroker::refuse(Client& c, const AgentSession::Answer& what) {
  ++c.refusals;
  tell_(what);
}

void SshBroker::ask_agent(Client& c, AgentSession::Answer answer) {
  c.upstream = connect_agent(access_->agent);
  c.asked = std::move(answer);
  c.up_in.clear();
  c.up_out = std::move(c.asked.forward);
  const int fd = c.socket.get();
  const auto on_ready = [this, fd](uint32_t) { on_upstream(fd); };
  const bool is_watched =
      c.upstream &&
      loop_.watch(c.upstream.get(), EPOLLIN | EPOLLOUT, "user's ssh agent", on_ready).ok();
  if (!is_watched) {
    c.upstream.reset();
    return finish(c, {}, "your SSH agent does not answer");
  }
  c.timer = loop_.after_ms(kAskMs, "user's ssh agent", [this, fd] {
    const auto it = clients_.find(fd);
    if (it == clients_.end()) return;
    it->second->timer = 0;
    finish(*it->second, {}, "your SSH agent took too long");
    advance(*it->second);
  });
}

void SshBroker::on_upstream(int fd) {
  const auto it = clients_.find(fd);
  if (it == clients_.end() || !it->second->upstream) return;
  Client& c = *it->second;
  const int up = c.upstream.get();
  const bool open = write_some(up, c.up_out) && read_some(up, c.up_in);
  (void)loop_.modify(up, c.up_out.empty() ? uint32_t{EPOLLIN} : uint32_t{EPOLLIN} | EPOLLOUT);
  std::string_view message;
  const Frame frame = first_message(c.up_in, message);
  if (frame == Frame::none && open) return;
  if (frame == Frame::whole && is_agent_signature(message))
    finish(c, agent_frame(message), {});
  else
    finish(c, {}, "your SSH agent did not sign: it does not have the key, or was told not to");
  advance(c);
}

/// `why` empty: `signature` is the answer.
void SshBroker::finish(Client& c, std::string signature, std::string why) {
  if (c.timer != 0) loop_.cancel(std::exchange(c.timer, 0));
  if (c.upstream) loop_.forget(c.upstream.get());
  c.upstream.reset();
  c.asked.why = std::move(why);
  c.out += c.asked.why.empty() ? signature : agent_failure();
  if (c.asked.why.empty())
    tell_(c.asked);
  else
    refuse(c, c.asked);
}

void SshBroker::drop(int fd) {
  const auto it = clients_.find(fd);
  if (it == clients_.end()) return;
  loop_.forget(fd);
  if (it->second->timer != 0) loop_.cancel(it->second->timer);
  if (it->second->upstream) loop_.forget(it->second->upstream.get());
  clients_.erase(it);
}

}  // namespace codexos::daemon

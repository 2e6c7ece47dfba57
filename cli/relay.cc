// SPDX-License-Identifier: Apache-2.0
#include "cli/relay.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "cli/escape.h"
#include "cli/render.h"
#include "core/base/binary.h"
#include "core/os/file.h"

namespace codexos::cli {
namespace {

constexpr size_t kChunk = 64 * 1024;
constexpr size_t kMaxWaiting = 1 << 20;  // output that waits for a slow reader
// What a pipe or terminal that is ready for writing takes without blocking (pipe(7), PIPE_BUF).
constexpr size_t kAtomic = 4096;

bool is_ignored(int signal) {
  struct sigaction a {};
  return sigaction(signal, nullptr, &a) == 0 && a.sa_handler == SIG_IGN;
}

/// One of our own descriptors, written without blocking as far as that can be known.
class Sink {
 public:
  explicit Sink(int fd) : fd_(fd) {
    struct stat st {};
    if (fstat(fd, &st) == 0) is_file_ = S_ISREG(st.st_mode);
  }

  int fd() const { return fd_; }
  bool closed() const { return closed_; }
  bool idle() const { return closed_ || at_ == queue_.size(); }
  size_t waiting() const { return queue_.size() - at_; }
  int error() const { return error_; }

  void put(std::string_view bytes) {
    if (!closed_) queue_.append(bytes);
  }

  /// Once, when poll says that it can be written.
  void write_some() {
    const size_t n = is_file_ ? waiting() : std::min(waiting(), kAtomic);
    const ssize_t done = write(fd_, queue_.data() + at_, n);
    if (done >= 0) {
      at_ += static_cast<size_t>(done);
    } else if (errno != EAGAIN && errno != EINTR) {
      fail(errno);
    }
    if (at_ == queue_.size() || at_ > kMaxWaiting) {
      queue_.erase(0, at_);
      at_ = 0;
    }
  }
  void fail(int error) {
    closed_ = true;
    error_ = error;
    queue_.clear();
    at_ = 0;
  }

 private:
  int fd_;
  bool is_file_ = false;
  bool closed_ = false;
  int error_ = 0;
  std::string queue_;
  size_t at_ = 0;
};

class Relay {
 public:
  Relay(Upgraded connection, SignalSource& signals, const RelayOptions& options)
      : socket_(std::move(connection.fd)),
        signals_(signals),
        o_(options),
        sinks_{Sink(options.stdio.terminal_fd >= 0 ? options.stdio.terminal_fd : 2), Sink(1),
               Sink(2)} {
    reader_.feed(connection.leftover);
    input_open_ = o_.stdio.forward_input;
    extra_open_ = static_cast<bool>(o_.extra_fd);
  }

  RelayEnd run() {
    if (o_.stdio.raw_input) raw_.enter(STDIN_FILENO);
    if (o_.send_size) send_size();
    read_frames();
    while (!over_) turn();
    drain();
    raw_.leave();
    for (const Sink& s : sinks_)
      if (s.error() == ENOSPC || s.error() == EIO || s.error() == EDQUOT)
        end_.write_error = std::string(s.fd() == 1 ? "write to stdout: " : "write to stderr: ") +
                           std::strerror(s.error());
    if (end_.write_error.empty()) end_.write_error = end_.exit.output_error;
    return std::move(end_);
  }

 private:
  // ---- one turn of the loop

  void turn() {
    polls_.clear();
    const size_t socket_at = want(socket_.get(), socket_events());
    const size_t signals_at = want(signals_.fd(), POLLIN);
    const size_t extra_at = extra_open_ ? want(o_.extra_fd(), POLLIN) : kNone;
    const size_t input_at = wants_input() ? want(STDIN_FILENO, POLLIN) : kNone;
    std::array<size_t, 3> sink_at = {kNone, kNone, kNone};
    for (size_t i = 0; i < sinks_.size(); ++i)
      if (!sinks_[i].idle()) sink_at[i] = want(sinks_[i].fd(), POLLOUT);
    if (poll(polls_.data(), polls_.size(), -1) < 0) return;  // EINTR: the signalfd says the rest
    if (ready(signals_at)) on_signals();
    for (size_t i = 0; i < sinks_.size(); ++i)
      if (ready(sink_at[i])) write_sink(static_cast<uint8_t>(i));
    if (ready(extra_at)) extra_open_ = o_.on_extra();
    if (ready(socket_at)) on_socket(polls_[socket_at].revents);
    if (!over_ && ready(input_at)) on_input();
    if (!over_) flush();
  }

  static constexpr size_t kNone = SIZE_MAX;
  size_t want(int fd, short events) {
    polls_.push_back(pollfd{fd, events, 0});
    return polls_.size() - 1;
  }
  bool ready(size_t at) const { return at != kNone && polls_[at].revents != 0; }

  short socket_events() const {
    size_t waiting = 0;
    for (const Sink& s : sinks_) waiting += s.waiting();
    int events = waiting < kMaxWaiting ? POLLIN : 0;
    if (out_at_ < out_.size()) events |= POLLOUT;
    return static_cast<short>(events);
  }
  bool wants_input() const {
    // A terminal is not read from the background: that would stop us (SIGTTIN).
    return input_open_ && room_ > 0 && (!o_.stdio.raw_input || in_foreground(STDIN_FILENO));
  }

  // ---- to the shim

  void send(FrameType type, uint8_t stream, std::string_view payload) {
    out_ += make_frame(type, stream, payload);
  }
  void flush() {
    while (out_at_ < out_.size()) {
      const ssize_t n = ::send(socket_.get(), out_.data() + out_at_, out_.size() - out_at_,
                               MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return;  // EAGAIN, or gone: reading tells
      out_at_ += static_cast<size_t>(n);
    }
    out_.clear();
    out_at_ = 0;
  }

  void on_input() {
    char buffer[kChunk];
    const ssize_t n = read(STDIN_FILENO, buffer, std::min<size_t>(sizeof buffer, room_));
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
      input_open_ = false;
      return send(FrameType::input_end, 0, {});
    }
    const std::string_view bytes(buffer, static_cast<size_t>(n));
    std::string pass;
    const bool leave = o_.stdio.raw_input && keys_.feed(bytes, pass);
    const std::string_view payload = o_.stdio.raw_input ? std::string_view(pass) : bytes;
    if (!payload.empty()) send(FrameType::input, 0, payload);
    room_ -= static_cast<uint32_t>(payload.size());
    if (!leave) return;
    send(FrameType::detach, 0, {});
    finish(RelayHow::detached);
  }

  void send_size() {
    if (o_.stdio.terminal_fd < 0) return;
    const TerminalSize size = terminal_size(o_.stdio.terminal_fd);
    const uint16_t payload[2] = {size.rows, size.cols};
    send(FrameType::resize, 0, {reinterpret_cast<const char*>(payload), sizeof payload});
  }

  void on_signals() {
    while (const int s = signals_.next()) {
      if (s == SIGTSTP) {
        stop_ourselves();
        continue;
      }
      if (s == SIGCONT && o_.stdio.raw_input) raw_.enter(STDIN_FILENO);
      if (s == SIGWINCH || s == SIGCONT) send_size();
      if (!o_.forward_signals) {
        if (s == SIGWINCH || s == SIGCONT || s == SIGUSR1 || s == SIGUSR2) continue;
        end_.signal = s;
        return finish(RelayHow::interrupted);
      }
      // With a terminal the kernel makes the WINCH itself when its size changes.
      if (s == SIGWINCH && o_.stdio.terminal_fd >= 0) continue;
      const auto number = static_cast<uint32_t>(s);
      send(FrameType::signal, 0, {reinterpret_cast<const char*>(&number), sizeof number});
    }
  }

  /// TSTP from outside, while the terminal is raw: give it back, then do what was asked.
  void stop_ourselves() {
    raw_.leave();
    raise(SIGSTOP);
    if (o_.stdio.raw_input) raw_.enter(STDIN_FILENO);
    send_size();
  }

  // ---- from the shim

  void on_socket(short events) {
    if ((events & (POLLIN | POLLHUP | POLLERR)) == 0) return;
    char buffer[kChunk];
    const ssize_t n = recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return finish(RelayHow::lost);
    reader_.feed({buffer, static_cast<size_t>(n)});
    read_frames();
  }

  struct Row {
    FrameType type;
    void (Relay::*handle)(const FrameReader::Frame&);
  };
  static const std::array<Row, 5> kFrames;

  void read_frames() {
    while (!over_) {
      const auto frame = reader_.next();
      if (!frame.ok()) return finish(RelayHow::lost);
      if (!*frame) return;
      for (const Row& row : kFrames)
        if (row.type == (*frame)->type) (this->*row.handle)(**frame);
    }
  }

  void on_output(const FrameReader::Frame& f) {
    if (o_.discard_output || f.stream >= sinks_.size()) return;
    sinks_[f.stream].put(f.payload);
  }
  void on_note(const FrameReader::Frame& f) {
    if (!o_.quiet) note(f.payload);
  }
  void on_input_room(const FrameReader::Frame& f) {
    uint32_t n = 0;
    if (f.payload.size() == sizeof n) std::memcpy(&n, f.payload.data(), sizeof n);
    room_ = std::min(kInputWindow, room_ + n);
  }
  void on_input_closed(const FrameReader::Frame&) { input_open_ = false; }
  void on_exit(const FrameReader::Frame& f) {
    auto exit = from_binary<ExitFrame>(f.payload);
    if (!exit.ok()) return finish(RelayHow::lost);
    end_.exit = *std::move(exit);
    finish(RelayHow::ended);
  }

  // ---- to the caller

  void note(std::string_view text) {
    // Raw mode leaves line feeds as they are.
    (void)write_all(STDERR_FILENO, printable(text) + (raw_.on() ? "\r\n" : "\n"));
  }

  void write_sink(uint8_t stream) {
    Sink& s = sinks_[stream];
    s.write_some();
    if (s.closed()) send(FrameType::output_closed, stream, {});
  }

  void finish(RelayHow how) {
    over_ = true;
    end_.how = how;
  }

  /// What is left to write when it is over, and the last frames of ours.
  void drain() {
    if (end_.how == RelayHow::detached) {
      const int flags = fcntl(socket_.get(), F_GETFL);
      fcntl(socket_.get(), F_SETFL, flags & ~O_NONBLOCK);
      (void)write_all(socket_.get(), std::string_view(out_).substr(out_at_));
    }
    for (Sink& s : sinks_) {
      while (!s.idle()) {
        pollfd p[2] = {{s.fd(), POLLOUT, 0}, {signals_.fd(), POLLIN, 0}};
        if (poll(p, 2, -1) < 0 && errno != EINTR) break;
        if (p[0].revents != 0) s.write_some();
        if (p[1].revents != 0 && is_fatal(signals_.next())) break;
      }
    }
  }
  static bool is_fatal(int s) { return s == SIGINT || s == SIGTERM || s == SIGHUP || s == SIGQUIT; }

  Fd socket_;
  SignalSource& signals_;
  const RelayOptions& o_;
  RawMode raw_;
  DetachKeys keys_;
  FrameReader reader_;
  std::array<Sink, 3>
      sinks_;  // by stream: 0 is the terminal of a program whose output is elsewhere
  std::vector<pollfd> polls_;
  std::string out_;
  size_t out_at_ = 0;
  uint32_t room_ = kInputWindow;
  bool input_open_ = false;
  bool extra_open_ = false;
  bool over_ = false;
  RelayEnd end_;
};

const std::array<Relay::Row, 5> Relay::kFrames{
    Row{FrameType::output, &Relay::on_output}, Row{FrameType::note, &Relay::on_note},
    Row{FrameType::input_room, &Relay::on_input_room},
    Row{FrameType::input_closed, &Relay::on_input_closed}, Row{FrameType::exit, &Relay::on_exit}};

}  // namespace

Result<SignalSource> SignalSource::make(bool terminal) {
  sigset_t set;
  sigemptyset(&set);
  for (const int s : kForwarded)
    if (!is_ignored(s)) sigaddset(&set, s);
  if (terminal && !is_ignored(SIGTSTP)) sigaddset(&set, SIGTSTP);
  // Blocked in this process only: programs that it starts get an empty mask (core/os/spawn).
  if (sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return errno_error("sigprocmask", errno);
  SignalSource out;
  out.fd_.reset(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!out.fd_) return errno_error("signalfd", errno);
  // A reader that closed its end is learnt from EPIPE.
  signal(SIGPIPE, SIG_IGN);
  return out;
}

int SignalSource::next() {
  signalfd_siginfo info{};
  if (read(fd_.get(), &info, sizeof info) != sizeof info) return 0;
  return static_cast<int>(info.ssi_signo);
}

bool DetachKeys::feed(std::string_view bytes, std::string& pass) {
  constexpr char kLead = 0x1d;  // ctrl-]
  for (const char c : bytes) {
    if (!armed_) {
      armed_ = c == kLead;
      if (!armed_) pass += c;
      continue;
    }
    armed_ = false;
    if (c == 'd') return true;
    // Twice gives one to the program.
    if (c != kLead) pass += kLead;
    pass += c;
  }
  return false;
}

void FrameReader::feed(std::string_view bytes) {
  in_.erase(0, std::exchange(at_, 0));
  in_.append(bytes);
}

Result<std::optional<FrameReader::Frame>> FrameReader::next() {
  const std::string_view rest = std::string_view(in_).substr(at_);
  FrameHeader h;
  if (rest.size() < sizeof h) return std::optional<Frame>();
  std::memcpy(&h, rest.data(), sizeof h);
  if (h.length > kMaxFrame) return Error{Code::invalid, "a frame is too long", {}};
  if (rest.size() < sizeof h + h.length) return std::optional<Frame>();
  at_ += sizeof h + h.length;
  return std::optional<Frame>(
      Frame{static_cast<FrameType>(h.type), h.stream, rest.substr(sizeof h, h.length)});
}

std::string make_frame(FrameType type, uint8_t stream, std::string_view payload) {
  const FrameHeader h{static_cast<uint8_t>(type), stream, 0, static_cast<uint32_t>(payload.size())};
  std::string out(reinterpret_cast<const char*>(&h), sizeof h);
  return out.append(payload);
}

RelayEnd relay(Upgraded connection, SignalSource& signals, const RelayOptions& options) {
  return Relay(std::move(connection), signals, options).run();
}

}  // namespace codexos::cli

// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/session.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/binary.h"
#include "core/base/clock.h"
#include "daemon/exec/chunk.h"

namespace codexos::exec {
namespace {

constexpr size_t kMaxClients = 16;

Status make_pipe(Fd& read_end, Fd& write_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return errno_error("pipe", errno);
  read_end.reset(ends[0]);
  write_end.reset(ends[1]);
  return {};
}

// Only on our end: the other one has an open file description of its own.
Status set_nonblocking(const Fd& fd) {
  if (fcntl(fd.get(), F_SETFL, O_NONBLOCK) < 0) return errno_error("set O_NONBLOCK", errno);
  return {};
}

}  // namespace

// ---- stdio ------------------------------------------------------------------------------------

Status Session::open_terminal(const StdioSpec& spec) {
  if (spec.in != Stdio::pty && spec.out != Stdio::pty && spec.err != Stdio::pty) return {};
  CODEXOS_ASSIGN(Pty pty, open_pty(spec.rows, spec.cols));
  master_ = pty.master.get();
  slave_ = std::move(pty.slave);
  const Stdio modes[3] = {spec.in, spec.out, spec.err};
  for (size_t i = 0; i < 3; ++i) {
    if (modes[i] != Stdio::pty) continue;
    child_[i].reset(fcntl(slave_.get(), F_DUPFD_CLOEXEC, 3));
    if (!child_[i]) return errno_error("duplicate the terminal", errno);
  }
  uint8_t number = 0;  // only stdin is the terminal: an echo that belongs into no log
  if (spec.err == Stdio::pty) number = 2;
  if (spec.out == Stdio::pty) number = 1;
  if (spec.in == Stdio::pty) {
    Fd writer(fcntl(master_, F_DUPFD_CLOEXEC, 3));
    if (!writer) return errno_error("duplicate the terminal", errno);
    input_ = Input(std::move(writer), Input::Kind::terminal);
  }
  // The log is put in by open_stdio.
  streams_.push_back(std::make_unique<Stream>(number, std::move(pty.master), false, Outlet{}));
  return {};
}

Status Session::open_pipe(size_t index, StdioSpec& spec) {
  Fd ours;
  if (index == 0) {
    CODEXOS_TRY(make_pipe(child_[0], ours));
    CODEXOS_TRY(set_nonblocking(ours));
    input_ = Input(std::move(ours), Input::Kind::pipe);
    return {};
  }
  CODEXOS_TRY(make_pipe(ours, child_[index]));
  CODEXOS_TRY(set_nonblocking(ours));
  const Stdio mode = index == 1 ? spec.out : spec.err;
  Outlet outlet = mode == Stdio::passed ? Outlet(std::move(spec.passed[index - 1])) : Outlet{};
  streams_.push_back(std::make_unique<Stream>(static_cast<uint8_t>(index), std::move(ours), true,
                                              std::move(outlet)));
  return {};
}

Status Session::open_null() {
  for (auto& fd : child_) {
    if (fd) continue;
    fd.reset(open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!fd) return errno_error("open /dev/null", errno);
  }
  return {};
}

Status Session::open_stdio(StdioSpec spec) {
  CODEXOS_TRY(open_terminal(spec));
  const Stdio modes[3] = {spec.in, spec.out, spec.err};
  for (size_t i = 0; i < 3; ++i)
    if (modes[i] == Stdio::pipe || modes[i] == Stdio::passed) CODEXOS_TRY(open_pipe(i, spec));
  CODEXOS_TRY(open_null());
  for (auto& s : streams_) {
    if (s->number() > 0)
      s->log = LogFile(std::move(spec.log[s->number() - 1U]), spec.log_cap_bytes);
  }
  return {};
}

void Session::mask_by(const Redactor& by) {
  for (auto& s : streams_)
    if (s->log.usable()) s->mask_by(by);
}

bool Session::start(ChildSpec spec, StepFailure& why) {
  for (int i = 0; i < 3; ++i) spec.stdio[i] = inherited_ ? i : child_[i].get();
  spec.tty_fd = slave_.get();
  auto pid = start_child(spec, why);
  for (auto& fd : child_) fd.reset();
  active_at_us_ = monotonic_us();
  if (!pid.ok()) return false;
  pid_ = *pid;
  return true;
}

void Session::tell_owner(std::string_view line) {
  for (auto& c : clients_)
    if (c->owner && c->open()) c->send(FrameType::note, 0, line);
}

void Session::signal(int signo) {
  if (pid_ <= 0) return;
  const pid_t group = master_ >= 0 && !ended_ ? foreground_group(master_) : 0;
  if (group > 0 && group != 1 && kill(-group, signo) == 0) return;
  kill(pid_, signo);
}

// ---- output -----------------------------------------------------------------------------------

bool Session::held(const Stream& s) const {
  if (s.outlet_behind()) return true;
  for (const auto& c : clients_) {
    const uint64_t at = c->cursor[s.number()];
    if (!c->open() || !c->owner || at == Client::kNotSent) continue;
    if (at < s.total() || !c->has_room()) return true;
  }
  return false;
}

void Session::deliver(Stream& s, uint64_t from, std::string_view bytes) {
  for (auto& c : clients_) {
    uint64_t& at = c->cursor[s.number()];
    if (!c->open() || at != from || !c->has_room()) continue;
    c->send(FrameType::output, s.number(), bytes);
    at += bytes.size();
  }
}

// One read or splice a turn, so that no stream keeps signals, timers or the link waiting.
void Session::pump(Stream& s) {
  const uint64_t from = s.total();
  const bool was_open = s.outlet.open();
  const bool watched = std::any_of(clients_.begin(), clients_.end(), [&](const auto& c) {
    return c->open() && c->cursor[s.number()] != Client::kNotSent;
  });
  std::string_view bytes;
  // Reading in user space only when a client needs the bytes as frames.
  const auto got = s.can_splice() && !watched ? s.pull_spliced() : s.pull_bytes(bytes);
  if (got == Stream::Pull::end) end(s);
  if (got != Stream::Pull::some) return;
  if (!bytes.empty()) deliver(s, from, bytes);
  active_at_us_ = monotonic_us();
  count(s);
  settle_outlet(s, was_open);
}

/// What readers of the log go by while it grows.
void Session::count(const Stream& s) {
  if (record_ == nullptr || s.number() == 0) return;
  record_->count(s.number() - 1U, s.log.taken(s.logged()), active_at_us_);
  if (s.log.error() != 0) record_->log_failed(s.number() - 1U, s.log.error());
}

void Session::end(Stream& s) {
  s.close();
  count(s);
}

// A reader that went away closes the program's pipe, so that the program learns it as it would
// without us; what was not a reader's going away is remembered for the exit code.
void Session::settle_outlet(Stream& s, bool was_open) {
  if (!was_open || s.outlet.open()) return;
  end(s);
  if (s.outlet.error() != 0 && output_error_.empty())
    output_error_ = std::string(s.number() == 1 ? "write to stdout: " : "write to stderr: ") +
                    std::strerror(s.outlet.error());
}

void Session::follow(Client& c, Stream& s) {
  uint64_t& at = c.cursor[s.number()];
  if (!c.open() || at == Client::kNotSent) return;
  while (c.has_room() && at < s.total()) {
    const size_t n = s.read_back(at, chunk(), kChunk);
    if (n == 0) {
      // The ring has gone over it, or there is no log: it reads too slowly to see all of it.
      c.send(FrameType::note, 0, "output came faster than it was read; the rest is in the log");
      return c.close();
    }
    c.send(FrameType::output, s.number(), {chunk(), n});
    at += n;
  }
}

void Session::program_ended() {
  pid_ = 0;
  ended_ = true;
  slave_.reset();
  input_.close();
}

bool Session::drain() {
  if (!has_owner())
    for (auto& s : streams_) s->outlet.close();
  for (auto& s : streams_) {
    while (s->open()) {
      if (held(*s) && (s->masked() || !s->log.can_hold_back())) return false;
      const uint64_t before = s->total();
      pump(*s);
      if (s->total() == before) end(*s);
    }
  }
  return true;
}

bool Session::output_held() const {
  return std::any_of(streams_.begin(), streams_.end(),
                     [this](const auto& s) { return s->open() && held(*s); });
}

uint64_t Session::bytes_of(uint8_t number) const {
  for (const auto& s : streams_)
    if (s->number() == number) return s->total();
  return 0;
}

std::vector<std::string> Session::log_notes() const {
  std::vector<std::string> out;
  for (const auto& s : streams_)
    if (s->number() > 0 && s->log.error() != 0)
      out.push_back(log_note(s->number() - 1U, s->log.taken(s->total()), s->log.error()));
  return out;
}

// ---- clients ----------------------------------------------------------------------------------

void Session::add_client(Fd connection, const AttachClient& options) {
  if (!connection || clients_.size() >= kMaxClients) return;
  auto c = std::make_unique<Client>(std::move(connection));
  c->owner = options.owner && !has_owner();
  c->wants_input = options.wants_input;
  for (const auto& s : streams_) {
    // Its own descriptor gets this stream.
    if (c->owner && s->outlet.open()) continue;
    const uint64_t total = s->total();
    const uint64_t back = std::min(total, options.replay_bytes);
    c->cursor[s->number()] = s->log.usable() ? s->log.first_kept(total - back, s->logged()) : total;
  }
  if (c->wants_input && !input_.open()) c->send(FrameType::input_closed, 0, {});
  for (auto& s : streams_) follow(*c, *s);
  try_exit(*c);
  if (c->open()) clients_.push_back(std::move(c));
}

bool Session::has_owner() const {
  return std::any_of(clients_.begin(), clients_.end(),
                     [](const auto& c) { return c->owner && c->open(); });
}

struct Session::FrameRow {
  FrameType type;
  void (Session::*handle)(Client&, const ClientFrame&, SessionControl&);
};
const Session::FrameRow Session::kFrames[] = {
    {FrameType::input, &Session::on_input},
    {FrameType::input_end, &Session::on_input_end},
    {FrameType::signal, &Session::on_signal_frame},
    {FrameType::resize, &Session::on_resize},
    {FrameType::detach, &Session::on_detach},
    {FrameType::output_closed, &Session::on_output_closed},
};

void Session::on_frame(Client& c, const ClientFrame& f, SessionControl& control) {
  for (const auto& row : kFrames)
    if (row.type == f.type) return (this->*row.handle)(c, f, control);
}

void Session::on_input(Client& c, const ClientFrame& f, SessionControl&) {
  if (!c.wants_input) return;
  c.input_on_way += static_cast<uint32_t>(f.payload.size());
  give_room(input_.put(f.payload));
}

void Session::on_input_end(Client& c, const ClientFrame&, SessionControl&) {
  if (c.wants_input) input_.put_end();
  if (!input_.open()) input_closed_told_ = true;  // it knows
}

void Session::on_signal_frame(Client& c, const ClientFrame& f, SessionControl& control) {
  const auto signo = static_cast<int>(f.number(0, 4));
  if (signo > 0 && signo < 65) control.on_signal(*this, signo, c.owner);
}

void Session::on_resize(Client&, const ClientFrame& f, SessionControl&) {
  if (master_ >= 0 && !ended_) resize_pty(master_, f.number(0, 2), f.number(2, 2));
}

void Session::on_detach(Client& c, const ClientFrame&, SessionControl& control) {
  lose_client(c, true, control);
}

void Session::on_output_closed(Client& c, const ClientFrame& f, SessionControl&) {
  if (f.stream >= Client::kStreams) return;
  c.cursor[f.stream] = Client::kNotSent;
  if (!c.owner) return;
  for (auto& s : streams_)
    if (s->number() == f.stream && s->is_pipe()) end(*s);
}

void Session::lose_client(Client& c, bool detached, SessionControl& control) {
  c.close();
  if (!c.owner) return;
  // Who detached does not want more output; the descriptors of one that died may still be read.
  if (detached)
    for (auto& s : streams_) s->outlet.close();
  control.on_owner_left(*this, detached);
}

void Session::give_room(size_t taken) {
  for (auto& c : clients_) {
    const auto part = static_cast<uint32_t>(std::min<size_t>(taken, c->input_on_way));
    if (part == 0) continue;
    c->input_on_way -= part;
    taken -= part;
    c->send_number(FrameType::input_room, part);
  }
}

void Session::tell_input_closed() {
  if (input_.open() || input_closed_told_) return;
  input_closed_told_ = true;
  for (auto& c : clients_)
    if (c->wants_input) c->send(FrameType::input_closed, 0, {});
}

void Session::react_client(Client& c, short ready, SessionControl& control) {
  if ((ready & POLLOUT) != 0) c.flush();
  if ((ready & (POLLIN | POLLHUP | POLLERR)) == 0) return;
  if (!c.receive(kChunk)) return lose_client(c, false, control);
  ClientFrame f;
  while (c.open() && c.next(f)) on_frame(c, f, control);
}

bool Session::has_all(const Client& c) const {
  for (const auto& s : streams_) {
    const uint64_t at = c.cursor[s->number()];
    if (s->open() || (at != Client::kNotSent && at < s->total())) return false;
    if (c.owner && s->outlet_behind()) return false;
  }
  return true;
}

void Session::try_exit(Client& c) {
  if (!c.open() || !exit_ready_) return;
  if (!c.exit_sent && has_all(c)) {
    c.exit_sent = true;
    for (const auto& s : streams_)
      if (c.cursor[s->number()] != Client::kNotSent) c.put(FrameType::output_end, s->number(), {});
    c.put(FrameType::exit, 0, exit_);
    c.flush();
  }
  if (!c.exit_sent || !c.idle()) return;
  shutdown(c.fd(), SHUT_RDWR);
  c.close();
}

void Session::finish(const ExitFrame& end) {
  exit_ = to_binary(end);
  exit_ready_ = true;
  for (auto& c : clients_) {
    for (auto& s : streams_) follow(*c, *s);
    try_exit(*c);
  }
  sweep_clients();
}

void Session::sweep_clients() {
  clients_.erase(
      std::remove_if(clients_.begin(), clients_.end(), [](const auto& c) { return !c->open(); }),
      clients_.end());
}

bool Session::delivered() const {
  return std::none_of(clients_.begin(), clients_.end(), [](const auto& c) { return c->open(); });
}

// Closed only: this may be called while the clients are walked.
void Session::drop_watchers() {
  for (auto& c : clients_)
    if (!c->owner) c->close();
}

void Session::drop_clients() {
  for (auto& c : clients_) c->close();
  for (auto& s : streams_) s->outlet.close();
}

// ---- the loop's turn --------------------------------------------------------------------------

void Session::watch(PollSet& polls) {
  polls_.clear();
  for (auto& s : streams_) {
    const bool was_open = s->outlet.open();
    s->feed_outlet();
    settle_outlet(*s, was_open);
    if (!s->open() && !s->outlet_behind()) s->outlet.close();  // its reader sees the end, too
    polls_.push_back(s->open() && !held(*s) ? polls.add(s->source(), POLLIN) : -1);
    s->outlet.watch(polls);
  }
  input_.watch(polls);
  for (auto& c : clients_) c->watch(polls, c->input_on_way <= kInputWindow);
}

void Session::react(const PollSet& polls, SessionControl& control) {
  for (auto& c : clients_)
    if (const short ready = c->ready(polls); ready != 0) react_client(*c, ready, control);
  give_room(input_.react(polls));
  tell_input_closed();
  for (size_t i = 0; i < streams_.size(); ++i) {
    Stream& s = *streams_[i];
    const bool was_open = s.outlet.open();
    s.outlet.react(polls);
    s.feed_outlet();
    settle_outlet(s, was_open);
    if (s.open() && i < polls_.size() && polls.ready(polls_[i]) != 0 && !held(s)) pump(s);
    for (auto& c : clients_) follow(*c, s);
  }
  for (auto& c : clients_) try_exit(*c);
  sweep_clients();
}

}  // namespace codexos::exec

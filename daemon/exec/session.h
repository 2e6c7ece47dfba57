// SPDX-License-Identifier: Apache-2.0
// One program with its stdio and the clients that watch it: the task's main program, or one more
// that `exec` put beside it. Knows streams, terminal, input and clients; what a signal, a detach or
// a lost owner means for the task is decided by the Shim (SessionControl).
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/frames.h"
#include "core/base/plan.h"
#include "daemon/exec/child.h"
#include "daemon/exec/client.h"
#include "daemon/exec/input.h"
#include "daemon/exec/pty.h"
#include "daemon/exec/record_page.h"
#include "daemon/exec/relay.h"

namespace codexos::exec {

class Session;

class SessionControl {
 public:
  virtual ~SessionControl() = default;
  virtual void on_signal(Session& s, int signo, bool from_owner) = 0;
  virtual void on_owner_left(Session& s, bool detached) = 0;
};

/// Where the program's descriptors go; logs and passed descriptors for 1 and 2 by index 0 and 1.
struct StdioSpec {
  Stdio in = Stdio::null;
  Stdio out = Stdio::pipe;
  Stdio err = Stdio::pipe;
  uint32_t rows = 24;
  uint32_t cols = 80;
  Fd log[2];
  Fd passed[2];
  uint64_t log_cap_bytes = 0;
};

class Session {
 public:
  /// `record`: where live counters go, or null.
  explicit Session(RecordPage* record) : record_(record) {}

  /// Makes pipes and terminal; nothing is started.
  Status open_stdio(StdioSpec spec);
  /// By hand: the program gets descriptors 0, 1 and 2 of this process.
  void inherit_stdio() { inherited_ = true; }
  /// Starts the program; `spec` is complete but for stdio and terminal.
  bool start(ChildSpec spec, StepFailure& why);
  pid_t pid() const { return pid_; }  // 0: not running

  bool has_terminal() const { return master_ >= 0; }

  /// From now on its logs hold stars for what `by` finds, which outlives it, or the next one.
  void mask_by(const Redactor& by);

  void add_client(Fd connection, const AttachClient& options);
  bool has_owner() const;

  void watch(PollSet& polls);
  void react(const PollSet& polls, SessionControl& control);

  /// A line for the stderr of whoever owns it.
  void tell_owner(std::string_view line);
  /// To the program; on a terminal to the foreground process group.
  void signal(int signo);
  /// The program is gone: drain() follows.
  void program_ended();
  /// Takes what is left in pipes and terminal, after everything that could write is gone. False: an
  /// owner without a log behind it must first take more.
  bool drain();
  /// Every client gets the end, after its output.
  void finish(const ExitFrame& end);
  /// Nobody waits for anything any more.
  bool delivered() const;
  /// Gives up clients: those that own nothing, or all.
  void drop_watchers();
  void drop_clients();

  uint64_t bytes_of(uint8_t number) const;
  /// log_note() of each log that could not be written to its stream's end.
  std::vector<std::string> log_notes() const;
  /// Time of the last output (of the start, before the first), CLOCK_MONOTONIC.
  int64_t active_at_us() const { return active_at_us_; }
  /// Whether a reader that does not read holds the program's output back now.
  bool output_held() const;
  /// Why a passed stdout or stderr could not be written, or empty.
  const std::string& output_error() const { return output_error_; }

 private:
  Status open_terminal(const StdioSpec& spec);
  Status open_pipe(size_t index, StdioSpec& spec);
  Status open_null();
  bool held(const Stream& s) const;
  void pump(Stream& s);
  void deliver(Stream& s, uint64_t from, std::string_view bytes);
  void follow(Client& c, Stream& s);
  void settle_outlet(Stream& s, bool was_open);
  void end(Stream& s);
  void count(const Stream& s);
  void react_client(Client& c, short ready, SessionControl& control);
  void on_frame(Client& c, const ClientFrame& f, SessionControl& control);
  void on_input(Client& c, const ClientFrame& f, SessionControl& control);
  void on_input_end(Client& c, const ClientFrame& f, SessionControl& control);
  void on_signal_frame(Client& c, const ClientFrame& f, SessionControl& control);
  void on_resize(Client& c, const ClientFrame& f, SessionControl& control);
  void on_detach(Client& c, const ClientFrame& f, SessionControl& control);
  void on_output_closed(Client& c, const ClientFrame& f, SessionControl& control);
  void lose_client(Client& c, bool detached, SessionControl& control);
  void give_room(size_t taken);
  void tell_input_closed();
  bool has_all(const Client& c) const;
  void try_exit(Client& c);
  void sweep_clients();

  struct FrameRow;
  static const FrameRow kFrames[];

  RecordPage* record_;
  bool inherited_ = false;
  pid_t pid_ = 0;
  bool ended_ = false;
  Fd child_[3];  // the program's ends, until it runs
  Fd slave_;
  int master_ = -1;  // the source of the terminal's stream, which owns it
  std::vector<std::unique_ptr<Stream>> streams_;
  std::vector<int> polls_;  // of each stream
  Input input_;
  bool input_closed_told_ = false;
  std::vector<std::unique_ptr<Client>> clients_;
  int64_t active_at_us_ = 0;
  std::string output_error_;
  std::string exit_;  // payload of the exit frame
  bool exit_ready_ = false;
};

}  // namespace codexos::exec

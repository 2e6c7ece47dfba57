// SPDX-License-Identifier: Apache-2.0
// Between the caller's stdio and the shim, after the 101: frames of core/base/frames.h on one
// socket. One poll(2) loop; nothing in it blocks, so that a signal never waits behind a reader that
// does not read. What the caller's descriptors take themselves (Stdio::passed) never comes here.
#pragma once

#include <signal.h>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cli/client.h"
#include "cli/stdio.h"
#include "cli/terminal.h"
#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/frames.h"

namespace codexos::cli {

/// The signals that reach the program.
inline constexpr std::array kForwarded{SIGHUP,  SIGINT,  SIGQUIT,  SIGTERM,
                                       SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT};

/// kForwarded, and TSTP where the terminal is ours, blocked and read through a signalfd. Those that
/// were ignored at the start stay ignored: nohup(1) and `&` of a shell without job control mean it.
class SignalSource {
 public:
  /// Made before the request is sent, so that no signal is lost.
  static Result<SignalSource> make(bool terminal);
  SignalSource() = default;
  int fd() const { return fd_.get(); }
  /// The next signal, 0: none waits.
  int next();

 private:
  Fd fd_;
};

struct RelayOptions {
  StdioChoice stdio;
  bool discard_output = false;  // it is read elsewhere (run --json)
  bool forward_signals = true;  // else INT, TERM, HUP and QUIT end the watching
  bool quiet = false;           // no notes
  bool send_size = false;       // an attached terminal tells its size first
  // One more descriptor that is polled, asked for before each turn since it may be another one
  // then, or none; on_extra false: no more.
  std::function<int()> extra_fd;
  std::function<bool()> on_extra;
};

enum class RelayHow { ended, detached, interrupted, lost };
struct RelayEnd {
  RelayHow how = RelayHow::lost;
  ExitFrame exit;           // ended
  int signal = 0;           // interrupted
  std::string write_error;  // ENOSPC, EIO on what we wrote ourselves, or the shim could not
};

/// Runs until the exit frame, a detach, or the end of the connection. The terminal is restored when
/// it returns.
RelayEnd relay(Upgraded connection, SignalSource& signals, const RelayOptions& options);

/// ctrl-] d in what the terminal sends. Pure: `pass` gets what goes to the program.
class DetachKeys {
 public:
  /// True: the keys were pressed; bytes behind them are dropped.
  bool feed(std::string_view bytes, std::string& pass);

 private:
  bool armed_ = false;
};

/// Takes frames out of a byte stream.
class FrameReader {
 public:
  void feed(std::string_view bytes);
  struct Frame {
    FrameType type;
    uint8_t stream;
    std::string_view payload;  // valid until the next feed()
  };
  /// Nothing: more bytes are needed. Error invalid: a frame longer than kMaxFrame.
  Result<std::optional<Frame>> next();

 private:
  std::string in_;
  size_t at_ = 0;
};

std::string make_frame(FrameType type, uint8_t stream, std::string_view payload);

}  // namespace codexos::cli

// SPDX-License-Identifier: Apache-2.0
// What flows between CLI and shim after the 101 reply, and between daemon and shim.
//
// Client stream (SOCK_STREAM): frames of an 8-byte header {type u8, stream u8, zero u16, length u32
// LE} and `length` bytes, at most kMaxFrame. Sent by the client: input, input_end, signal, resize,
// detach, output_closed. Sent by the shim: output, output_end, note, input_room, input_closed, exit
// (the last one; then the shim closes). Either side skips frames of a type that it does not know.
// Version kFramesVersion is named by the 101 reply (Upgrade: codexos-frames/1).
//
// Input has a window, so that a signal never waits behind input which the program does not read:
// the client may have kInputWindow bytes on their way; input_room gives back what the program took.
// A terminal's output is stream 1, or 2 when only stderr is the terminal, or 0 when only stdin is
// (the echo: for the client's terminal, never for its redirected stdout).
//
// Link (SOCK_SEQPACKET): one message a packet, {type u32 LE, to_binary(struct)}, descriptors by
// SCM_RIGHTS. A payload above kMaxLinkInline travels in a sealed memfd: type | kLinkInMemfd, the
// memfd is then the first descriptor. The daemon speaks it with a parked helper, and after adoption
// through tasks/<id>/shim.sock.
//
// The order on a link: daemon->helper park(View); helper->daemon parked; daemon->helper job(Job +
// fds); helper->daemon prepared | failed; daemon->helper go; helper->daemon started | ended;
// ... helper->daemon ended; daemon->helper end_ack. The program does not run before `go`.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "core/base/fields.h"
#include "core/base/outcome.h"
#include "core/base/plan.h"

namespace codexos {

inline constexpr int kFramesVersion = 1;
inline constexpr uint32_t kMaxFrame = 256 * 1024;
inline constexpr uint32_t kInputWindow = 64 * 1024;
inline constexpr size_t kMaxLinkInline = 96 * 1024;
inline constexpr uint32_t kLinkInMemfd = 0x80000000U;

enum class FrameType : uint8_t {
  input = 1,      // client: bytes for the program's stdin / the terminal
  input_end = 2,  // client: stdin is at its end
  signal = 3,     // client: u32 LE signal number. The shim counts the owner's SIGINTs: a second one
                  // within 2 s stops the task, a third kills it
  resize = 4,     // client: u16 LE rows, u16 LE columns
  detach = 5,     // client: leaves; the task goes on
  output_closed =
      6,            // client: it can no longer write `stream` (EPIPE), the program should learn it
  output = 16,      // shim: bytes of `stream` 1 or 2 (a terminal: see above)
  output_end = 17,  // shim: `stream` is at its end and all of it was sent; with the exit
  note = 18,        // shim: a line for the client's stderr
  exit = 19,        // shim: to_binary(ExitFrame); the last frame
  input_room = 20,  // shim: u32 LE bytes of input that were taken: so many more may be sent
  input_closed = 21,  // shim: the program reads no more input; what comes is dropped
};

struct FrameHeader {
  uint8_t type = 0;
  uint8_t stream = 0;
  uint16_t zero = 0;
  uint32_t length = 0;
};
static_assert(sizeof(FrameHeader) == 8);

struct ExitFrame {
  Outcome outcome;
  bool recorded = false;     // the daemon has committed the end
  std::string note;          // the closing line(s), from the daemon; empty: nothing to say
  std::string output_error;  // a passed stdout or stderr could not be written (ENOSPC, EIO): the
                             // client says so and turns exit code 0 into 125; empty: all written
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("outcome", s.outcome);
    v("recorded", s.recorded);
    v("note", s.note);
    v("output_error", s.output_error);
  }
};

enum class LinkType : uint32_t {
  // daemon -> zygote
  zygote = 1,  // View + its descriptors: what its helpers are for
  spawn = 13,  // SpawnRequest + one end of the new helper's link + an eventfd(2) that says: a job
  // daemon -> helper/shim
  overlay = 14,  // Overlay + descriptors, to a parked helper: what its job will probably bring
  job = 2,
  go = 3,
  abort = 4,   // do not run; the helper ends
  client = 5,  // AttachClient + descriptor: one more client
  exec = 6,    // ExecRequest + descriptors: one more program
  signal = 7,  // SignalRequest
  stop = 8,    // StopRequest: TERM, after grace KILL
  pause = 9,
  resume = 10,
  end_ack = 11,      // EndAck: the end is committed
  hello = 12,        // Hello with the secret, first message on shim.sock
  dial = 15,         // DialRequest: connect to a server of the task
  measure = 16,      // what does it use now?
  tell_values = 17,  // which values of secrets has it?
  // helper/shim -> daemon
  pid = 64,  // PidInfo + pidfd: sent by the zygote for its child
  parked = 65,
  overlaid = 74,  // that overlay is mounted
  prepared = 66,
  failed = 67,      // StepFailure, before the program ran
  started = 68,     // Started
  ended = 69,       // Ended: the main program's end
  state = 70,       // ShimState: answer to hello
  exec_ended = 71,  // ExecEnded
  paused = 72,      // PauseState
  owner = 73,       // OwnerState: the owner left or detached
  network = 75,     // NetSockets + descriptors: of the task's network namespace; also after `state`
  dialled = 76,     // Dialled + the socket, where there is one
  measured = 77,    // Measure
  near_limit = 78,  // NearLimit
  refused = 79,     // Refused
  values = 80,      // Values, where it was given any
};

struct SpawnRequest {
  bool own_units = false;  // the task puts something into the shared, read-only part of the view
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("own_units", s.own_units);
  }
};

struct PidInfo {
  int32_t pid = 0;          // in the sender's pid namespace
  uint64_t start_time = 0;  // field 22 of /proc/PID/stat, clock ticks since boot
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("pid", s.pid);
    v("start_time", s.start_time);
  }
};

/// A failed step of the table in daemon/exec/steps: which one, errno(3), and on what.
struct StepFailure {
  std::string step;
  int32_t error = 0;
  std::string text;
  Cause cause = Cause::start_failed;  // not_isolated when the kernel lacks what `full` demands
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("step", s.step);
    v("error", s.error);
    v("text", s.text);
    v("cause", s.cause);
  }
};

struct Started {
  int64_t at_us = 0;
  int32_t pid = 0;  // the program's pid inside
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("at_us", s.at_us);
    v("pid", s.pid);
  }
};

struct Ended {
  Outcome outcome;
  int64_t at_us = 0;
  Usage usage;
  std::vector<std::string> notes;  // degradations: log_note()
  bool interrupted = false;        // its owner sent it SIGINT
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("outcome", s.outcome);
    v("at_us", s.at_us);
    v("usage", s.usage);
    v("notes", s.notes);
    v("interrupted", s.interrupted);
  }
};

/// Stream 0 is stdout or the terminal, 1 stderr.
inline std::string log_note(size_t stream, uint64_t bytes, int error) {
  return std::string("the log of ") + (stream == 0 ? "stdout" : "stderr") + " ends after " +
         std::to_string(bytes) + " bytes, the stream did not: " + std::strerror(error);
}

struct EndAck {
  std::string note;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("note", s.note);
  }
};

/// Descriptors with it: the connection, then (where true) the client's stdout and stderr.
struct AttachClient {
  bool owner = false;
  bool wants_input = false;
  uint64_t replay_bytes = 0;  // output of the terminal's tail to repeat first
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("owner", s.owner);
    v("wants_input", s.wants_input);
    v("replay_bytes", s.replay_bytes);
  }
};

/// One more program in a running task. Descriptor order: client connection, then stdout, stderr
/// where the mode is `passed`.
struct ExecRequest {
  uint64_t id = 0;
  std::vector<std::string> argv;
  std::vector<std::string> env;
  std::string cwd;
  Stdio stdin_mode = Stdio::null;
  Stdio stdout_mode = Stdio::pipe;
  Stdio stderr_mode = Stdio::pipe;
  uint32_t rows = 24;
  uint32_t cols = 80;
  std::vector<std::string> values;  // of secrets: those that are new to the task among them
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("id", s.id);
    v("argv", s.argv);
    v("env", s.env);
    v("cwd", s.cwd);
    v("stdin_mode", s.stdin_mode);
    v("stdout_mode", s.stdout_mode);
    v("stderr_mode", s.stderr_mode);
    v("rows", s.rows);
    v("cols", s.cols);
    v("values", s.values);
  }
};

struct ExecEnded {
  uint64_t id = 0;
  Outcome outcome;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("id", s.id);
    v("outcome", s.outcome);
  }
};

struct SignalRequest {
  int32_t signal = 0;
  bool all = false;  // every process of the task, not only the main one
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("signal", s.signal);
    v("all", s.all);
  }
};

struct StopRequest {
  Cause cause = Cause::stopped;
  uint64_t grace_ms = 10000;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("cause", s.cause);
    v("grace_ms", s.grace_ms);
  }
};

struct PauseState {
  bool paused = false;
  std::string error;  // why it could not, or empty
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("paused", s.paused);
    v("error", s.error);
  }
};

struct OwnerState {
  bool detached = false;  // true: it detached and the task goes on; false: it died
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("detached", s.detached);
  }
};

/// A socket that was made in the task's network namespace and is served by the daemon.
enum class NetSocket : int {
  tcp,      // listens; what is accepted was redirected here
  dns_tcp,  // listens
  dns_udp,
  refused,  // NETLINK_NETFILTER, nflog: packets that were refused
  reach,    // listens on the port of the same index in `ports`, for --reach
};
constexpr auto enum_names(NetSocket) {
  return std::array{EnumName{NetSocket::tcp, "tcp"}, EnumName{NetSocket::dns_tcp, "dns-tcp"},
                    EnumName{NetSocket::dns_udp, "dns-udp"},
                    EnumName{NetSocket::refused, "refused"}, EnumName{NetSocket::reach, "reach"}};
}
/// Descriptors with it, in the same order.
struct NetSockets {
  std::vector<NetSocket> kinds;
  std::vector<int32_t> ports;  // 0 where the kind says all
  bool redirected = true;  // else the kernel has no nf_tables: a tcp socket serves its port alone
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("kinds", s.kinds);
    v("ports", s.ports);
    v("redirected", s.redirected);
  }
};

struct DialRequest {
  uint64_t id = 0;
  int32_t port = 0;  // of the task's 127.0.0.1, or ::1 when nobody listens there
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("id", s.id);
    v("port", s.port);
  }
};
struct Dialled {
  uint64_t id = 0;
  int32_t error = 0;  // errno(3); 0: a connected socket comes with it
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("id", s.id);
    v("error", s.error);
  }
};

/// What all processes of the task use together.
struct Measure {
  uint64_t memory_bytes = 0;  // with swap, and with what is in its scratch space
  uint64_t cpu_us = 0;        // since the start
  uint64_t pids = 0;          // processes and threads
  uint64_t scratch_bytes = 0;
  uint64_t disk_bytes = 0;  // scratch space, log and, with a disk limit, held-back changes
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("memory_bytes", s.memory_bytes);
    v("cpu_us", s.cpu_us);
    v("pids", s.pids);
    v("scratch_bytes", s.scratch_bytes);
    v("disk_bytes", s.disk_bytes);
  }
};

/// Most of a limit is used up: told once for each.
struct NearLimit {
  std::string limit;  // its key: core/base/limits.h
  uint64_t used = 0;
  uint64_t most = 0;
  int64_t at_us = 0;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("limit", s.limit);
    v("used", s.used);
    v("most", s.most);
    v("at_us", s.at_us);
  }
};

/// A system call that the filter's telling rows refused, or a path that was looked for while the
/// task's needs are learnt. Not all of them are told: a task may ask as often as it likes.
struct Refused {
  int32_t call = -1;   // its number; -1: a path
  uint64_t flags = 0;  // the call's first argument
  std::string path;    // absolute, as it was named
  std::string program;
  int64_t at_us = 0;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("call", s.call);
    v("flags", s.flags);
    v("path", s.path);
    v("program", s.program);
    v("at_us", s.at_us);
  }
};

/// The values of secrets that a task holds. Its shim knows them when the vault is locked, or has
/// others: they are what has to be taken out of what is recorded of the task.
struct Values {
  std::vector<std::string> values;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("values", s.values);
  }
};

struct Hello {
  std::string secret;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("secret", s.secret);
  }
};

struct ShimState {
  bool ended = false;
  bool paused = false;
  Started started;
  Ended end;  // when ended
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("ended", s.ended);
    v("paused", s.paused);
    v("started", s.started);
    v("end", s.end);
  }
};

}  // namespace codexos

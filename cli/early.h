// SPDX-License-Identifier: Apache-2.0
// The program's own ELF entry point, in front of the C library's (`_start`), for the plainest and
// commonest start from scripts: `codexos run -- CMD ARG...`, a daemon that listens, no terminal.
//
// It sends the request before the C library and the program have set themselves up (half of what a
// client costs, above all in virtual machines, where each page fault and CPUID is dear), so that
// the daemon works meanwhile. Then
// - with nothing to relay it waits for the end, and leaves with the program's exit code;
// - in every other case it goes on to `_start`. The client makes its request as always, finds that
//   these very bytes were sent (else it refuses to go on, and the task ends with its owner), and
//   takes the connection over, with what was read of the reply.
// A case that it does not know whole it leaves to `_start`, with nothing done.
#pragma once

#include <cstddef>

namespace codexos::cli {

/// What was sent before main() began: head and body; and what has come of the reply so far.
struct EarlyRequest {
  int fd = -1;  // the connection; whoever takes it over puts -1 here
  const char* sent = nullptr;
  size_t sent_size = 0;
  const char* reply = nullptr;
  size_t reply_size = 0;
};
extern EarlyRequest early_request;

/// What a reply of the daemon and the shim tells, as far as it is plain: a 101 head, and the exit
/// frame of a program that ended by itself, recorded, its output written.
struct PlainEnd {
  enum class Is { not_all_there, plain, other } is = Is::not_all_there;
  int code = 0;
  const char* note = nullptr;  // the closing line for stderr, inside the reply
  size_t note_size = 0;
};
PlainEnd plain_end(const char* bytes, size_t size);

}  // namespace codexos::cli

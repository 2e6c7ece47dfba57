// SPDX-License-Identifier: Apache-2.0
// What a call of the task's programs means: the strings in its memory, and the folders that they
// name from where the caller stands. Everything is read once, into our own memory, and never again.
// The notification must be checked after that (SECCOMP_IOCTL_NOTIF_ID_VALID): until then the thread
// may be another one that got the same number.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <climits>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/fd.h"

namespace codexos::exec {

/// Bytes of `tid`'s memory from `address` on, as many as there are; below 0: errno.
ssize_t read_memory(pid_t tid, uint64_t address, char* to, size_t room);

/// A path as it was given, with room in front for where it starts.
class GivenPath {
 public:
  char* text() { return bytes_ + kFront; }
  const char* text() const { return bytes_ + kFront; }
  static constexpr size_t kRoom = PATH_MAX;
  /// The path as our own process reaches it: through /proc/TID/cwd or /proc/TID/fd/N.
  const char* from(pid_t tid, int dirfd);

 private:
  static constexpr size_t kFront = 64;
  char bytes_[kFront + kRoom];
};

/// A folder and a name in it.
struct Place {
  Fd dir;            // O_PATH
  std::string name;  // one component, neither "." nor ".."
};

class Caller {
 public:
  /// `reader`: a socket to the shim, which reads memory that we may not (Yama: PID 1 is everybody's
  /// ancestor, the worker is not).
  Caller(pid_t tid, int reader) : tid_(tid), reader_(reader) {}

  bool read_path(uint64_t address, GivenPath& out);
  /// As stat(2) without following a last link.
  bool stat_path(int dirfd, GivenPath& path, struct stat& out) const;
  /// Whether nothing can be reached there, following links.
  bool is_missing(int dirfd, GivenPath& path) const;
  /// The same path from the root on, as far as names tell; empty: where it starts is not known.
  std::string absolute(int dirfd, const GivenPath& path) const;
  /// Where `path` leads, component by component, so that nothing of /proc is crossed: its links
  /// would be the worker's own. False where the kernel should say what is wrong.
  bool resolve(int dirfd, const GivenPath& path, Place& out) const;
  /// Whether root and mounts are ours: the same names then mean the same things.
  bool same_view() const;
  /// The name of its program, or empty.
  std::string program() const;

 private:
  Fd start_of(int dirfd, bool absolute) const;

  pid_t tid_;
  int reader_;
};

/// A process that has taken rights from itself is marked by a limit that has no effect, is
/// inherited, and cannot be raised again.
bool mark_restricted(pid_t tid);
bool is_restricted(pid_t tid);

/// A call that was refused and is to be told: its number and first argument; or, with number -1, a
/// path that was looked for and is not there.
struct RefusedCall {
  int32_t call = -1;
  uint64_t flags = 0;
  char program[16] = {};
  std::string path;
};

/// What the worker sends the shim over `reader`: it wants memory, or tells what it refused, in
/// which case a path may follow.
struct WorkerMessage {
  pid_t tid = 0;  // 0: it tells
  int32_t call = -1;
  uint64_t address = 0;  // of the memory; else the first argument
  char program[16] = {};
};
/// Takes one message; a request for memory is answered. False: there is none.
bool serve_worker(int socket, std::vector<RefusedCall>& refused);

}  // namespace codexos::exec

// SPDX-License-Identifier: Apache-2.0
// Content by its SHA-256: tenants/T/objects/ab/cdef…, each content once, whoever refers to it
// (pre-images of an apply, bases, snapshots). What refers to it is written elsewhere: sweep() is
// told.
//
// An object is complete under its name or not there: it is written beside and renamed. It is not
// made durable one by one; sync() does that for all at once, before the first reference is
// committed. After a power failure in between a name may hold less than it should, so whoever puts
// the same content again compares the size, and read() compares the hash.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>

#include "core/base/error.h"
#include "core/base/fd.h"

namespace codexos::daemon {

class ObjectStore {
 public:
  /// Makes the folder where it is missing.
  static Result<ObjectStore> open(const std::string& dir);

  /// The whole file behind `fd`, whatever its offset; a reflink where the file system has them.
  /// The id is that of the bytes that were stored, even if the file changes meanwhile. Error
  /// exhausted: the disk is full; nothing is left behind.
  Result<std::string> put(int fd);
  Result<std::string> put_bytes(std::string_view bytes);

  bool has(const std::string& id) const;
  /// For reading. Error not_found.
  Result<Fd> open_object(const std::string& id) const;
  /// The whole object, compared with its id; exhausted above `limit`.
  Result<std::string> read(const std::string& id, size_t limit) const;

  /// Everything that was put so far survives a power failure (syncfs(2)).
  Status sync() const;

  struct Swept {
    uint64_t objects = 0, bytes = 0;
  };
  /// Removes what is not in `keep` and was not put within the last `grace_s` seconds: a reference
  /// that is about to be written is safe. Also what a crash left half written.
  Result<Swept> sweep(const std::unordered_set<std::string>& keep, int64_t grace_s);

 private:
  ObjectStore() = default;
  struct Temp;
  Result<Temp> make_temp();
  Result<bool> touch(const std::string& id, uint64_t size) const;
  Result<std::string> keep_as(Temp temp, std::string id, uint64_t size);

  std::string dir_;
  Fd fd_;
};

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// The exit record: tasks/<id>/record, one page, mapped shared by the shim and written before
// anybody is told. Little endian, fixed offsets (this struct, no padding); `checksum` is FNV-1a 64
// over everything from `boot_id` on up to and including `usage`, taken with live counters excluded.
// A record whose magic, length, checksum or boot id is wrong counts as absent.
//
// A crash of daemon and shim keeps the page (it is in the page cache); only a power failure before
// the daemon's commit, or the shim's fdatasync when there is no daemon, loses it: then `lost`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/base/hash.h"

namespace codexos {

inline constexpr uint32_t kRecordMagic = 0x52584443;  // "CDXR"
inline constexpr size_t kRecordSize = 4096;
inline constexpr size_t kLogHeadDefault = 32 << 20;

struct Record {
  uint32_t magic;
  uint32_t length;    // sizeof(Record) of who made it
  uint64_t checksum;  // 0 until the end is written
  char boot_id[40];   // /proc/sys/kernel/random/boot_id, NUL-padded; written by the daemon at
                      // creation
  int32_t cause;
  int32_t code;
  int32_t signal;
  uint32_t detail_length;
  int64_t started_at_us;  // wall clock, microseconds since the epoch; written right before the
                          // program is forked, so 0 says that nothing of it ever ran
  int64_t ended_at_us;
  uint64_t wall_us;
  uint64_t cpu_user_us;
  uint64_t cpu_system_us;
  uint64_t max_rss_bytes;
  char detail[512];
  // Live counters, written while the task runs, outside the checksum. Streams: 0 stdout/terminal, 1
  // stderr.
  uint64_t stream_bytes[2];  // so far, as far as the log took them; it holds them up to the cap
  uint64_t last_output_us;   // CLOCK_MONOTONIC
  uint64_t paused;           // 1 while paused
  uint32_t log_errors[2];    // errno why the stream's log ends at stream_bytes, though the stream
                             // went on; 0: it does not
  uint64_t log_cap_bytes;    // of each stream's log; 0: the default
  uint64_t memory_peak;      // bytes, so far; 0: not measured, like the two below
  uint64_t pids_peak;
  uint64_t disk_peak;  // bytes
};
static_assert(sizeof(Record) <= kRecordSize);
/// Members are only ever appended, and the page is zero behind them: an older shim's record is
/// shorter.
inline constexpr size_t kRecordLeast = offsetof(Record, log_errors);
constexpr bool is_record_length(uint32_t n) { return n >= kRecordLeast && n <= kRecordSize; }

inline uint64_t record_checksum(const Record& r) {
  const auto* begin = reinterpret_cast<const char*>(&r.boot_id);
  const auto* end = reinterpret_cast<const char*>(&r.stream_bytes);
  const uint64_t h = fnv1a({begin, static_cast<size_t>(end - begin)});
  return h == 0 ? 1 : h;
}
/// True when the record tells a finished end of this boot.
inline bool record_ended(const Record& r, std::string_view boot_id) {
  return r.magic == kRecordMagic && is_record_length(r.length) && r.checksum != 0 &&
         boot_id == std::string_view(r.boot_id, strnlen(r.boot_id, sizeof r.boot_id)) &&
         r.checksum == record_checksum(r);
}

/// Where a stream's byte `offset` lies in its log file: the first half of the cap linear, the rest
/// a ring in the second half. Log files are never larger than the cap.
struct LogLayout {
  uint64_t cap;
  uint64_t head() const { return cap / 2; }
  uint64_t position(uint64_t offset) const {
    return offset < head() ? offset : head() + (offset - head()) % (cap - head());
  }
  /// First byte after the head that is still there, given `total` produced bytes.
  uint64_t tail_begin(uint64_t total) const {
    return total <= cap ? head() : total - (cap - head());
  }
};

}  // namespace codexos

// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/record_page.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace codexos::exec {

RecordPage::RecordPage(Fd fd) : fd_(std::move(fd)) {
  if (!fd_) return;
  void* at = mmap(nullptr, kRecordSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
  if (at == MAP_FAILED) {
    fd_.reset();
    return;
  }
  madvise(at, kRecordSize, MADV_DONTFORK);
  page_ = static_cast<Record*>(at);
}

RecordPage::~RecordPage() {
  if (page_ != nullptr) munmap(page_, kRecordSize);
}

void RecordPage::count(size_t stream, uint64_t total, int64_t monotonic_us) {
  if (page_ == nullptr) return;
  // Readers (logs -f) go by the counter, so it follows the bytes.
  __atomic_store_n(&page_->stream_bytes[stream], total, __ATOMIC_RELEASE);
  __atomic_store_n(&page_->last_output_us, static_cast<uint64_t>(monotonic_us), __ATOMIC_RELAXED);
}

void RecordPage::log_failed(size_t stream, int error) {
  if (page_ != nullptr)
    __atomic_store_n(&page_->log_errors[stream], static_cast<uint32_t>(error), __ATOMIC_RELEASE);
}

void RecordPage::set_paused(bool paused) {
  if (page_ != nullptr) __atomic_store_n(&page_->paused, paused ? 1U : 0U, __ATOMIC_RELEASE);
}

void RecordPage::set_log_cap(uint64_t bytes) {
  if (page_ != nullptr) page_->log_cap_bytes = bytes;
}

void RecordPage::note_peaks(uint64_t memory, uint64_t pids, uint64_t disk) {
  if (page_ == nullptr) return;
  page_->memory_peak = memory;
  page_->pids_peak = pids;
  page_->disk_peak = disk;
}

void RecordPage::mark_started(int64_t at_us) {
  if (page_ != nullptr) __atomic_store_n(&page_->started_at_us, at_us, __ATOMIC_RELEASE);
}

void RecordPage::write_end(const Ended& end, int64_t started_at_us) {
  if (page_ == nullptr) return;
  Record& r = *page_;
  r.magic = kRecordMagic;
  if (!is_record_length(r.length)) r.length = sizeof(Record);
  r.cause = static_cast<int32_t>(end.outcome.cause);
  r.code = end.outcome.code;
  r.signal = end.outcome.signal;
  const size_t n = std::min(end.outcome.detail.size(), sizeof r.detail);
  r.detail_length = static_cast<uint32_t>(n);
  std::memcpy(r.detail, end.outcome.detail.data(), n);
  r.started_at_us = started_at_us;
  r.ended_at_us = end.at_us;
  r.wall_us = end.usage.wall_us;
  r.cpu_user_us = end.usage.cpu_user_us;
  r.cpu_system_us = end.usage.cpu_system_us;
  r.max_rss_bytes = end.usage.max_rss_bytes;
  __atomic_store_n(&r.checksum, record_checksum(r), __ATOMIC_RELEASE);
}

void RecordPage::make_durable() {
  if (fd_) (void)fdatasync(fd_.get());
}

}  // namespace codexos::exec

// SPDX-License-Identifier: Apache-2.0
#include "core/os/mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

namespace codexos {

Result<std::unique_ptr<Mailbox>> Mailbox::make(Loop& loop, const char* name) {
  std::unique_ptr<Mailbox> m(new Mailbox(loop));
  m->wake_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!m->wake_) return errno_error("eventfd", errno);
  Mailbox* self = m.get();
  CODEXOS_TRY(loop.watch(m->wake_.get(), EPOLLIN, name, [self](uint32_t) { self->deliver(); }));
  return m;
}

Mailbox::~Mailbox() { loop_.forget(wake_.get()); }

void Mailbox::post(Letter letter) {
  const std::lock_guard lock(mutex_);
  letters_.push_back(std::move(letter));
  if (letters_.size() > 1) return;  // it is awake already
  const uint64_t one = 1;
  (void)!write(wake_.get(), &one, sizeof one);
}

void Mailbox::deliver() {
  uint64_t count = 0;
  (void)!read(wake_.get(), &count, sizeof count);
  std::vector<Letter> letters;
  {
    const std::lock_guard lock(mutex_);
    letters.swap(letters_);
  }
  for (auto& l : letters) l();
}

}  // namespace codexos

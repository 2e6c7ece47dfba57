// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/input.h"

#include <cerrno>

#include "daemon/exec/pty.h"

namespace codexos::exec {

size_t Input::write_some(std::string_view bytes) {
  size_t done = 0;
  while (open() && done < bytes.size()) {
    const ssize_t n = write(fd_.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n <= 0) {
      close();
      return bytes.size();
    }
    done += static_cast<size_t>(n);
  }
  if (done > 0) in_line_ = bytes[done - 1] != '\n' && bytes[done - 1] != '\r';
  return done;
}

size_t Input::put(std::string_view bytes) {
  if (!open() || ending_) return bytes.size();
  const size_t taken = queue_.empty() ? write_some(bytes) : 0;
  queue_.append(bytes.substr(taken));
  return taken;
}

void Input::put_end() {
  if (!open()) return;
  ending_ = kind_ == Kind::pipe;
  if (queue_.empty()) return finish();
  // For a terminal the character is input like any other, in its turn.
  if (kind_ == Kind::terminal)
    queue_.append(queue_.back() == '\n' ? 1 : 2, end_of_file_char(fd_.get()));
}

// Within a line the first end-of-file character only hands the line over (termios(3), VEOF).
void Input::finish() {
  if (kind_ == Kind::pipe) return close();
  const std::string end(in_line_ ? 2 : 1, end_of_file_char(fd_.get()));
  queue_.append(std::string_view(end).substr(write_some(end)));
  in_line_ = false;
}

void Input::close() {
  fd_.reset();
  queue_.clear();
  queue_.shrink_to_fit();
}

void Input::watch(PollSet& polls) {
  // Without events a pipe still tells that nobody reads it any more (POLLERR).
  poll_ = polls.add(fd_.get(), queue_.empty() ? short{0} : POLLOUT);
}

size_t Input::react(const PollSet& polls) {
  const short ready = open() ? polls.ready(poll_) : short{0};
  if (kind_ == Kind::pipe && (ready & POLLERR) != 0) {
    const size_t dropped = queue_.size();
    close();
    return dropped;
  }
  if ((ready & POLLOUT) == 0 || queue_.empty()) return 0;
  const size_t before = queue_.size();
  const size_t taken = write_some(queue_);
  if (!open()) return before;
  queue_.erase(0, taken);
  if (queue_.empty() && ending_) close();
  return taken;
}

}  // namespace codexos::exec

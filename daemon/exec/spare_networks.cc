// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/spare_networks.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>

#include "daemon/exec/network.h"

namespace codexos::exec {
namespace {

constexpr size_t kMaxSpare = 4;

/// Of the namespace that this process is in. A file of /proc/net is short and read at once.
std::string read_of_network(const char* name) {
  const Fd fd(open((std::string("/proc/thread-self/net/") + name).c_str(), O_RDONLY | O_CLOEXEC));
  std::string text(4096, '\0');
  const ssize_t n = fd ? read(fd.get(), text.data(), text.size()) : 0;
  text.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return text;
}

/// The next word, and cuts it off.
std::string_view take_word(std::string_view& text) {
  const size_t from = text.find_first_not_of(" \t");
  if (from == std::string_view::npos) return text = {};
  const size_t to = std::min(text.find_first_of(" \t", from), text.size());
  const std::string_view word = text.substr(from, to - from);
  text.remove_prefix(to);
  return word;
}

std::string_view take_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

/// Lines of "NAME: key number key number"; of the keys those that count in this namespace alone.
bool counts_nothing(std::string_view sockstat) {
  if (sockstat.empty()) return false;
  while (!sockstat.empty()) {
    std::string_view line = take_line(sockstat);
    take_word(line);
    while (!line.empty()) {
      const std::string_view key = take_word(line);
      const std::string_view count = take_word(line);
      if ((key == "used" || key == "inuse" || key == "tw") && count != "0") return false;
    }
  }
  return true;
}

/// There is no other interface, and its packets are the second number.
bool received_nothing(std::string_view dev) {
  while (!dev.empty()) {
    std::string_view line = take_line(dev);
    if (take_word(line) != "lo:") continue;
    take_word(line);
    return take_word(line) == "0";
  }
  return false;
}

}  // namespace

bool is_unused(std::string_view sockstat, std::string_view sockstat6, std::string_view dev) {
  return counts_nothing(sockstat) && (sockstat6.empty() || counts_nothing(sockstat6)) &&
         received_nothing(dev);
}

Status SpareNetworks::enter(Network& out) {
  if (!possible_) return Error{Code::unavailable, "no network namespace could be made", {}};
  Status done = enter_spare() ? Status() : make();
  if (done.ok() && !batches_.empty()) done = open_sockets(current_.redirection, out);
  possible_ = done.ok();
  if (!possible_) out = Network();
  return done;
}

/// What the daemon still held when its task ended is closed by now.
bool SpareNetworks::enter_spare() {
  while (!spare_.empty()) {
    current_ = std::move(spare_.back());
    spare_.pop_back();
    if (setns(current_.network.get(), CLONE_NEWNET) == 0 &&
        is_unused(read_of_network("sockstat"), read_of_network("sockstat6"),
                  read_of_network("dev")))
      return true;
  }
  return false;
}

Status SpareNetworks::make() {
  if (unshare(CLONE_NEWNET) < 0) return errno_error("unshare", errno);
  current_ = {Fd(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)), {}};
  if (!current_.network) return errno_error("open the network namespace", errno);
  const Fd sysctl(open("/proc/sys", O_PATH | O_DIRECTORY | O_CLOEXEC));
  CODEXOS_TRY(set_network_defaults(sysctl.get()));
  return batches_.empty() ? raise_loopback() : send_batches(batches_, current_.redirection);
}

void SpareNetworks::lend(Fd process) {
  leases_.push_back({std::move(process), std::move(current_)});
}

void SpareNetworks::wait_for(int link, int wake) {
  std::vector<pollfd> polled;
  for (;;) {
    polled.assign({{link, 0, 0}, {wake, POLLIN, 0}});  // of the link only its end
    for (const auto& lease : leases_) polled.push_back({lease.process.get(), POLLIN, 0});
    if (poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return;
    auto at = leases_.begin();
    for (size_t i = 2; i < polled.size(); ++i) {
      const auto lease = at++;
      if (polled[i].revents == 0) continue;
      if (spare_.size() < kMaxSpare) spare_.push_back(std::move(lease->space));
      leases_.erase(lease);
    }
    if (polled[0].revents != 0 || polled[1].revents != 0) return;
  }
}

}  // namespace codexos::exec

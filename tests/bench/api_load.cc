// SPDX-License-Identifier: Apache-2.0
// api_load SOCKET PATH CONNECTIONS SECONDS [JSON]: keep-alive connections that each ask for PATH,
// or post JSON there, again as soon as they were answered. Prints requests a second, the median and
// the 95th percentile of an answer in ms. Any answer but 200 is a failure.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "core/base/clock.h"

namespace {

struct Connection {
  int fd = -1;
  int64_t asked_us = 0;
  std::string answer;
};

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "api_load: %s\n", what.c_str());
  std::exit(1);
}

void ask(Connection& c, const std::string& request) {
  c.asked_us = codexos::monotonic_us();
  c.answer.clear();
  if (send(c.fd, request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size()))
    die("send: " + std::string(std::strerror(errno)));
}

/// Whether the answer is whole.
bool is_whole(const std::string& answer) {
  const size_t head = answer.find("\r\n\r\n");
  if (head == std::string::npos) return false;
  if (answer.compare(0, 13, "HTTP/1.1 200 ") != 0) die("not 200: " + answer.substr(0, 200));
  constexpr char kLength[] = "\r\ncontent-length: ";
  const size_t at = answer.find(kLength);
  if (at == std::string::npos || at > head) die("no content-length: " + answer.substr(0, 200));
  return answer.size() >=
         head + 4 + std::strtoull(answer.c_str() + at + sizeof kLength - 1, nullptr, 10);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5 && argc != 6) die("SOCKET PATH CONNECTIONS SECONDS [JSON]");
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  std::strncpy(at.sun_path, argv[1], sizeof at.sun_path - 1);
  const std::string body = argc == 6 ? argv[5] : "";
  const std::string posts = body.empty() ? ""
                                         : "content-type: application/json\r\ncontent-length: " +
                                               std::to_string(body.size()) + "\r\n";
  const std::string request = std::string(body.empty() ? "GET " : "POST ") + argv[2] +
                              " HTTP/1.1\r\nhost: codexos\r\n" + posts + "\r\n" + body;
  std::vector<Connection> all(std::strtoul(argv[3], nullptr, 10));
  const int poll = epoll_create1(EPOLL_CLOEXEC);
  for (auto& c : all) {
    c.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c.fd < 0 || connect(c.fd, reinterpret_cast<sockaddr*>(&at), sizeof at) < 0)
      die("connect: " + std::string(std::strerror(errno)));
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.ptr = &c;
    epoll_ctl(poll, EPOLL_CTL_ADD, c.fd, &e);
  }
  std::vector<int64_t> took;
  const int64_t begin = codexos::monotonic_us();
  const int64_t end = begin + static_cast<int64_t>(std::strtod(argv[4], nullptr) * 1e6);
  for (auto& c : all) ask(c, request);
  while (codexos::monotonic_us() < end) {
    epoll_event ready[256];
    const int n = epoll_wait(poll, ready, 256, 1000);
    for (int i = 0; i < n; ++i) {
      auto& c = *static_cast<Connection*>(ready[i].data.ptr);
      char bytes[65536];
      const ssize_t got = recv(c.fd, bytes, sizeof bytes, MSG_DONTWAIT);
      if (got <= 0) die("a connection was closed");
      c.answer.append(bytes, static_cast<size_t>(got));
      if (!is_whole(c.answer)) continue;
      took.push_back(codexos::monotonic_us() - c.asked_us);
      ask(c, request);
    }
  }
  if (took.empty()) die("no answer");
  std::sort(took.begin(), took.end());
  const double seconds = static_cast<double>(codexos::monotonic_us() - begin) / 1e6;
  std::printf("%.0f %.2f %.2f\n", static_cast<double>(took.size()) / seconds,
              static_cast<double>(took[took.size() / 2]) / 1e3,
              static_cast<double>(took[took.size() * 95 / 100]) / 1e3);
}

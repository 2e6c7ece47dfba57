// SPDX-License-Identifier: Apache-2.0
// Both ends of what the model gateway carries, for tests/bench/gateway.sh.
//
//   model_load serve FILE                  a provider of Chat Completions; writes its port to FILE
//   model_load ask HOST PORT CONNECTIONS SECONDS [HEADER...]     requests a second, p50 and p95 in
//   ms model_load streams HOST PORT COUNT     opens streams, all at once, and reads each to its end
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "core/base/clock.h"

namespace {

constexpr char kAnswer[] =
    R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":)"
    R"({"role":"assistant","content":"Hello."},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,)"
    R"("completion_tokens":2,"total_tokens":11}})";
constexpr char kChunk[] =
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\","
    "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"},\"finish_reason\":null}]}\n\n";
constexpr int kChunks = 60, kChunkMs = 100;

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "model_load: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

void send_all(int fd, const std::string& bytes) {
  if (send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size()))
    die("send");
}

std::string request(bool stream, const std::string& headers = "") {
  const std::string body =
      std::string(R"({"model":"m","max_tokens":50,"messages":[{"role":"user","content":"Hi."}])") +
      (stream ? R"(,"stream":true})" : "}");
  return "POST /v1/chat/completions HTTP/1.1\r\nhost: llm.codexos.internal\r\n"
         "content-type: application/json\r\ncontent-length: " +
         std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body;
}

/// Whether a request is whole.
bool is_request(const std::string& s) {
  const size_t head = s.find("\r\n\r\n");
  if (head == s.npos) return false;
  std::string lower = s.substr(0, head);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const size_t at = lower.find("content-length: ");
  return at != lower.npos &&
         s.size() >= head + 4 + std::strtoul(lower.c_str() + at + 16, nullptr, 10);
}

struct Stream {
  int left = kChunks;
};

void answer(int fd, const std::string& asked, std::map<int, Stream>& streams) {
  if (asked.find("\"stream\":true") != asked.npos) {
    send_all(fd,
             "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
             "transfer-encoding: chunked\r\n\r\n");
    streams[fd] = {};
    return;
  }
  send_all(fd, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: " +
                   std::to_string(sizeof kAnswer - 1) + "\r\n\r\n" + kAnswer);
}

void tick(std::map<int, Stream>& streams) {
  for (auto it = streams.begin(); it != streams.end();) {
    const bool last = --it->second.left == 0;
    const std::string text = last ? "data: [DONE]\n\n" : kChunk;
    char size[32];
    std::snprintf(size, sizeof size, "%zx\r\n", text.size());
    const std::string all = size + text + "\r\n" + (last ? "0\r\n\r\n" : "");
    (void)!send(it->first, all.data(), all.size(), MSG_NOSIGNAL);
    it = last ? streams.erase(it) : std::next(it);
  }
}

int serve(const char* file) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  if (bind(listener, reinterpret_cast<sockaddr*>(&at), size) < 0) die("bind");
  if (listen(listener, 1024) < 0) die("listen");
  getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size);
  FILE* f = std::fopen(file, "w");
  std::fprintf(f, "%d\n", ntohs(at.sin_port));
  std::fclose(f);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  epoll_event e{EPOLLIN, {}};
  e.data.fd = listener;
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
  std::map<int, std::string> got;
  std::map<int, Stream> streams;
  for (int64_t next_us = 0;;) {
    epoll_event ready[64];
    const int n = epoll_wait(epoll, ready, 64, streams.empty() ? -1 : 10);
    for (int i = 0; i < n; ++i) {
      const int fd = ready[i].data.fd;
      if (fd == listener) {
        const int c = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        const int one = 1;
        setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        e.data.fd = c;
        epoll_ctl(epoll, EPOLL_CTL_ADD, c, &e);
        continue;
      }
      char buffer[65536];
      const ssize_t m = recv(fd, buffer, sizeof buffer, 0);
      if (m <= 0) {
        got.erase(fd);
        streams.erase(fd);
        close(fd);
        continue;
      }
      std::string& s = got[fd];
      s.append(buffer, static_cast<size_t>(m));
      if (!is_request(s)) continue;
      answer(fd, s, streams);
      s.clear();
    }
    if (const int64_t now = codexos::monotonic_us(); now >= next_us) {
      next_us = now + kChunkMs * 1000;
      tick(streams);
    }
  }
}

int dial(const char* host, const char* port) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  if (getaddrinfo(host, port, &hints, &found) != 0) die(std::string("look up ") + host);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, found->ai_addr, found->ai_addrlen) < 0) die("connect");
  freeaddrinfo(found);
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

struct Asker {
  int fd = -1;
  int64_t asked_us = 0;
  std::string got;
};

int ask(const char* host, const char* port, int connections, double seconds,
        const std::string& headers) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  std::vector<Asker> all(static_cast<size_t>(connections));
  const std::string bytes = request(false, headers);
  for (size_t i = 0; i < all.size(); ++i) {
    all[i].fd = dial(host, port);
    epoll_event e{EPOLLIN, {}};
    e.data.u64 = i;
    epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &e);
    all[i].asked_us = codexos::monotonic_us();
    send_all(all[i].fd, bytes);
  }
  std::vector<int64_t> took;
  const int64_t begin = codexos::monotonic_us();
  const auto until = begin + static_cast<int64_t>(seconds * 1e6);
  while (codexos::monotonic_us() < until) {
    epoll_event ready[64];
    const int n = epoll_wait(epoll, ready, 64, 1000);
    for (int i = 0; i < n; ++i) {
      Asker& a = all[ready[i].data.u64];
      char buffer[65536];
      const ssize_t m = recv(a.fd, buffer, sizeof buffer, 0);
      if (m <= 0) die("cut");
      a.got.append(buffer, static_cast<size_t>(m));
      if (a.got.size() < 4 || a.got.compare(a.got.size() - 4, 4, "11}}") != 0) continue;
      if (a.got.compare(0, 12, "HTTP/1.1 200") != 0) die(a.got);
      const int64_t now = codexos::monotonic_us();
      took.push_back(now - a.asked_us);
      a.got.clear();
      a.asked_us = now;
      send_all(a.fd, bytes);
    }
  }
  const double span = static_cast<double>(codexos::monotonic_us() - begin) / 1e6;
  std::sort(took.begin(), took.end());
  if (took.empty()) die("no answer");
  const auto at = [&](size_t percent) {
    return static_cast<double>(took[(took.size() - 1) * percent / 100]) / 1000;
  };
  std::printf("%.0f %.3f %.3f\n", static_cast<double>(took.size()) / span, at(50), at(95));
  return 0;
}

int streams(const char* host, const char* port, int count) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  std::vector<Asker> all(static_cast<size_t>(count));
  for (size_t i = 0; i < all.size(); ++i) {
    all[i].fd = dial(host, port);
    epoll_event e{EPOLLIN, {}};
    e.data.u64 = i;
    epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &e);
    send_all(all[i].fd, request(true));
  }
  int whole = 0, begun = 0, most = 0;
  while (whole < count) {
    epoll_event ready[64];
    const int n = epoll_wait(epoll, ready, 64, 30'000);
    if (n <= 0) die("a stream does not end");
    for (int i = 0; i < n; ++i) {
      Asker& a = all[ready[i].data.u64];
      char buffer[65536];
      const ssize_t m = recv(a.fd, buffer, sizeof buffer, 0);
      if (m <= 0) die("a stream was cut");
      if (a.got.empty()) ++begun;
      most = std::max(most, begun - whole);
      a.got.append(buffer, static_cast<size_t>(m));
      if (a.got.find("[DONE]") == a.got.npos || a.got.find("\r\n0\r\n\r\n") == a.got.npos) continue;
      ++whole;
      a.got = "done";
    }
  }
  std::printf("%d %d\n", whole, most);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "serve" && argc == 3) return serve(argv[2]);
  std::string headers;
  for (int i = 6; i < argc; ++i) headers += std::string(argv[i]) + "\r\n";
  if (what == "ask" && argc >= 6)
    return ask(argv[2], argv[3], std::atoi(argv[4]), std::atof(argv[5]), headers);
  if (what == "streams" && argc == 5) return streams(argv[2], argv[3], std::atoi(argv[4]));
  std::fprintf(stderr, "usage: model_load serve|ask|streams ...\n");
  return 2;
}

// SPDX-License-Identifier: Apache-2.0
// Tries to bring the daemon's socket into a task.
//   probe-smuggle serve MEET DAEMON_SOCKET   outside: listens on MEET and hands each caller two
//   descriptors:
//                                            an open connection to the daemon, and its folder
//                                            (O_PATH)
//   probe-smuggle use MEET [NS]              inside: takes them and asks the daemon for its tasks
//   by both ways.
// Exit 0: refused every time. 1: the daemon answered. 2: the set-up failed.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

namespace {

int unix_socket(const std::string& path, bool listening) {
  const int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un a{};
  a.sun_family = AF_UNIX;
  if (s < 0 || path.size() >= sizeof a.sun_path) return -1;
  std::memcpy(a.sun_path, path.c_str(), path.size());
  const auto* addr = reinterpret_cast<sockaddr*>(&a);
  if (listening) return bind(s, addr, sizeof a) == 0 && listen(s, 8) == 0 ? s : -1;
  return connect(s, addr, sizeof a) == 0 ? s : -1;
}

int serve(const std::string& meet, const std::string& daemon) {
  const int s = unix_socket(meet, true);
  if (s < 0) return 2;
  chmod(meet.c_str(), 0777);
  for (;;) {
    const int peer = accept(s, nullptr, nullptr);
    if (peer < 0) return 2;
    const int fds[2] = {unix_socket(daemon, false),
                        open(daemon.substr(0, daemon.rfind('/')).c_str(), O_PATH | O_DIRECTORY)};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof fds)] = {};
    char byte = 'x';
    iovec io{&byte, 1};
    msghdr m{};
    m.msg_iov = &io;
    m.msg_iovlen = 1;
    m.msg_control = control;
    m.msg_controllen = sizeof control;
    cmsghdr* h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof fds);
    std::memcpy(CMSG_DATA(h), fds, sizeof fds);
    if (sendmsg(peer, &m, 0) < 0) std::perror("sendmsg");
    close(fds[0]);
    close(fds[1]);
    close(peer);
  }
}

/// True when the daemon gave an answer of success.
bool answered(int fd, int with_fd, const char* how) {
  const std::string request = "GET /v1/tasks?all=1 HTTP/1.1\r\nhost: x\r\n\r\n";
  iovec io{const_cast<char*>(request.data()), request.size()};  // NOLINT
  msghdr m{};
  m.msg_iov = &io;
  m.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (with_fd >= 0) {
    m.msg_control = control;
    m.msg_controllen = sizeof control;
    cmsghdr* h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(h), &with_fd, sizeof with_fd);
  }
  if (sendmsg(fd, &m, MSG_NOSIGNAL) < 0) {
    std::printf("ok - %s: send: %s\n", how, std::strerror(errno));
    return false;
  }
  std::string reply;
  char buf[4096];
  pollfd p{fd, POLLIN, 0};
  while (poll(&p, 1, 3000) > 0) {
    const ssize_t n = read(fd, buf, sizeof buf);
    if (n <= 0) break;
    reply.append(buf, static_cast<size_t>(n));
    if (reply.find("\r\n\r\n") != std::string::npos) break;
  }
  const bool bad = reply.compare(0, 10, "HTTP/1.1 2") == 0;
  std::printf("%s - %s: %s\n", bad ? "not ok" : "ok", how,
              reply.substr(0, reply.find('\r')).c_str());
  return bad;
}

int take(const std::string& meet, int (&fds)[2]) {
  const int s = unix_socket(meet, false);
  if (s < 0) return -1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fds)] = {};
  char byte = 0;
  iovec io{&byte, 1};
  msghdr m{};
  m.msg_iov = &io;
  m.msg_iovlen = 1;
  m.msg_control = control;
  m.msg_controllen = sizeof control;
  if (recvmsg(s, &m, 0) != 1 || CMSG_FIRSTHDR(&m) == nullptr) return -1;
  std::memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fds);
  return 0;
}

int use(const std::string& meet) {
  int fds[2];
  if (take(meet, fds) < 0) {
    std::printf("cannot take the descriptors: %s\n", std::strerror(errno));
    return 2;
  }
  int bad = answered(fds[0], -1, "a connection opened outside") ? 1 : 0;
  if (take(meet, fds) < 0) return 2;
  bad += answered(fds[0], open("/proc/self/ns/user", O_RDONLY),
                  "the same, with this task's own namespace")
             ? 1
             : 0;
  const int direct =
      unix_socket("/proc/self/fd/" + std::to_string(fds[1]) + "/codexosd.sock", false);
  if (direct < 0)
    std::printf("ok - connecting through a smuggled folder: %s\n", std::strerror(errno));
  else
    bad += answered(direct, open("/proc/self/ns/user", O_RDONLY), "a connection opened inside") ? 1
                                                                                                : 0;
  return bad == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 4 && std::strcmp(argv[1], "serve") == 0) return serve(argv[2], argv[3]);
  if (argc == 3 && std::strcmp(argv[1], "use") == 0) return use(argv[2]);
  return 2;
}

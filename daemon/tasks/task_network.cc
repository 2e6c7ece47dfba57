// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/task_network.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "core/base/binary.h"
#include "core/base/frames.h"

namespace codexos::daemon {
namespace {

constexpr int kBacklog = 128;

/// Of the host: 127.0.0.1 alone, never an address that others reach.
Result<Fd> listen_on_loopback(int32_t port) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno_error("socket", errno);
  const int one = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<uint16_t>(port));
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const std::string what = "publish port " + std::to_string(port);
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) < 0) {
    if (errno == EADDRINUSE)
      return Error{Code::conflict, what + ": a program on this machine has it", {}};
    return errno_error(what, errno);
  }
  if (listen(fd.get(), kBacklog) < 0) return errno_error(what, errno);
  return fd;
}

}  // namespace

Result<NetPolicyPtr> make_net_policy(const wire::TaskNet& net, const NetSecrets& secrets) {
  auto policy = std::make_shared<NetPolicy>();
  CODEXOS_ASSIGN(policy->rules, parse_net_rules(net.allow));
  policy->max_bytes = net.max_bytes;
  policy->injections = secrets.injections;
  policy->ca = secrets.ca;
  // Named in full: `*.codexos.internal` means no service of ours.
  const NetRule* models = match_name(policy->rules, kModelsHost, kModelsPort);
  policy->models = models != nullptr && models->kind == NetRule::Kind::host;
  return NetPolicyPtr(std::move(policy));
}

Result<EgressOptions> read_egress_options(const std::function<const char*(const char*)>& get) {
  const auto first = [&get](std::initializer_list<const char*> names) {
    for (const char* name : names)
      if (const char* value = get(name); value != nullptr && *value != '\0')
        return std::string(value);
    return std::string();
  };
  EgressOptions o;
  o.resolver = first({"CODEXOS_RESOLVER"});
  const std::string url = first({"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"});
  CODEXOS_ASSIGN(o.proxy, parse_proxy(url, first({"NO_PROXY", "no_proxy"})));
  return o;
}

Status TaskNetwork::begin(const std::string& task, const wire::TaskNet& net, NetSecrets secrets) {
  CODEXOS_ASSIGN(NetPolicyPtr policy, make_net_policy(net, secrets));
  CODEXOS_TRY(egress_.start());
  std::vector<std::pair<int32_t, Fd>> shown;
  for (const int32_t port : net.publish) {
    CODEXOS_ASSIGN(Fd fd, listen_on_loopback(port));
    shown.emplace_back(port, std::move(fd));
  }
  egress_.add(task, std::move(policy));
  for (auto& [port, fd] : shown) egress_.publish(task, port, std::move(fd));
  tasks_[task] = Known{{}, std::move(secrets)};
  return {};
}

void TaskNetwork::dialled(const std::string& task, uint64_t number, Fd socket) {
  egress_.dialled(task, number, std::move(socket));
}

Result<std::string> TaskNetwork::take(const std::string& task, LinkMessage& m) {
  CODEXOS_ASSIGN(NetSockets what, from_binary<NetSockets>(m.payload));
  if (what.kinds.size() != m.fds.size() || what.ports.size() != m.fds.size())
    return Error{Code::invalid, "the task's sockets do not fit their list", {}};
  const auto at = tasks_.find(task);
  if (at == tasks_.end()) return std::string();
  std::string less;
  if (!what.redirected) {
    // First those that its namespace has, then, when its rules are known, those of its ports.
    Ports& ports = at->second.ports;
    if (!ports)
      less =
          "this kernel has no nf_tables: the ports of the task's rules are served and no others, "
          "its own servers cannot have those, and what is refused leaves no event";
    ports.emplace();
    for (size_t i = 0; i < what.kinds.size(); ++i)
      if (what.kinds[i] == NetSocket::tcp) ports->insert(what.ports[i]);
  }
  egress_.serve(task, TaskSockets{std::move(what), std::move(m.fds)});
  return less;
}

Status TaskNetwork::check_change(const std::string& task, const wire::TaskNet& net) const {
  const auto at = tasks_.find(task);
  if (at == tasks_.end() || !at->second.ports) return {};
  CODEXOS_ASSIGN(const auto rules, parse_net_rules(net.allow));
  for (const NetRule& r : rules)
    for (const PortRange& range : r.ports)
      for (int32_t port = range.first; port <= range.last; ++port)
        if (at->second.ports->count(port) == 0)
          return Error{Code::unavailable,
                       to_text(r) + ": port " + std::to_string(port) +
                           " is not served to this task, for the kernel has no nf_tables",
                       "start a task with --allow " + to_text(r)};
  return {};
}

Status TaskNetwork::change(const std::string& task, const wire::TaskNet& net) {
  const auto at = tasks_.find(task);
  if (at == tasks_.end()) return {};
  CODEXOS_ASSIGN(NetPolicyPtr policy, make_net_policy(net, at->second.secrets));
  egress_.change(task, std::move(policy));
  return {};
}

Status TaskNetwork::change(const std::string& task, const wire::TaskNet& net,
                           InjectionSetPtr injections) {
  const auto at = tasks_.find(task);
  if (at == tasks_.end()) return {};
  at->second.secrets.injections = std::move(injections);
  return change(task, net);
}

void TaskNetwork::replace_tokens(const std::string& task, const LoginTokens& tokens) {
  const auto at = tasks_.find(task);
  if (at != tasks_.end() && at->second.secrets.injections)
    daemon::replace_tokens(*at->second.secrets.injections, tokens);
}

void TaskNetwork::count(const std::string& task, std::function<void(NetTotals)> done) {
  egress_.count(task, std::move(done));
}

void TaskNetwork::end(const std::string& task, std::function<void(NetTotals)> done) {
  if (tasks_.erase(task) == 0) return done({});
  egress_.remove(task, std::move(done));
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// All of one task's network: its listeners, its DNS, its connections, and what they used. Lives in
// the relay's thread. Decides by an immutable policy that is replaced whole: a connection that the
// new one does not admit is cut.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/base/frames.h"
#include "core/os/loop.h"
#include "daemon/egress/connection.h"
#include "daemon/egress/dns.h"
#include "daemon/egress/internal_service.h"
#include "daemon/egress/names.h"
#include "daemon/egress/net_policy.h"
#include "daemon/ssh/broker.h"

namespace codexos::daemon {

/// Sockets of a task's network namespace.
struct TaskSockets {
  NetSockets what;
  std::vector<Fd> fds;
};
using TaskSocketsPtr = std::shared_ptr<const TaskSockets>;

/// Whether anything ever came from the task, or to it; set before it is taken from the socket.
using Touched = std::shared_ptr<std::atomic<bool>>;

class RelayTask final : public ConnectionOwner {
 public:
  using Tell = std::function<void(NetReport)>;

  using DialInside = std::function<void(uint64_t number, int32_t port)>;
  /// Hands a connection to the model gateway; error unavailable: there is none.
  using Models = std::function<Status(Fd client)>;

  RelayTask(const ConnectionParts& parts, NetPolicyPtr policy, Touched touched, Tell tell,
            DialInside dial, Models models, TaskMetering metering)
      : p_(parts),
        policy_(std::move(policy)),
        touched_(std::move(touched)),
        tell_(std::move(tell)),
        dial_(std::move(dial)),
        models_(std::move(models)),
        metering_(std::move(metering)) {
    prepare_tls();
  }
  ~RelayTask() override;

  /// Serves these instead of what it had before (a second helper, an adopted task: more than once).
  void serve(TaskSocketsPtr sockets);
  void change(NetPolicyPtr policy);
  bool has_models() const { return policy_->models; }
  /// What connects to this listener of the host is connected with the task's own port.
  void publish(int32_t port, Fd listener);
  void dialled(uint64_t number, Fd socket);
  void serve_ssh(SshAccessPtr access, Fd listener);
  /// Ends everything; what there was is told. Idempotent.
  void close();
  const NetTotals& totals() const { return totals_; }

  bool on_bytes(uint64_t in, uint64_t out) override;
  void on_end(Connection& c) override;
  void on_secret(const Connection& c, const char* what, const std::string& secret,
                 std::string where) override;

 private:
  struct DnsClient {
    Fd socket;
    std::string in, out;
    Loop::TimerId timer = 0;
  };
  void watch(NetSocket kind, int fd, int32_t port);
  void pause_accepting();
  void resume_accepting();
  void on_accept(int listener);
  void on_reach(int listener, int32_t port);
  void on_published(int listener, int32_t port);
  void add(std::unique_ptr<Connection> c);
  void on_dns_accept(int listener);
  void begin_dns(Fd client);
  void on_dns_packet(int fd);
  void on_dns_client(int fd, uint32_t events);
  void drop_dns_client(int fd);
  void on_refused_packet(int fd);

  void open_by_address(Fd client, const IpAddress& to, uint16_t port);
  void open_models(Fd client, uint16_t port);
  bool is_models(std::string_view name) const { return policy_->models && name == kModelsHost; }
  void open_by_name(Fd client, const std::string& name, uint16_t port);
  void begin(Fd client, DialTarget target);
  void prepare_tls();
  Treatment treatment_of(const DialTarget& target) const;
  std::string answer_dns(std::string_view message);
  uint32_t address_for(const std::string& name, const NetRule& rule, std::string& why);

  void on_ssh(const AgentSession::Answer& what);
  bool is_news(const std::string& key);
  void deny(std::string what, std::string target, uint16_t port, std::string why, std::string hint);
  void report(NetReport r);
  bool used_up() const {
    return policy_->max_bytes != 0 && totals_.bytes_in + totals_.bytes_out >= policy_->max_bytes;
  }

  ConnectionParts p_;
  NetPolicyPtr policy_;
  Touched touched_;
  Tell tell_;
  DialInside dial_;
  Models models_;
  TaskMetering metering_;
  std::shared_ptr<TlsLeaves> leaves_;
  TaskSocketsPtr sockets_ = std::make_shared<TaskSockets>();
  std::vector<int> paused_;  // listeners that are not watched
  Loop::TimerId resume_timer_ = 0;
  std::map<const Connection*, std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Connection>> over_;
  std::map<int32_t, Fd> published_;
  std::unique_ptr<SshBroker> ssh_;
  struct Outside {
    Fd client;
    int32_t port = 0;
  };
  std::map<uint64_t, Outside> outside_;  // connected to a published port, not yet inside
  uint64_t next_outside_ = 1;
  std::map<int, DnsClient> dns_clients_;
  SyntheticNames names_;
  LabelBudget labels_;
  std::unordered_set<std::string> denied_;  // already told
  NetTotals totals_;
  uint64_t told_ = 0;
  bool limit_told_ = false;
  std::shared_ptr<bool> exists_ = std::make_shared<bool>(true);
};

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// The model gateway: http://llm.codexos.internal as tasks see it. It lives in the relay's thread,
// takes connections of which the relay knows whose they are, and speaks to providers. No task holds
// a key, and no request goes out that its ledger has not granted.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/gateway/client.h"
#include "daemon/gateway/curl_upstream.h"
#include "daemon/gateway/exchange.h"
#include "daemon/gateway/own_way.h"
#include "daemon/gateway/scripted_upstream.h"

namespace codexos::daemon {

struct GatewayOptions {
  std::string folder;  // of providers.yaml (providers_folder())
  CurlOptions curl;
};

struct GatewayParts {
  Loop& loop;
  Ledger& ledger;
  Keys& keys;
  Recorder* recorder;  // may be null
};

class Gateway final : public ClientOwner {
 public:
  static constexpr size_t kMaxConnections = 2048;  // of one task

  /// Error unavailable: libcurl cannot be set up.
  static Result<std::unique_ptr<Gateway>> make(const GatewayParts& parts, GatewayOptions options);
  ~Gateway() override;

  /// A connection that `task` made.
  void accept(const std::string& task, Fd socket);
  /// All of its connections end, and what they use is settled.
  void drop(const std::string& task);
  /// Of requests that go past it.
  OwnWay& own_way() { return own_way_; }

  void on_request(ClientConnection& c, http::Request request) override;
  void on_drained(ClientConnection& c) override;
  void on_gone(ClientConnection& c) override;

 private:
  struct Client {
    std::string task;
    std::unique_ptr<ClientConnection> connection;
    std::unique_ptr<Exchange> exchange;  // while one is under way
  };
  Gateway(const GatewayParts& parts, GatewayOptions options);
  void route(Client& client, http::Request request);
  void answer(Client& client, const http::Request& request, int status, std::string body);
  Result<ProvidersPtr> providers();
  void bury(std::unique_ptr<Exchange> exchange, std::unique_ptr<ClientConnection> connection);

  GatewayParts p_;
  GatewayOptions options_;
  std::unique_ptr<CurlUpstream> server_;
  ScriptedUpstream script_;
  Slots slots_;
  OwnWay own_way_;
  std::map<const ClientConnection*, Client> clients_;
  std::map<std::string, size_t> connections_;  // of each task
  uint64_t next_exchange_ = 1;
  ProvidersPtr providers_;
  std::string stamp_;  // of the files that they were read from
  std::vector<std::unique_ptr<Exchange>> old_exchanges_;
  std::vector<std::unique_ptr<ClientConnection>> old_connections_;
  std::shared_ptr<bool> exists_ = std::make_shared<bool>(true);
};

}  // namespace codexos::daemon

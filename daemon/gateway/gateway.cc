// SPDX-License-Identifier: Apache-2.0
#include "daemon/gateway/gateway.h"

#include <sys/stat.h>

namespace codexos::daemon {
namespace {

/// Changes with any of the files.
std::string stamp_of(const std::vector<std::string>& files) {
  std::string out;
  for (const auto& f : files) {
    struct stat st {};
    if (stat(f.c_str(), &st) == 0)
      out += std::to_string(st.st_ino) + ":" + std::to_string(st.st_size) + ":" +
             std::to_string(st.st_mtim.tv_sec) + "." + std::to_string(st.st_mtim.tv_nsec);
    out += ";";
  }
  return out;
}

}  // namespace

Gateway::Gateway(const GatewayParts& parts, GatewayOptions options)
    : p_(parts),
      options_(std::move(options)),
      script_(parts.loop),
      slots_(parts.loop),
      own_way_(parts.ledger, parts.recorder, [this] { return providers(); }) {}

Result<std::unique_ptr<Gateway>> Gateway::make(const GatewayParts& parts, GatewayOptions options) {
  std::unique_ptr<Gateway> g(new Gateway(parts, std::move(options)));
  CODEXOS_ASSIGN(g->server_, CurlUpstream::make(parts.loop, g->options_.curl));
  return g;
}

Gateway::~Gateway() {
  *exists_ = false;
  for (auto& [key, c] : clients_)
    if (c.exchange) c.exchange->abandon();
}

/// As the files are now; read again when one of them changed.
Result<ProvidersPtr> Gateway::providers() {
  if (providers_ && stamp_of(providers_->files) == stamp_) return providers_;
  CODEXOS_ASSIGN(Providers fresh, load_providers(options_.folder));
  providers_ = std::make_shared<const Providers>(std::move(fresh));
  stamp_ = stamp_of(providers_->files);
  return providers_;
}

void Gateway::accept(const std::string& task, Fd socket) {
  size_t& count = connections_[task];
  if (count >= kMaxConnections) return;  // it is closed
  auto c = std::make_unique<ClientConnection>(p_.loop, std::move(socket), *this);
  ClientConnection* raw = c.get();
  if (!raw->start().ok()) return;
  ++count;
  clients_[raw] = Client{task, std::move(c), nullptr};
}

void Gateway::drop(const std::string& task) {
  std::vector<ClientConnection*> its;
  for (const auto& [key, c] : clients_)
    if (c.task == task) its.push_back(c.connection.get());
  for (ClientConnection* c : its) c->abort();
  connections_.erase(task);
  script_.forget(task);
  if (p_.recorder != nullptr) p_.recorder->close(task);
}

void Gateway::answer(Client& client, const http::Request& request, int status, std::string body) {
  http::Response r;
  r.status = status;
  r.headers.map["content-type"] = "application/json";
  r.keep_alive = request.keep_alive;
  const size_t size = body.size();
  r.body = std::move(body);
  std::string bytes = http::write_response(r);
  if (request.method == "HEAD") bytes.resize(bytes.size() - size);
  client.connection->send(bytes);
  client.connection->end_answer(r.keep_alive);
}

void Gateway::on_request(ClientConnection& c, http::Request request) {
  const auto at = clients_.find(&c);
  if (at != clients_.end()) route(at->second, std::move(request));
}

void Gateway::route(Client& client, http::Request request) {
  const bool says_anthropic = !request.headers.find("anthropic-version").empty();
  const auto refuse = [&](Dialect d, ApiProblem problem, const std::string& why) {
    const ApiError e = api_error(d, problem, "codexos: " + why);
    answer(client, request, e.status, e.body);
  };
  auto found = find_route(request.path);
  if (!found)
    return refuse(says_anthropic ? Dialect::anthropic : Dialect::openai, ApiProblem::unknown_path,
                  "nothing is served at " + request.path);
  ModelRoute route = *found;
  if (says_anthropic && route.endpoint == Endpoint::models) route.dialect = Dialect::anthropic;
  const bool head = request.method == "HEAD" && route.method == "GET";
  if (request.method != route.method && !head)
    return refuse(route.dialect, ApiProblem::method,
                  request.path + " is for " + std::string(route.method));
  if (route.endpoint == Endpoint::hello)
    return answer(client, request, 200, R"({"service":"codexos model gateway"})");
  auto known = providers();
  if (!known.ok()) return refuse(route.dialect, ApiProblem::invalid, known.error().message);
  if (route.endpoint == Endpoint::models) {
    auto list = models_document(**known, route.dialect, route.target);
    if (!list.ok()) return refuse(route.dialect, ApiProblem::unknown_model, list.error().message);
    return answer(client, request, 200, *std::move(list));
  }
  const ClientConnection* key = client.connection.get();
  const ExchangeParts parts{p_.loop, p_.ledger, p_.keys, p_.recorder, slots_, *server_, script_};
  client.exchange = std::make_unique<Exchange>(parts, next_exchange_++, client.task, *known, route,
                                               *client.connection, std::move(request), [this, key] {
                                                 const auto at = clients_.find(key);
                                                 if (at != clients_.end())
                                                   bury(std::move(at->second.exchange), nullptr);
                                               });
  client.exchange->start();
}

void Gateway::on_drained(ClientConnection& c) {
  const auto at = clients_.find(&c);
  if (at != clients_.end() && at->second.exchange) at->second.exchange->resume();
}

void Gateway::on_gone(ClientConnection& c) {
  const auto at = clients_.find(&c);
  if (at == clients_.end()) return;
  Client client = std::move(at->second);
  clients_.erase(at);
  if (client.exchange) client.exchange->abandon();
  if (const auto n = connections_.find(client.task); n != connections_.end() && --n->second == 0)
    connections_.erase(n);
  bury(std::move(client.exchange), std::move(client.connection));
}

/// Their functions may be running.
void Gateway::bury(std::unique_ptr<Exchange> exchange,
                   std::unique_ptr<ClientConnection> connection) {
  if (old_exchanges_.empty() && old_connections_.empty())
    p_.loop.defer([this, exists = exists_] {
      if (!*exists) return;
      old_exchanges_.clear();
      old_connections_.clear();
    });
  if (exchange) old_exchanges_.push_back(std::move(exchange));
  if (connection) old_connections_.push_back(std::move(connection));
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// Requests that tasks send to providers themselves, past the gateway, with a key or a login that
// the egress puts in (egress/metering.h): reserved, counted and recorded like the gateway's.
//
//   held request -> provider and model, as far as they are known -> reservation -> sent
//     -> the provider's answer, counted while it passes -> settlement, record
//
// Nothing is tried again, and no other model is asked: the program is the provider's client.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/egress/metering.h"
#include "daemon/gateway/exchange.h"

namespace codexos::daemon {

/// What such a request is.
struct OwnRoute {
  std::optional<Endpoint> endpoint;  // none: it may use a model in a way that cannot be counted
  Dialect dialect = Dialect::openai;
  const Provider* provider = nullptr;  // of `all`, by its base URL; null: none that is known
  std::string name;                    // of the provider, else of the host
  bool operator==(const OwnRoute&) const = default;
};
/// Nothing: it uses no model. Only hosts are looked at that are a provider's, or that an agent's
/// key or login is put in for. There, what is not known to be free cannot be counted, and neither
/// can a path that a server may read as another one.
std::optional<OwnRoute> find_own_route(const Providers& all, const OwnRequest& request);

class OwnWay final : public Metering {
 public:
  using FindProviders = std::function<Result<ProvidersPtr>()>;
  /// All of them outlive it and its calls. `recorder` may be null.
  OwnWay(Ledger& ledger, Recorder* recorder, FindProviders providers)
      : ledger_(ledger), recorder_(recorder), providers_(std::move(providers)) {}

  bool serves_models(std::string_view host, uint16_t port) override;
  Result<std::unique_ptr<MeteredCall>> begin(const OwnRequest& request) override;

 private:
  class Call;
  Ledger& ledger_;
  Recorder* recorder_;
  FindProviders providers_;
};

}  // namespace codexos::daemon

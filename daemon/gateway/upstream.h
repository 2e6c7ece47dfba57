// SPDX-License-Identifier: Apache-2.0
// The seam to whoever answers a request: a server (curl_upstream.h) or a script
// (scripted_upstream.h). All of it in one thread; no callback comes from within start().
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/http/http.h"
#include "daemon/gateway/keys.h"
#include "daemon/gateway/providers.h"

namespace codexos::daemon {

struct UpstreamRequest {
  std::string task;
  const Provider* provider = nullptr;  // outlives the call
  Dialect dialect = Dialect::openai;
  Endpoint endpoint = Endpoint::chat;
  std::string target;     // behind the base URL and /v1, with query
  http::Headers headers;  // the caller's, without credentials
  Secret key;
  std::string body;
};

class UpstreamSink {
 public:
  virtual ~UpstreamSink() = default;
  virtual void on_head(int status, const http::Headers& headers) = 0;
  virtual void on_body(std::string_view bytes) = 0;
  /// The last one. Error unavailable: the provider never got the request; others: it may have, and
  /// may charge for it.
  virtual void on_end(Status status) = 0;
};

/// Destroying it cancels: nothing comes any more. Safe from within the sink's functions.
class UpstreamCall {
 public:
  virtual ~UpstreamCall() = default;
  /// While paused no more bytes come, and the provider is not read from.
  virtual void set_paused(bool paused) = 0;
};

class Upstream {
 public:
  virtual ~Upstream() = default;
  virtual std::unique_ptr<UpstreamCall> start(UpstreamRequest request, UpstreamSink& sink) = 0;
};

}  // namespace codexos::daemon

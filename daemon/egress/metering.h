// SPDX-License-Identifier: Apache-2.0
// The seam to who counts what tasks use of models on a way of their own: with a key or a login that
// they hold placeholders of, in TLS, past the model gateway. Such a request is held until its
// budgets have room for it, and its answer is counted while it passes by. All of it in the relay's
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace codexos::daemon {

/// What a secret is that a request carries. Of several the last one counts.
enum class Credential {
  secret,        // of whatever
  subscription,  // of an agent, for its models: paid, but not by the request
  key,           // of an agent, for its models: each request costs
};

/// A request as its head says.
struct OwnRequest {
  std::string task;
  std::string host;  // clean
  uint16_t port = 0;
  std::string method;
  std::string target;
  std::string encoding;  // Content-Encoding; empty: none
  bool upgrade = false;  // to another protocol
  Credential credential = Credential::secret;
};

/// What becomes of a request that was held.
struct Leave {
  bool granted = false;
  std::string body;    // granted: what is sent, which may be less than what was asked for
  bool plain = false;  // granted: it is not in its Content-Encoding any more
  int status = 0;      // else: the answer instead, in the caller's wire
  std::string answer;  // JSON
};

/// One request from its being held to the end of its answer. Destroyed before that: what was sent
/// counts.
class MeteredCall {
 public:
  virtual ~MeteredCall() = default;
  /// Nothing: it is not decided yet. Once; one that grants is taken for sent.
  virtual std::optional<Leave> take_leave() = 0;
  virtual void on_head(int status, std::string_view content_type) = 0;
  /// Of the body, without what frames chunks.
  virtual void on_body(std::string_view bytes) = 0;
  virtual void on_end() = 0;
};

class Metering {
 public:
  virtual ~Metering() = default;
  /// Whether it may use a model. Error: it cannot be told, so it must not be sent.
  virtual Result<bool> counts(const OwnRequest& request) = 0;
  /// `wake` is called when there is a leave to take, maybe from within.
  virtual std::unique_ptr<MeteredCall> ask(const OwnRequest& request, std::string body,
                                           std::function<void()> wake) = 0;
};

/// As one task's connections find it: made when it is first needed. Error: there is none.
using FindMetering = std::function<Result<Metering*>()>;

}  // namespace codexos::daemon

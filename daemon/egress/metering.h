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
#include <utility>

#include "core/base/error.h"
#include "core/http/http.h"

namespace codexos::daemon {

/// How many bytes of requests are held for a task, over all of its connections.
using HeldBytesPtr = std::shared_ptr<size_t>;
/// The part of one request, for as long as this lives.
class HeldRoom {
 public:
  static constexpr size_t kMost = 256 << 20;  // of a task
  explicit HeldRoom(HeldBytesPtr all) : all_(std::move(all)) {}
  HeldRoom(const HeldRoom&) = delete;
  HeldRoom& operator=(const HeldRoom&) = delete;
  ~HeldRoom() {
    if (all_) *all_ -= mine_;
  }
  /// False: there is none.
  bool take(size_t n) {
    if (all_ && *all_ + n > kMost) return false;
    mine_ += n;
    if (all_) *all_ += n;
    return true;
  }

 private:
  HeldBytesPtr all_;
  size_t mine_ = 0;
};

/// What a secret is that a request carries. Two of different kinds are a key.
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
  std::shared_ptr<HeldRoom> room;  // of its body; null: not bounded
};

/// What becomes of a request that was held.
struct Leave {
  bool granted = false;
  std::string body;            // granted: what is sent, which may be less than what was asked for
  bool plain = false;          // granted: it is not in its Content-Encoding any more
  http::Response answer = {};  // else: instead, in the caller's wire
};

/// One request from its head to the end of its answer. Destroyed before that: what was sent counts.
class MeteredCall {
 public:
  virtual ~MeteredCall() = default;
  /// Once, when its body is there. `wake` is called when there is a leave to take, maybe from
  /// within.
  virtual void ask(std::string body, std::function<void()> wake) = 0;
  /// Nothing: it is not decided yet. Once; one that grants is taken for sent.
  virtual std::optional<Leave> take_leave() = 0;
  virtual void on_head(int status, std::string_view content_type) = 0;
  /// Of the body, without what frames chunks.
  virtual void on_body(std::string_view bytes) = 0;
  virtual void on_end() = 0;
  /// The server has broken it off.
  virtual void on_cut() = 0;
};

class Metering {
 public:
  virtual ~Metering() = default;
  /// Whether models are there, whoever asks.
  virtual bool serves_models(std::string_view host, uint16_t port) = 0;
  /// Null: it uses no model. Error: that cannot be told, so it must not be sent.
  virtual Result<std::unique_ptr<MeteredCall>> begin(const OwnRequest& request) = 0;
};

/// As one task's connections find it: made when it is first needed. Error: there is none.
using FindMetering = std::function<Result<Metering*>()>;

/// What the connections of one task have of it.
struct TaskMetering {
  std::string task;
  FindMetering find;  // null: nothing is counted
  HeldBytesPtr held;
};

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// One request of a task from its arrival to its settlement:
//
//   model -> provider -> key -> reservation -> slot -> provider's answer -> settlement, record
//
// A provider that fails before anything of its answer was passed on is asked again after a pause
// (its Retry-After, else growing), then those of its fallback list, each with a reservation of its
// own where the one before may have been charged for. Afterwards the answer belongs to the client,
// and a break in it is passed on as a break.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "core/http/http.h"
#include "daemon/gateway/client.h"
#include "daemon/gateway/keys.h"
#include "daemon/gateway/ledger.h"
#include "daemon/gateway/meter.h"
#include "daemon/gateway/providers.h"
#include "daemon/gateway/recorder.h"
#include "daemon/gateway/slots.h"
#include "daemon/gateway/upstream.h"

namespace codexos::daemon {

inline constexpr size_t kMaxAnswer = 64 << 20;      // of an answer that is no stream
inline constexpr size_t kMaxKeptStream = 16 << 20;  // of a stream, in the record
inline constexpr size_t kMaxKeptRefusal = 64
                                          << 10;  // of a request that was not sent, in the record

/// Our own refusal. Where trying again does not help, programs are told.
http::Response response_of(const ApiError& e);

using ProvidersPtr = std::shared_ptr<const Providers>;

struct ExchangeParts {
  Loop& loop;
  Ledger& ledger;
  Keys& keys;
  Recorder* recorder;  // null: nothing is recorded
  Slots& slots;
  Upstream& server;
  Upstream& script;
};

class Exchange final : public UpstreamSink {
 public:
  /// `on_end` is called once, when the answer was given to the client.
  Exchange(const ExchangeParts& parts, uint64_t number, std::string task, ProvidersPtr providers,
           ModelRoute route, ClientConnection& client, http::Request request,
           std::function<void()> on_end);
  ~Exchange() override;

  void start();
  /// The client takes bytes again.
  void resume();
  /// The client has gone: the provider is left, and what it may charge is settled. Idempotent.
  void abandon();

  void on_head(int status, const http::Headers& headers) override;
  void on_body(std::string_view bytes) override;
  void on_end(Status status) override;

 private:
  void ask_key();
  void reserve();
  Result<Charge> make_charge() const;
  void on_grant(Result<Grant> grant);
  bool downgrade();
  void enter_slot();
  void send();
  http::Headers request_headers() const;
  void watch_silence();
  bool ask_again(std::optional<int64_t> wait_ms);
  void fail(ApiProblem problem, const std::string& message);
  void leave_provider();
  void answer(const http::Response& r);
  http::Response begin_response(int status) const;
  void settle(ModelUsage usage);
  ModelUsage usage_so_far() const;
  ModelUsage usage_when_left() const;
  void finish(bool keep_alive);
  void record() const;

  ExchangeParts p_;
  uint64_t number_;
  std::string task_;
  ProvidersPtr providers_;
  ModelRoute route_;
  ClientConnection* client_;
  http::Request request_;
  std::function<void()> on_end_;

  ModelRequest parsed_;
  ModelTarget target_;
  std::deque<ModelTarget> next_targets_;
  uint64_t attempt_ = 0;  // of this target
  bool downgraded_ = false, soft_capped_ = false;
  Secret key_;
  std::optional<Charge> charge_;
  std::optional<Grant> grant_;  // not settled yet
  std::string note_;
  std::unique_ptr<UpstreamCall> call_;
  std::unique_ptr<AnswerMeter> meter_;
  bool sent_ = false;  // the provider may have it
  int status_ = 0;
  http::Headers head_;
  std::string body_;  // of an answer that is no stream
  bool streaming_ = false, told_ = false, over_ = false, paused_ = false;
  std::string kept_;  // of a stream, for the record
  bool kept_all_ = true;
  std::string error_;
  ModelUsage used_;
  int64_t started_at_us_, started_us_, first_byte_us_ = 0, last_byte_us_ = 0;
  Loop::TimerId timer_ = 0;
  std::shared_ptr<bool> exists_ = std::make_shared<bool>(true);
};

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/gateway/exchange.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/base/clock.h"
#include "daemon/gateway/charging.h"
#include "daemon/gateway/coding.h"

namespace codexos::daemon {
namespace {

constexpr size_t kMaxText = 16 << 20;  // of a request that came in a coding
constexpr int kRefused = 402;
constexpr int64_t kFirstPauseMs = 500, kLongestPauseMs = 8'000, kLongestWaitMs = 60'000;

/// Of one connection (RFC 9110, 7.6.1), or ours to set.
constexpr std::array<std::string_view, 24> kNotSent{"accept-encoding",
                                                    "api-key",
                                                    "authorization",
                                                    "connection",
                                                    "content-length",
                                                    "cookie",
                                                    "expect",
                                                    "forwarded",
                                                    "host",
                                                    "keep-alive",
                                                    "openai-organization",
                                                    "openai-project",
                                                    "proxy-authorization",
                                                    "proxy-connection",
                                                    "te",
                                                    "trailer",
                                                    "transfer-encoding",
                                                    "upgrade",
                                                    "via",
                                                    "x-api-key",
                                                    "x-forwarded-for",
                                                    "x-forwarded-host",
                                                    "x-forwarded-proto",
                                                    "x-goog-api-key"};
constexpr std::array<std::string_view, 11> kNotPassed{"alt-svc",
                                                      "connection",
                                                      "content-length",
                                                      "keep-alive",
                                                      "proxy-authenticate",
                                                      "set-cookie",
                                                      "strict-transport-security",
                                                      "trailer",
                                                      "transfer-encoding",
                                                      "upgrade",
                                                      "proxy-connection"};
template <class List>
bool is_in(const List& list, std::string_view x) {
  return std::find(list.begin(), list.end(), x) != list.end();
}

/// Worth another try: nothing was done, or what was wrong passes.
bool is_passing(int status) {
  return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 ||
         status == 504 || status == 529;
}

/// Retry-After as a number of seconds (dates are rare, and are taken for none), or the finer header
/// that OpenAI sends.
std::optional<int64_t> retry_after_ms(const http::Headers& h) {
  struct Row {
    std::string_view name;
    double factor;
  };
  for (const Row& row : {Row{"retry-after-ms", 1}, Row{"retry-after", 1000}}) {
    const std::string_view text = h.find(row.name);
    double x = 0;
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), x);
    if (!text.empty() && bad == std::errc() && x >= 0 && x < 1e6)
      return static_cast<int64_t>(x * row.factor);
  }
  return std::nullopt;
}

std::string one_line(std::string s) {
  std::replace_if(
      s.begin(), s.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return s.substr(0, 500);
}

}  // namespace

http::Response response_of(const ApiError& e) {
  constexpr int kFirstOfServers = 500;
  http::Response r;
  r.status = e.status;
  r.headers.map["content-type"] = "application/json";
  // Programs try again when they are not told: what has to change is not here.
  if (e.status < kFirstOfServers) r.headers.map["x-should-retry"] = "false";
  r.body = e.body;
  return r;
}

Exchange::Exchange(const ExchangeParts& parts, uint64_t number, std::string task,
                   ProvidersPtr providers, ModelRoute route, ClientConnection& client,
                   http::Request request, std::function<void()> on_end)
    : p_(parts),
      number_(number),
      task_(std::move(task)),
      providers_(std::move(providers)),
      route_(route),
      client_(&client),
      request_(std::move(request)),
      on_end_(std::move(on_end)),
      started_at_us_(now_us()),
      started_us_(monotonic_us()) {}

Exchange::~Exchange() {
  abandon();
  *exists_ = false;
}

// ---- before the provider ----------------------------------------------------------------------

void Exchange::start() {
  if (const std::string_view coding = request_.headers.find("content-encoding"); is_coded(coding)) {
    auto text = decode_body(coding, request_.body, kMaxText);
    if (!text.ok()) return fail(ApiProblem::invalid, text.error().message);
    request_.body = *std::move(text);
    request_.headers.map.erase("content-encoding");
  }
  auto parsed = parse_model_request(route_.endpoint, request_.body);
  if (!parsed.ok()) return fail(ApiProblem::invalid, parsed.error().message);
  parsed_ = *std::move(parsed);
  auto found = find_target(*providers_, route_.dialect, parsed_.model);
  if (!found.ok()) return fail(ApiProblem::unknown_model, found.error().message);
  target_ = *std::move(found);
  for (auto& t : fallbacks_of(*providers_, route_.dialect, target_))
    next_targets_.push_back(std::move(t));
  ask_key();
}

void Exchange::ask_key() {
  key_ = Secret();
  if (target_.provider->key.empty()) return reserve();
  p_.keys.find(task_, target_.provider->key, [this, exists = exists_](Result<Secret> key) {
    if (!*exists || over_) return;
    if (key.ok()) {
      key_ = *std::move(key);
      return reserve();
    }
    const bool missing = key.error().code == Code::not_found;
    fail(missing ? ApiProblem::no_key : ApiProblem::unavailable,
         "the key of provider " + target_.provider->name + " (secret " + target_.provider->key +
             "): " + key.error().message);
  });
}

/// Error unsupported: no price is known.
Result<Charge> Exchange::make_charge() const {
  const ModelPrice* limits = price_of(*providers_, target_);
  const bool free = parsed_.endpoint == Endpoint::count_tokens;
  const bool dear_tier = !free && !is_cheap_tier(parsed_.service_tier);
  const ModelPrice* price = dear_tier ? nullptr : limits;
  if (price == nullptr && !free && target_.provider->unpriced == Unpriced::deny)
    return Error{Code::unsupported,
                 (dear_tier ? "service tier " + parsed_.service_tier + " of model "
                            : std::string("model ")) +
                     target_.model + " of provider " + target_.provider->name +
                     " has no price here: write one into prices.yaml, or `unpriced: allow` for "
                     "the provider",
                 {}};
  Charge c = charge_of(parsed_, request_.body.size(), limits, price);
  c.task = task_;
  c.provider = target_.provider->name;
  c.model = target_.model;
  c.countable = !parsed_.answered_later;
  const auto cheaper = providers_->downgrade.find(target_.model);
  if (!free && !soft_capped_ && cheaper != providers_->downgrade.end())
    c.downgrade = cheaper->second;
  return c;
}

void Exchange::reserve() {
  auto charge = make_charge();
  if (!charge.ok()) return fail(ApiProblem::unpriced, charge.error().message);
  charge_ = *std::move(charge);
  Ledger* ledger = &p_.ledger;
  p_.ledger.reserve(*charge_, [this, exists = exists_, ledger](Result<Grant> grant) {
    if (*exists && !over_) return on_grant(std::move(grant));
    if (grant.ok()) ledger->settle(grant->id, ModelUsage{});  // the client did not wait for it
  });
}

void Exchange::on_grant(Result<Grant> grant) {
  if (!grant.ok()) {
    const bool used_up = grant.error().code == Code::exhausted;
    return fail(used_up ? ApiProblem::budget : ApiProblem::overloaded, grant.error().message);
  }
  grant_ = *std::move(grant);
  if (!grant_->note.empty()) note_ = grant_->note;
  if (!grant_->downgrade_to.empty() && downgrade()) return;
  enter_slot();
}

/// True: another model is charged for. Once; a model that nobody serves leaves things as they are.
bool Exchange::downgrade() {
  if (std::exchange(soft_capped_, true)) return false;
  auto cheaper = find_target(*providers_, route_.dialect, grant_->downgrade_to);
  if (!cheaper.ok()) {
    note_ += (note_.empty() ? "" : "; ") + cheaper.error().message;
    return false;
  }
  settle({});
  downgraded_ = true;
  target_ = *std::move(cheaper);
  next_targets_.clear();
  for (auto& t : fallbacks_of(*providers_, route_.dialect, target_))
    next_targets_.push_back(std::move(t));
  ask_key();
  return true;
}

void Exchange::enter_slot() {
  const bool room = p_.slots.enter(*target_.provider, number_, [this, exists = exists_] {
    if (*exists && !over_) send();
  });
  if (!room)
    fail(ApiProblem::overloaded,
         "too many requests wait for provider " + target_.provider->name + " already");
}

http::Headers Exchange::request_headers() const {
  http::Headers h;
  for (const auto& [name, value] : request_.headers.map)
    if (!is_in(kNotSent, name)) h.map[name] = value;
  h.map["accept-encoding"] = "identity";  // else nobody could count
  h.map["content-type"] = "application/json";
  return h;
}

void Exchange::send() {
  UpstreamRequest r;
  r.task = task_;
  r.provider = target_.provider;
  r.dialect = route_.dialect;
  r.endpoint = route_.endpoint;
  r.target = http::make_target(route_.target, request_.query);
  r.headers = request_headers();
  r.key = key_.copy();
  RequestEdits edits;
  edits.model = target_.model;
  edits.limit_is_max_tokens = target_.provider->output_limit == OutputLimit::max_tokens;
  const ModelPrice* price = price_of(*providers_, target_);
  const uint64_t granted =
      std::min(grant_->max_output_tokens, charge_->max_output_tokens) / parsed_.choices;
  const bool known = price != nullptr && price->max_output != 0;
  if (parsed_.max_output || !known || granted < price->max_output)
    edits.max_output = std::max<uint64_t>(granted, 1);
  r.body = edit_request(parsed_, request_.body, edits);
  meter_ = std::make_unique<AnswerMeter>(route_.endpoint, request_.body.size());
  status_ = 0;
  body_.clear();
  streaming_ = paused_ = false;
  sent_ = true;
  Upstream& upstream = target_.provider->is_scripted() ? p_.script : p_.server;
  call_ = upstream.start(std::move(r), *this);
  last_byte_us_ = monotonic_us();
  watch_silence();
}

void Exchange::watch_silence() {
  const int64_t quiet_ms = (monotonic_us() - last_byte_us_) / 1000;
  const auto most = static_cast<int64_t>(target_.provider->timeout_ms);
  if (paused_) last_byte_us_ = monotonic_us();
  if (quiet_ms >= most && !paused_) {
    call_.reset();
    return on_end(Error{Code::timeout, "nothing came for " + std::to_string(most) + " ms", {}});
  }
  timer_ = p_.loop.after_ms(std::max<int64_t>(most - quiet_ms, 1), "silent provider", [this] {
    timer_ = 0;
    watch_silence();
  });
}

// ---- the provider's answer --------------------------------------------------------------------

/// False: there is nobody to ask. What the last one may charge is settled first.
bool Exchange::ask_again(std::optional<int64_t> wait_ms) {
  const bool again = attempt_ < target_.provider->retries && wait_ms.value_or(0) <= kLongestWaitMs;
  if (!again && next_targets_.empty()) return false;
  const bool charged = status_ == 0 && sent_;
  leave_provider();
  if (!again) {
    settle(charged ? usage_so_far() : ModelUsage{});
    target_ = std::move(next_targets_.front());
    next_targets_.pop_front();
    attempt_ = 0;
    sent_ = false;
    ask_key();
    return true;
  }
  if (charged) settle(usage_so_far());
  const int64_t pause = std::min(kFirstPauseMs << std::min<uint64_t>(attempt_, 8), kLongestPauseMs);
  ++attempt_;
  sent_ = false;
  timer_ = p_.loop.after_ms(wait_ms.value_or(pause), "ask provider again", [this] {
    timer_ = 0;
    grant_ ? enter_slot() : reserve();
  });
  return true;
}

void Exchange::on_head(int status, const http::Headers& headers) {
  status_ = status;
  head_ = headers;
  last_byte_us_ = monotonic_us();
  if (is_passing(status) && ask_again(retry_after_ms(headers))) return;
  const std::string_view type = headers.find("content-type");
  streaming_ = status / 100 == 2 && type.substr(0, 17) == "text/event-stream";
  if (!streaming_) return;
  told_ = true;
  http::Response r = begin_response(status);
  client_->send(http::write_chunked_head(r));
}

void Exchange::on_body(std::string_view bytes) {
  last_byte_us_ = monotonic_us();
  if (first_byte_us_ == 0) first_byte_us_ = std::max<int64_t>(last_byte_us_ - started_us_, 1);
  if (!streaming_) {
    if (body_.size() + bytes.size() > kMaxAnswer) {
      call_.reset();
      return on_end(Error{Code::internal, "its answer is too large", {}});
    }
    body_ += bytes;
    return;
  }
  client_->send(http::chunk(bytes));  // first, then the counting
  if (over_) return;
  meter_->feed(bytes);
  kept_all_ = kept_all_ && kept_.size() + bytes.size() <= kMaxKeptStream;
  if (kept_all_) kept_ += bytes;
  if (client_->is_full() && call_) {
    paused_ = true;
    call_->set_paused(true);
  }
}

void Exchange::resume() {
  if (!paused_) return;
  paused_ = false;
  last_byte_us_ = monotonic_us();
  if (call_) call_->set_paused(false);
}

void Exchange::on_end(Status status) {
  if (over_) return;
  if (!status.ok()) {
    const Error& e = status.error();
    error_ = "provider " + target_.provider->name + ": " + e.message;
    if (e.code == Code::unavailable) sent_ = false;
    if (told_) {  // the break is passed on
      kept_all_ = false;
      leave_provider();
      settle(usage_so_far());
      return finish(false);
    }
    status_ = 0;
    if (ask_again(std::nullopt)) return;
    return fail(e.code == Code::timeout ? ApiProblem::timeout : ApiProblem::unavailable, error_);
  }
  error_.clear();
  leave_provider();
  if (!streaming_) {
    if (status_ / 100 == 2) meter_->take_whole(body_);
    http::Response r = begin_response(status_);
    r.body = std::move(body_);
    settle(usage_so_far());
    return answer(r);
  }
  settle(usage_so_far());
  client_->send(http::kLastChunk);
  finish(request_.keep_alive);
}

http::Response Exchange::begin_response(int status) const {
  http::Response r;
  r.status = status;
  for (const auto& [name, value] : head_.map)
    if (!is_in(kNotPassed, name)) r.headers.map[name] = value;
  if (target_.provider != nullptr) r.headers.map["x-codexos-model"] = target_.model;
  if (!note_.empty()) r.headers.map["x-codexos-note"] = one_line(note_);
  r.keep_alive = request_.keep_alive;
  return r;
}

// ---- the end ----------------------------------------------------------------------------------

void Exchange::leave_provider() {
  call_.reset();
  if (timer_ != 0) p_.loop.cancel(std::exchange(timer_, 0));
  if (target_.provider != nullptr) p_.slots.leave(target_.provider->name, number_);
}

ModelUsage Exchange::usage_so_far() const {
  ModelUsage u;
  if (!sent_ || status_ / 100 > 2 || !meter_) return u;
  u = meter_->usage();
  if (parsed_.endpoint == Endpoint::count_tokens) return {};
  const ModelPrice* price = price_of(*providers_, target_);
  if (price != nullptr) u.cost_micros = cost_of(*price, u);
  return u;
}

/// The client has gone.
ModelUsage Exchange::usage_when_left() const {
  const ModelUsage u = usage_so_far();
  const bool free = parsed_.endpoint == Endpoint::count_tokens;
  if (!sent_ || status_ / 100 > 2 || !meter_ || meter_->complete() || !grant_ || free) return u;
  return usage_of_leaver(u, meter_->told(), *charge_, *grant_, price_of(*providers_, target_));
}

void Exchange::settle(ModelUsage usage) {
  if (!grant_) return;
  usage.status = told_ || status_ != 0 ? status_ : 0;
  used_ = usage;
  const uint64_t id = grant_->id;
  grant_.reset();
  p_.ledger.settle(id, usage);
}

void Exchange::fail(ApiProblem problem, const std::string& message) {
  const ApiError e = api_error(route_.dialect, problem, "codexos: " + message);
  error_ = message;
  leave_provider();
  settle(usage_so_far());
  head_ = {};
  status_ = e.status;
  http::Response r = begin_response(e.status);
  http::Response refusal = response_of(e);
  r.headers.map.merge(refusal.headers.map);
  r.body = std::move(refusal.body);
  answer(r);
}

void Exchange::answer(const http::Response& r) {
  told_ = true;
  client_->send(http::write_response(r));
  kept_ = r.body;
  finish(r.keep_alive);
}

void Exchange::finish(bool keep_alive) {
  if (over_) return;
  over_ = true;
  record();
  ClientConnection* client = std::exchange(client_, nullptr);
  const bool broken = streaming_ && !error_.empty();
  // Both may lead to the end of this object.
  const auto done = std::move(on_end_);
  done();
  broken ? client->abort() : client->end_answer(keep_alive);
}

void Exchange::abandon() {
  if (over_) return;
  over_ = true;
  client_ = nullptr;
  leave_provider();
  error_ = "the client has gone";
  kept_all_ = false;
  settle(usage_when_left());
  if (!told_) status_ = 0;
  record();
}

void Exchange::record() const {
  if (p_.recorder == nullptr) return;
  ExchangeRecord r;
  r.task = task_;
  r.endpoint = name_of(route_.endpoint);
  if (target_.provider != nullptr) r.provider = target_.provider->name;
  r.model = target_.model;
  r.asked_model = parsed_.model;
  r.request = request_.body;
  if (status_ == kRefused) r.request = r.request.substr(0, kMaxKeptRefusal);
  r.status = status_;
  r.content_type = streaming_ ? "text/event-stream" : "application/json";
  r.response = kept_;
  r.response_cut = !kept_all_;
  r.error = error_;
  r.started_at_us = started_at_us_;
  r.first_byte_us = first_byte_us_;
  r.duration_us = monotonic_us() - started_us_;
  r.usage = used_;
  p_.recorder->record(r);
}

}  // namespace codexos::daemon

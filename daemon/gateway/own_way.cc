// SPDX-License-Identifier: Apache-2.0
#include "daemon/gateway/own_way.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/base/clock.h"
#include "core/base/path.h"
#include "core/base/text.h"
#include "daemon/egress/http_head.h"
#include "daemon/gateway/charging.h"
#include "daemon/gateway/coding.h"

namespace codexos::daemon {
namespace {

constexpr size_t kMostText = 32 << 20;  // of a request
constexpr size_t kMostPathTold = 200;
constexpr uint16_t kHttpsPort = 443;

/// Where agents post what costs nothing: what they do, who they are, new tokens.
constexpr std::array<std::string_view, 10> kFree{"/api/event_logging",
                                                 "/api/oauth/",
                                                 "/api/claude_code/",
                                                 "/api/claude_cli",
                                                 "/api/hello",
                                                 "/oauth/",
                                                 "/v1/oauth/",
                                                 "/backend-api/ps/",
                                                 "/backend-api/codex/analytics-events/",
                                                 "/backend-api/wham/usage"};
/// What servers read in different ways.
constexpr std::array<std::string_view, 5> kReadTwoWays{"//", "/.", "\\", "%", ";"};

template <class List>
bool has_any(std::string_view text, const List& parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [text](std::string_view p) { return text.find(p) != std::string_view::npos; });
}

/// Of an https URL: "host", port, "/path" without a slash at its end; else nothing.
struct HttpsPlace {
  std::string_view host, path;
  uint16_t port = kHttpsPort;
};
std::optional<HttpsPlace> https_place(std::string_view url) {
  constexpr std::string_view kScheme = "https://";
  if (url.substr(0, kScheme.size()) != kScheme) return std::nullopt;
  url.remove_prefix(kScheme.size());
  HttpsPlace out;
  const size_t slash = std::min(url.find('/'), url.size());
  out.path = url.substr(slash);
  while (!out.path.empty() && out.path.back() == '/') out.path.remove_suffix(1);
  out.host = url.substr(0, slash);
  const size_t colon = out.host.rfind(':');
  if (colon == std::string_view::npos || out.host.back() == ']') return out;
  const std::string_view digits = out.host.substr(colon + 1);
  const auto [end, bad] =
      std::from_chars(digits.data(), digits.data() + digits.size(), out.port, 10);
  if (bad != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  out.host = out.host.substr(0, colon);
  return out;
}

/// Of those with this host and port the one whose base is the longest that fits; else any of them.
const Provider* provider_at(const Providers& all, const OwnRequest& r, std::string_view path) {
  const Provider* best = nullptr;
  size_t length = 0;
  for (const Provider& p : all.all) {
    const auto at = https_place(p.base_url);
    if (!at || p.is_scripted() || to_lower(at->host) != r.host || at->port != r.port) continue;
    const size_t fits = path_within(path, at->path) ? at->path.size() + 1 : 0;
    if (best != nullptr && fits <= length) continue;
    best = &p;
    length = fits;
  }
  return best;
}

/// Servers have their API below whatever path they like: the longest rest that is an endpoint.
std::optional<ModelRoute> endpoint_in(std::string_view path) {
  for (size_t at = path.find('/'); at != std::string_view::npos; at = path.find('/', at + 1)) {
    const auto r = find_route(path.substr(at));
    if (r && r->method == "POST") return r;
  }
  return std::nullopt;
}

}  // namespace

std::optional<OwnRoute> find_own_route(const Providers& all, const OwnRequest& r) {
  const bool reads = r.method == "GET" || r.method == "HEAD" || r.method == "OPTIONS";
  if (reads && !r.upgrade) return std::nullopt;
  const std::string_view path = path_of_target(r.target);
  OwnRoute out;
  out.provider = provider_at(all, r, path);
  if (out.provider == nullptr && r.credential == Credential::secret) return std::nullopt;
  out.name = out.provider != nullptr ? out.provider->name : r.host;
  if (r.upgrade || has_any(path, kReadTwoWays)) return out;
  if (const auto found = endpoint_in(path); found && r.method == found->method) {
    out.endpoint = found->endpoint;
    out.dialect = found->dialect;
    return out;
  }
  const bool is_free = std::any_of(kFree.begin(), kFree.end(), [path](std::string_view known) {
    return path.substr(0, known.size()) == known;
  });
  if (is_free) return std::nullopt;
  return out;
}

class OwnWay::Call final : public MeteredCall {
 public:
  Call(Ledger& ledger, Recorder* recorder, ProvidersPtr providers, OwnRoute route,
       const OwnRequest& request)
      : ledger_(ledger),
        recorder_(recorder),
        providers_(std::move(providers)),
        route_(std::move(route)),
        request_(request) {}
  ~Call() override {
    *exists_ = false;
    finish("the connection ended");
  }

  void ask(std::string body, std::function<void()> wake) override {
    body_ = std::move(body);
    wake_ = std::move(wake);
    started_at_us_ = now_us();
    started_us_ = monotonic_us();
    finished_ = false;
    read_request();
    make_charge();
    ledger_.reserve(charge_, [this, exists = exists_, ledger = &ledger_](Result<Grant> grant) {
      if (*exists) return on_grant(std::move(grant));
      if (grant.ok()) ledger->settle(grant->id, ModelUsage{});
    });
  }

  std::optional<Leave> take_leave() override {
    auto out = std::exchange(leave_, std::nullopt);
    sent_ = sent_ || (out && out->granted);
    return out;
  }

  void on_head(int status, std::string_view content_type) override {
    status_ = status;
    content_type_ = content_type;
    constexpr std::string_view kStream = "text/event-stream";
    streaming_ = is_success() && content_type.substr(0, kStream.size()) == kStream;
  }

  void on_body(std::string_view bytes) override {
    if (first_byte_us_ == 0) first_byte_us_ = std::max<int64_t>(monotonic_us() - started_us_, 1);
    if (streaming_ && meter_) meter_->feed(bytes);
    const size_t most = streaming_ ? kMaxKeptStream : kMaxAnswer;
    kept_all_ = kept_all_ && answer_.size() + bytes.size() <= most;
    if (kept_all_) answer_ += bytes;
  }

  void on_cut() override {
    broken_off_ = true;
    finish("the provider broke it off");
  }

  void on_end() override {
    whole_ = true;
    if (!streaming_ && is_success() && meter_ && kept_all_) meter_->take_whole(answer_);
    finish({});
  }

 private:
  const std::string& text() const { return text_ ? *text_ : body_; }
  bool is_success() const { return status_ / 100 == 2; }
  bool is_subscription() const { return request_.credential == Credential::subscription; }

  /// What cannot be read is sent on as it is: the provider may understand more than we do.
  void read_request() {
    if (!route_.endpoint) return;
    if (is_coded(request_.encoding)) {
      auto text = decode_body(request_.encoding, body_, kMostText);
      if (!text.ok() || (request_.room && !request_.room->take(text->size()))) return;
      text_ = *std::move(text);
    }
    auto parsed = parse_model_request(*route_.endpoint, text());
    if (parsed.ok()) parsed_ = *std::move(parsed);
  }

  /// What is known of the model. Who is not in providers.yaml may have other prices than the
  /// model's maker, but hardly another model of that name.
  const ModelPrice* limits() const {
    if (!parsed_) return nullptr;
    if (const ModelPrice* own = price_row()) return own;
    return find_price(providers_->prices,
                      route_.dialect == Dialect::anthropic ? "anthropic" : "openai",
                      parsed_->model);
  }
  const ModelPrice* price_row() const {
    if (route_.provider == nullptr || !parsed_) return nullptr;
    return price_of(*providers_, ModelTarget{route_.provider, parsed_->model});
  }

  void make_charge() {
    const bool dear = parsed_ && !is_cheap_tier(parsed_->service_tier);
    price_ = is_subscription() || dear ? nullptr : price_row();
    if (parsed_) charge_ = charge_of(*parsed_, text().size(), limits(), price_);
    charge_.countable = parsed_ && !parsed_->answered_later;
    charge_.priced = is_subscription() || price_ != nullptr;
    if (!can_clamp()) charge_.least_output_tokens = charge_.max_output_tokens;
    charge_.task = request_.task;
    charge_.provider = route_.name;
    charge_.model = parsed_ ? parsed_->model
                            : std::string(path_of_target(request_.target).substr(0, kMostPathTold));
  }

  /// What a subscription's own endpoint does not know, it refuses.
  bool can_clamp() const {
    return parsed_ && !(is_subscription() && route_.endpoint == Endpoint::responses);
  }

  void on_grant(Result<Grant> grant) {
    Leave leave;
    if (grant.ok()) {
      grant_ = *std::move(grant);
      leave.granted = true;
      leave.body = edited();
      leave.plain = text_ && leave.body != *text_;
      if (text_ && !leave.plain) leave.body = body_;
      if (parsed_) parsed_->body = {};  // which takes far more than its text
      if (route_.endpoint) meter_.emplace(*route_.endpoint, text().size());
    } else {
      const bool used_up = grant.error().code == Code::exhausted;
      const ApiError e =
          api_error(route_.dialect, used_up ? ApiProblem::budget : ApiProblem::overloaded,
                    "codexos: " + grant.error().message);
      leave.answer = response_of(e);
      status_ = e.status;
      answer_ = e.body;
      content_type_ = "application/json";
      finish(grant.error().message);
    }
    leave_ = std::move(leave);
    wake_();
  }

  std::string edited() const {
    if (!can_clamp()) return text();
    RequestEdits edits;
    const uint64_t granted = std::min(grant_->max_output_tokens, charge_.max_output_tokens);
    if (granted < charge_.max_output_tokens)
      edits.max_output = std::max<uint64_t>(granted / parsed_->choices, 1);
    edits.limit_is_max_tokens =
        route_.provider == nullptr || route_.provider->output_limit == OutputLimit::max_tokens;
    return edit_request(*parsed_, text(), edits);
  }

  ModelUsage usage() const {
    ModelUsage u;
    constexpr int kFirstError = 400;
    const bool failed = status_ >= kFirstError;
    if (!sent_ || failed || route_.endpoint == Endpoint::count_tokens) {
      u.status = status_;
      return u;
    }
    if (meter_) u = meter_->usage();
    if (price_ != nullptr) u.cost_micros = cost_of(*price_, u);
    const bool told = meter_ && meter_->told();
    const bool all_told = told && (streaming_ ? meter_->complete() : whole_);
    if (!broken_off_ && !all_told) u = usage_of_leaver(u, told, charge_, *grant_, price_);
    u.counts = true;
    u.status = status_;
    return u;
  }

  void finish(std::string_view trouble) {
    if (std::exchange(finished_, true)) return;
    const ModelUsage used = usage();
    if (grant_) ledger_.settle(grant_->id, used);
    if (recorder_ == nullptr || (grant_ && !sent_)) return;
    ExchangeRecord r;
    r.task = request_.task;
    r.endpoint = route_.endpoint ? name_of(*route_.endpoint) : std::string_view("other");
    r.provider = route_.name;
    r.model = r.asked_model = charge_.model;
    r.request = text();
    if (!grant_) r.request = r.request.substr(0, kMaxKeptRefusal);
    r.status = status_;
    r.content_type = content_type_;
    r.response = answer_;
    r.response_cut = !kept_all_ || (!whole_ && grant_.has_value());
    r.error = trouble;
    r.started_at_us = started_at_us_;
    r.first_byte_us = first_byte_us_;
    r.duration_us = monotonic_us() - started_us_;
    r.usage = used;
    recorder_->record(r);
  }

  Ledger& ledger_;
  Recorder* recorder_;
  ProvidersPtr providers_;
  OwnRoute route_;
  OwnRequest request_;
  std::string body_;
  std::optional<std::string> text_;  // of a body in a coding
  std::function<void()> wake_;
  int64_t started_at_us_ = 0, started_us_ = 0, first_byte_us_ = 0;
  std::optional<ModelRequest> parsed_;  // nothing: it cannot be read
  const ModelPrice* price_ = nullptr;   // null: none, or a subscription
  Charge charge_;
  std::optional<Grant> grant_;
  std::optional<Leave> leave_;
  std::optional<AnswerMeter> meter_;
  bool sent_ = false, streaming_ = false, kept_all_ = true, whole_ = false, broken_off_ = false;
  bool finished_ = true;  // nothing was asked yet
  int status_ = 0;
  std::string content_type_, answer_;
  std::shared_ptr<bool> exists_ = std::make_shared<bool>(true);
};

bool OwnWay::serves_models(std::string_view host, uint16_t port) {
  OwnRequest r;
  r.host = host;
  r.port = port;
  const auto known = providers_();
  return known.ok() && provider_at(**known, r, "/") != nullptr;
}

Result<std::unique_ptr<MeteredCall>> OwnWay::begin(const OwnRequest& request) {
  auto known = providers_();
  if (!known.ok()) {
    if (request.credential != Credential::secret) return std::move(known).error();
    // A mistake in the file does not stop what has nothing to do with models.
    CODEXOS_ASSIGN(const Providers built_in, built_in_providers());
    if (find_own_route(built_in, request)) return std::move(known).error();
    return std::unique_ptr<MeteredCall>();
  }
  auto route = find_own_route(**known, request);
  if (!route) return std::unique_ptr<MeteredCall>();
  return std::unique_ptr<MeteredCall>(
      new Call(ledger_, recorder_, *std::move(known), *std::move(route), request));
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/gateway/curl_upstream.h"

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "core/base/text.h"
#include "core/policy/ip_address.h"

namespace codexos::daemon {
namespace {

constexpr long kConnectMs = 10'000;
constexpr long kKeptConnections = 256;
constexpr size_t kSpareHandles = 64;
constexpr long kReceiveBuffer = 64 << 10;

std::optional<IpAddress> address_of(const sockaddr& at) {
  IpAddress a;
  if (at.sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &at, sizeof in);
    std::memcpy(a.bytes.data(), &in.sin_addr, sizeof in.sin_addr);
    return a;
  }
  if (at.sa_family != AF_INET6) return std::nullopt;
  sockaddr_in6 in{};
  std::memcpy(&in, &at, sizeof in);
  a.v6 = true;
  std::memcpy(a.bytes.data(), &in.sin6_addr, sizeof in.sin6_addr);
  return a;
}

std::string host_of_url(const std::string& url) {
  CURLU* u = curl_url();
  char* host = nullptr;
  std::string out;
  if (curl_url_set(u, CURLUPART_URL, url.c_str(), 0) == CURLUE_OK &&
      curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK)
    out = host;
  curl_free(host);
  curl_url_cleanup(u);
  if (out.size() > 2 && out.front() == '[') out = out.substr(1, out.size() - 2);
  return to_lower(out);
}

/// Whether the base URL itself names something that is not on the internet.
bool names_private(const std::string& host) {
  if (host == "localhost") return true;
  const auto a = parse_ip(host);
  return a && kind_of(effective(*a)).reach == Reach::near;
}

/// The request was not sent when these are the reason.
bool never_got_there(CURLcode code) {
  static constexpr std::array kBefore{CURLE_URL_MALFORMAT,        CURLE_COULDNT_RESOLVE_PROXY,
                                      CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT,
                                      CURLE_SSL_CONNECT_ERROR,    CURLE_PEER_FAILED_VERIFICATION,
                                      CURLE_SSL_CACERT_BADFILE,   CURLE_SSL_CERTPROBLEM,
                                      CURLE_UNSUPPORTED_PROTOCOL, CURLE_PROXY,
                                      CURLE_FAILED_INIT};
  return std::find(kBefore.begin(), kBefore.end(), code) != kBefore.end();
}

void wipe_list(curl_slist* list) {
  for (curl_slist* at = list; at != nullptr; at = at->next)
    explicit_bzero(at->data, strlen(at->data));
  curl_slist_free_all(list);
}

}  // namespace

struct CurlUpstream::Transfer {
  Transfer(CurlUpstream& o, UpstreamSink& s) : owner(o), sink(&s) {}
  CurlUpstream& owner;
  UpstreamSink* sink;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  std::string url, body;
  bool near_ok = false;
  std::string refused;  // an address that was not dialled, and why
  http::Headers head;
  int status = 0;
  bool head_told = false, paused = false, blocked = false;
  char error[CURL_ERROR_SIZE] = "";

  void take_line(std::string_view line);
  Status result(CURLcode code) const;
};

class CurlUpstream::Call final : public UpstreamCall {
 public:
  explicit Call(Transfer* t) : t_(t), exists_(t->owner.exists_) {}
  ~Call() override {
    if (*exists_ && t_->owner.transfers_.count(t_) != 0) t_->owner.drop(t_);
  }
  void set_paused(bool paused) override {
    if (!*exists_ || t_->owner.transfers_.count(t_) == 0 || t_->paused == paused) return;
    t_->paused = paused;
    if (paused || !t_->blocked) return;
    // Not from within libcurl: its callbacks may be running.
    t_->owner.loop_.defer([t = t_, owner = &t_->owner, exists = exists_] {
      if (!*exists || owner->transfers_.count(t) == 0 || t->sink == nullptr || t->paused) return;
      t->blocked = false;
      curl_easy_pause(t->easy, CURLPAUSE_CONT);
      owner->take_finished();
    });
  }

 private:
  Transfer* t_;
  std::shared_ptr<bool> exists_;
};

/// What libcurl calls.
struct CurlUpstream::Hooks {
  static size_t on_line(char* text, size_t, size_t n, void* self) {
    auto* t = static_cast<Transfer*>(self);
    if (t->sink == nullptr) return 0;
    t->take_line({text, n});
    return t->sink == nullptr ? 0 : n;
  }
  static size_t on_bytes(char* bytes, size_t, size_t n, void* self) {
    auto* t = static_cast<Transfer*>(self);
    if (t->sink == nullptr) return 0;
    if (t->paused) {
      t->blocked = true;
      return CURL_WRITEFUNC_PAUSE;
    }
    t->sink->on_body({bytes, n});
    return t->sink == nullptr ? 0 : n;
  }
  static curl_socket_t open(void* self, curlsocktype, curl_sockaddr* at) {
    auto* t = static_cast<Transfer*>(self);
    const auto a = address_of(at->addr);
    const AddressKind kind = a ? kind_of(effective(*a)) : AddressKind{Reach::nowhere, "no IP"};
    if (kind.reach == Reach::nowhere || (kind.reach == Reach::near && !t->near_ok)) {
      t->refused = (a ? to_text(*a) : std::string("its address")) + " is " + kind.why +
                   (kind.reach == Reach::near ? ", and the provider is not marked private" : "");
      return CURL_SOCKET_BAD;
    }
    return socket(at->family, at->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, at->protocol);
  }
  static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void*) {
    static_cast<CurlUpstream*>(self)->watch(fd, what);
    return 0;
  }
  static int on_timer(CURLM*, long timeout_ms, void* self) {
    static_cast<CurlUpstream*>(self)->set_timer(timeout_ms);
    return 0;
  }
};

void CurlUpstream::Transfer::take_line(std::string_view line) {
  if (head_told) return;  // trailers
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  if (line.substr(0, 5) == "HTTP/") {
    head = {};
    return;
  }
  if (!line.empty()) {
    const size_t colon = line.find(':');
    if (colon == line.npos) return;
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t'))
      value.remove_prefix(1);
    std::string& known = head.map[to_lower(line.substr(0, colon))];
    if (!known.empty()) known += ", ";
    known += value;
    return;
  }
  long code = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
  if (code / 100 == 1) return;
  head_told = true;
  status = static_cast<int>(code);
  sink->on_head(status, head);
}

Status CurlUpstream::Transfer::result(CURLcode code) const {
  if (code == CURLE_OK) return {};
  std::string why = error[0] != '\0' ? error : curl_easy_strerror(code);
  if (!refused.empty()) why = refused;
  if (never_got_there(code)) return Error{Code::unavailable, why, {}};
  return Error{code == CURLE_OPERATION_TIMEDOUT ? Code::timeout : Code::internal, why, {}};
}

CurlUpstream::CurlUpstream(Loop& loop, CurlOptions options)
    : loop_(loop), options_(std::move(options)) {}

Result<std::unique_ptr<CurlUpstream>> CurlUpstream::make(Loop& loop, CurlOptions options) {
  const Error failed{Code::unavailable, "libcurl cannot be set up", {}};
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return failed;
  std::unique_ptr<CurlUpstream> u(new CurlUpstream(loop, std::move(options)));
  CURLM* multi = curl_multi_init();
  if (multi == nullptr) return failed;
  u->multi_ = multi;
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &Hooks::on_socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, u.get());
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &Hooks::on_timer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, u.get());
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, kKeptConnections);
  return u;
}

CurlUpstream::~CurlUpstream() {
  *exists_ = false;
  for (auto& [t, owned] : transfers_) {
    t->sink = nullptr;
    release(*t);
  }
  transfers_.clear();
  for (void* easy : spare_) curl_easy_cleanup(easy);
  if (multi_ != nullptr) curl_multi_cleanup(multi_);
  for (const auto& [fd, events] : watched_) loop_.forget(fd);
  if (timer_ != 0) loop_.cancel(timer_);
  curl_global_cleanup();
}

std::unique_ptr<UpstreamCall> CurlUpstream::start(UpstreamRequest r, UpstreamSink& sink) {
  auto owned = std::make_unique<Transfer>(*this, sink);
  Transfer* t = owned.get();
  const Provider& p = *r.provider;
  t->url = p.base_url + (r.dialect == Dialect::anthropic ? "/v1" : "") + r.target;
  t->body = std::move(r.body);
  const bool local = p.private_network || names_private(host_of_url(p.base_url));
  t->near_ok = local || !options_.proxy.empty();
  if (spare_.empty()) {
    t->easy = curl_easy_init();
  } else {
    t->easy = spare_.back();
    spare_.pop_back();
  }
  CODEXOS_CHECK(t->easy != nullptr);

  for (const auto& [name, value] : r.headers.map)
    t->headers = curl_slist_append(t->headers, (name + ": " + value).c_str());
  t->headers = curl_slist_append(t->headers, "expect:");
  if (!r.key.empty()) {
    std::string line = r.dialect == Dialect::anthropic ? "x-api-key: " : "authorization: Bearer ";
    line += r.key.view();
    t->headers = curl_slist_append(t->headers, line.c_str());
    explicit_bzero(line.data(), line.size());
  }
  CURL* e = t->easy;
  curl_easy_setopt(e, CURLOPT_URL, t->url.c_str());
  curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);  // a key goes where the file says
  curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers);
  curl_easy_setopt(e, CURLOPT_POST, 1L);
  curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(t->body.size()));
  curl_easy_setopt(e, CURLOPT_POSTFIELDS, t->body.data());
  curl_easy_setopt(e, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_2TLS});
  curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
  curl_easy_setopt(e, CURLOPT_BUFFERSIZE, kReceiveBuffer);
  curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(e, CURLOPT_PROXY, local ? "" : options_.proxy.c_str());
  curl_easy_setopt(e, CURLOPT_NOPROXY, options_.no_proxy.c_str());
  if (!p.ca_file.empty()) curl_easy_setopt(e, CURLOPT_CAINFO, p.ca_file.c_str());
  curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, &Hooks::on_line);
  curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
  curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, &Hooks::on_bytes);
  curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
  curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, &Hooks::open);
  curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, t);
  curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
  curl_easy_setopt(e, CURLOPT_PRIVATE, t);
  transfers_[t] = std::move(owned);
  curl_multi_add_handle(multi_, e);  // sets the timer
  return std::make_unique<Call>(t);
}

// ---- libcurl and the loop ---------------------------------------------------------------------

void CurlUpstream::watch(int fd, int what) {
  if (what == CURL_POLL_REMOVE) {
    loop_.forget(fd);
    watched_.erase(fd);
    return;
  }
  const uint32_t events =
      ((what & CURL_POLL_IN) != 0 ? EPOLLIN : 0U) | ((what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0U);
  const auto known = watched_.find(fd);
  if (known == watched_.end()) {
    (void)loop_.watch(fd, events, "model provider", [this, fd](uint32_t ready) {
      int flags = 0;
      if ((ready & EPOLLIN) != 0) flags |= CURL_CSELECT_IN;
      if ((ready & EPOLLOUT) != 0) flags |= CURL_CSELECT_OUT;
      if ((ready & (EPOLLERR | EPOLLHUP)) != 0) flags |= CURL_CSELECT_ERR;
      drive(fd, flags);
    });
  } else if (known->second != events) {
    (void)loop_.modify(fd, events);
  }
  watched_[fd] = events;
}

void CurlUpstream::set_timer(long timeout_ms) {
  if (timer_ != 0) loop_.cancel(std::exchange(timer_, 0));
  due_ = timeout_ms == 0;
  if (timeout_ms > 0) {
    timer_ = loop_.after_ms(timeout_ms, "model provider", [this] {
      timer_ = 0;
      due_ = true;
      on_timeout();
    });
  } else if (due_) {
    // Not from within: libcurl is running.
    loop_.defer([this, exists = exists_] {
      if (*exists) on_timeout();
    });
  }
}

void CurlUpstream::on_timeout() {
  if (std::exchange(due_, false)) drive(CURL_SOCKET_TIMEOUT, 0);
}

void CurlUpstream::drive(int fd, int what) {
  int running = 0;
  curl_multi_socket_action(multi_, fd, what, &running);
  take_finished();
}

void CurlUpstream::take_finished() {
  int left = 0;
  const auto exists = exists_;
  while (CURLMsg* m = curl_multi_info_read(multi_, &left)) {
    if (m->msg != CURLMSG_DONE) continue;
    const CURLcode code = m->data.result;
    char* self = nullptr;
    curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &self);
    auto* t = static_cast<Transfer*>(static_cast<void*>(self));
    const auto at = transfers_.find(t);
    if (at == transfers_.end()) continue;
    const auto owned = std::move(at->second);
    transfers_.erase(at);
    UpstreamSink* sink = std::exchange(t->sink, nullptr);
    const Status result = t->result(code);
    release(*t);
    if (sink != nullptr) sink->on_end(result);
    if (!*exists) return;
  }
}

void CurlUpstream::drop(Transfer* t) {
  if (t->sink == nullptr) return;
  t->sink = nullptr;
  dropped_.push_back(t);
  if (dropped_.size() == 1)
    loop_.defer([this, exists = exists_] {
      if (*exists) reap();
    });
}

void CurlUpstream::reap() {
  for (Transfer* t : std::exchange(dropped_, {})) {
    const auto at = transfers_.find(t);
    if (at == transfers_.end()) continue;  // it ended meanwhile
    const auto owned = std::move(at->second);
    transfers_.erase(at);
    release(*t);
  }
}

void CurlUpstream::release(Transfer& t) {
  curl_multi_remove_handle(multi_, t.easy);
  curl_easy_reset(t.easy);
  wipe_list(t.headers);
  if (spare_.size() < kSpareHandles) {
    spare_.push_back(t.easy);
  } else {
    curl_easy_cleanup(t.easy);
  }
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// Looks at the requests of one connection for a task's placeholders. Where a secret is bound to the
// host, the method, the path and the header, its value takes the placeholder's place, also inside
// of `Authorization: Basic` (RFC 7617). Anywhere else the placeholder goes on as it is, and is
// told. What got a value asks for an answer that can be searched: not compressed.
//
// A request to where tokens are exchanged is held back until it is whole, since its length changes,
// and one that may use a model until its budgets have room for it (metering.h).
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/egress/http_head.h"
#include "daemon/egress/injection.h"

namespace codexos::daemon {

/// A request that waits for its answer.
struct AskedRequest {
  bool head = false;  // its answer has no body
  bool upgrade = false;
  bool with_value = false;
  int exchange = -1;                     // its answer gives tokens: an index of the set's exchanges
  std::shared_ptr<MeteredCall> metered;  // its answer is counted; null: it is not
};
using AskedQueue = std::deque<AskedRequest>;

class Injector final : public RequestWatch {
 public:
  /// `what` as in NetReport; `secret`: index in the set; `where` in words.
  using Tell = std::function<void(const char* what, uint32_t secret, std::string where)>;

  struct Place {
    std::string name;  // of the host that the requests are known to be for
    uint16_t port = 0;
    bool tls = false;  // whether they go out in TLS: else no value is put in
    TaskMetering metering = {};
    std::function<void()> wake = {};  // there is a leave to take
  };

  /// `set` may be null: then it only notes what was asked.
  Injector(InjectionSetPtr set, Place place, Tell tell);
  void on_head(const RequestHead& head, std::string& out) override;
  void on_body(std::string_view bytes, std::string& out) override;
  bool takes_whole() const override { return held_.has_value(); }
  void on_whole(std::string& out) override;
  bool waits() const override { return held_ && held_->waits; }
  /// What became of a request that waits: appended to `out` when it was granted, else the answer to
  /// it. Nothing: none waits, or not yet.
  std::optional<Leave> take_leave(std::string& out);
  /// Who sends a body only when told to (RFC 9110, 10.1.1) waits for us: once.
  bool take_continue() { return std::exchange(expects_continue_, false); }
  /// Why the last head must not be sent on; empty: it may.
  const std::string& refused() const { return refused_; }
  AskedQueue& asked() { return asked_; }
  const AskedQueue& asked() const { return asked_; }

 private:
  /// A request that is wanted whole, or that waits.
  struct Held {
    AskedRequest asked;
    std::string head;    // without its length, its coding and its last line
    std::string coding;  // that line; empty: it has none
    std::string body;
    std::shared_ptr<HeldRoom> room;
    bool form = false;   // of an exchange: not JSON
    bool waits = false;  // for leave
    bool too_large = false;
  };
  bool smuggles(const RequestHead& head) const;
  bool is_exchange(const RequestHead& head, AskedRequest& asked) const;
  void begin_metered(const RequestHead& head, AskedRequest& asked,
                     const std::shared_ptr<HeldRoom>& room);
  bool hold(const RequestHead& head, AskedRequest asked, const std::vector<std::string>& lines);
  void release_exchange(std::string& out);
  void send_held(std::string& out);
  std::string why_not(uint32_t n, const RequestHead& head, const HttpField& field) const;
  bool put_in(const RequestHead& head, const HttpField& field, std::string& line,
              std::set<uint32_t>& done);
  void look_at_line(std::string_view line, const std::set<uint32_t>& done, const RequestHead& head,
                    const HttpField* field);

  InjectionSetPtr set_;
  Place place_;
  Tell tell_;
  InjectedValuesPtr values_;  // of the request that is looked at
  AskedQueue asked_;
  std::optional<Held> held_;
  std::optional<Credential> credential_;  // that was put into the head that is looked at
  std::string refused_;
  bool expects_continue_ = false;
  bool of_models_ = false;  // an agent's key or login is put in here
  std::optional<Redactor::Stream> body_;
};

/// Whether the path of a request lies below what a secret is bound to, for every server's reading.
bool is_below_path(std::string_view target, std::string_view prefix);

}  // namespace codexos::daemon

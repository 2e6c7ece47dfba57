// SPDX-License-Identifier: Apache-2.0
// Requests with a secret inside terminated TLS, and their answers (daemon/egress/injector.h,
// answers.h). However the bytes are cut into pieces, the same goes up, down, and to who counts; and
// for another reader of HTTP no request with the value goes up to where it has to be counted that
// had no leave.
#include "core/http/http.h"
#include "daemon/egress/answers.h"
#include "daemon/egress/http_guard.h"
#include "tests/fuzz/fuzz.h"

using namespace codexos;
using namespace codexos::daemon;

namespace {

constexpr char kHost[] = "api.test";
constexpr char kHeld[] = "cxsec_0123456789abcdef0123456789abcdef";
constexpr char kValue[] = "real-value-of-the-key";
constexpr std::string_view kCounted = "/m";
/// In a seed, between what the client and what the server says.
constexpr std::string_view kBetween = "\n====\n";

struct Asked final : Metering {
  struct Call final : MeteredCall {
    explicit Call(Asked& o) : owner(o) {}
    ~Call() override {
      if (begun && !ended) owner.told += "cut;";
    }
    void ask(std::string body, std::function<void()>) override {
      CODEXOS_CHECK(!std::exchange(begun, true));
      const bool granted = (owner.leaves >> (owner.asked++ % 8) & 1) != 0;
      owner.sent += granted ? 1 : 0;
      leave = Leave{granted, std::move(body), false};
    }
    std::optional<Leave> take_leave() override { return std::exchange(leave, std::nullopt); }
    void on_head(int status, std::string_view) override { owner.told += std::to_string(status); }
    void on_body(std::string_view bytes) override {
      CODEXOS_CHECK(!ended);
      owner.told += bytes;
    }
    void on_end() override {
      CODEXOS_CHECK(!std::exchange(ended, true));
      owner.told += ";";
    }
    void on_cut() override {
      CODEXOS_CHECK(!std::exchange(ended, true));
      owner.told += "cut;";
    }
    Asked& owner;
    std::optional<Leave> leave;
    bool begun = false, ended = false;
  };
  bool serves_models(std::string_view, uint16_t) override { return false; }
  Result<std::unique_ptr<MeteredCall>> begin(const OwnRequest& r) override {
    const bool counts = r.target.compare(0, kCounted.size(), kCounted) == 0;
    return std::unique_ptr<MeteredCall>(counts ? new Call(*this) : nullptr);
  }
  unsigned leaves = 0;  // a bit for each request
  size_t asked = 0, sent = 0;
  std::string told;
};

struct Passed {
  std::string up, down, told;
  size_t leaves = 0;
  bool ok = true, down_ok = true;
};

Passed pass(const std::vector<std::string_view>& up, const std::vector<std::string_view>& down,
            unsigned leaves) {
  Passed p;
  Asked metering;
  metering.leaves = leaves;
  std::vector<Injection> all(1);
  all[0].secret = "key";
  all[0].placeholder = kHeld;
  all[0].value = Secret(std::string(kValue));
  all[0].hosts = *parse_net_rules({kHost});
  Injector injector(std::make_shared<const InjectionSet>(std::move(all)),
                    {kHost, 443, true, {"t", [&]() -> Result<Metering*> { return &metering; }, {}}},
                    [](const char*, uint32_t, const std::string&) {});
  HttpGuard guard(kHost);
  guard.expect_https();
  guard.watched_by(&injector);
  for (const auto piece : up) {
    p.ok = guard.feed(piece, p.up).ok() && injector.refused().empty();
    while (p.ok && guard.waits_for_watch()) {
      CODEXOS_CHECK(injector.take_leave(p.up));
      p.ok = guard.go_on(p.up).ok() && injector.refused().empty();
    }
    if (!p.ok) break;
  }
  // What is refused may be in the middle of a body, of which a whole piece shows more.
  if (!p.ok) p.up.clear();
  {
    Answers answers(injector.asked(), {[]() { return nullptr; }, [](uint32_t) {},
                                       [](std::string_view) { return Status(); }, nullptr});
    for (const auto piece : down)
      if (p.down_ok) p.down_ok = answers.feed(piece, p.down).ok();
    if (p.down_ok) (void)answers.end(p.down);
  }
  injector.asked().clear();
  p.told = metering.told;
  p.leaves = metering.sent;
  return p;
}

void check_leaves(const Passed& p) {
  http::RequestParser parser;
  (void)parser.feed(p.up);
  size_t counted = 0;
  while (true) {
    const auto next = parser.next();
    if (!next.ok() || !*next) break;
    const http::Request& r = **next;
    if (r.headers.find("authorization").find(kValue) == std::string_view::npos) continue;
    counted += r.path.compare(0, kCounted.size(), kCounted) == 0 ? 1 : 0;
    if (!r.headers.find("upgrade").empty()) break;
  }
  CODEXOS_CHECK(counted <= p.leaves);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const auto most = in.ConsumeIntegralInRange<size_t>(1, 64);
  const auto leaves = in.ConsumeIntegral<uint8_t>();
  const std::string text = in.ConsumeRemainingBytesAsString();
  const size_t between = text.find(kBetween);
  const std::string up = text.substr(0, between);
  const std::string down =
      between == std::string::npos ? "" : text.substr(between + kBetween.size());
  const Passed whole = pass({up}, {down}, leaves);
  const Passed cut = pass(fuzz::pieces(up, most), fuzz::pieces(down, most), leaves);
  CODEXOS_CHECK(whole.ok == cut.ok);
  CODEXOS_CHECK(whole.up == cut.up);
  if (whole.ok) {
    CODEXOS_CHECK(whole.down_ok == cut.down_ok);
    if (whole.down_ok) CODEXOS_CHECK(whole.told == cut.told);
  }
  check_leaves(whole);
  return 0;
}

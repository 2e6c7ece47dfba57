// SPDX-License-Identifier: Apache-2.0
#include "daemon/gateway/scripted_upstream.h"

namespace codexos::daemon {

class ScriptedUpstream::Call final : public UpstreamCall {
 public:
  Call(Loop& loop, UpstreamSink& sink, ScriptedAnswer answer)
      : loop_(loop), sink_(sink), answer_(std::move(answer)) {
    soon();
  }
  ~Call() override {
    *exists_ = false;
    if (timer_ != 0) loop_.cancel(timer_);
  }
  void set_paused(bool paused) override {
    if (paused_ == paused) return;
    paused_ = paused;
    if (!paused && !waits_) soon();
  }

 private:
  void soon() {
    waits_ = true;
    const auto go = [this, exists = exists_] {
      if (*exists) step();
    };
    if (answer_.slow_ms == 0) return loop_.defer(go);
    timer_ = loop_.after_ms(static_cast<int64_t>(answer_.slow_ms), "scripted model", go);
  }

  /// Any of the sink's functions may destroy this.
  void step() {
    waits_ = false;
    timer_ = 0;
    if (paused_) return;
    const auto exists = exists_;
    if (!head_told_ && !(answer_.hang && answer_.pieces.empty())) {
      head_told_ = true;
      http::Headers h;
      h.map["content-type"] = answer_.content_type;
      if (answer_.retry_after) h.map["retry-after"] = std::to_string(*answer_.retry_after);
      sink_.on_head(answer_.status, h);
      if (!*exists) return;
    }
    // Without a wait all that it has goes at once, as long as it is taken.
    while (next_ < answer_.pieces.size() && !paused_) {
      const std::string piece = std::move(answer_.pieces[next_++]);
      sink_.on_body(piece);
      if (!*exists) return;
      if (answer_.slow_ms != 0) break;
    }
    if (paused_) return;
    if (next_ < answer_.pieces.size()) return soon();
    if (answer_.hang) return;
    sink_.on_end(answer_.cut ? Status(Error{Code::internal, "the script breaks off here", {}})
                             : Status());
  }

  Loop& loop_;
  UpstreamSink& sink_;
  ScriptedAnswer answer_;
  size_t next_ = 0;
  bool head_told_ = false, paused_ = false, waits_ = false;
  Loop::TimerId timer_ = 0;
  std::shared_ptr<bool> exists_ = std::make_shared<bool>(true);
};

std::unique_ptr<UpstreamCall> ScriptedUpstream::start(UpstreamRequest r, UpstreamSink& sink) {
  ScriptedAnswer a;
  if (const auto parsed = parse_model_request(r.endpoint, r.body); parsed.ok()) {
    a = answer_by_script(r.provider->script, *parsed, counts_[r.task]);
  } else {
    const ApiError e = api_error(r.dialect, ApiProblem::invalid, parsed.error().message);
    a.status = e.status;
    a.content_type = "application/json";
    a.pieces = {e.body};
  }
  return std::make_unique<Call>(loop_, sink, std::move(a));
}

}  // namespace codexos::daemon

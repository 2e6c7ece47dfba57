// SPDX-License-Identifier: Apache-2.0
// What follows a task: events, output, both together, its end. One follower type for all of them:
// it reads the store and the log from cursors of its own, is woken by the feed after commits and,
// for output, by a short timer. A peer that does not read stops it until its buffer drained.
#include "daemon/api/api.h"
#include "daemon/tasks/logs.h"

namespace codexos::daemon {
namespace {

constexpr int64_t kPollMs = 25;
constexpr int kPage = 200;

struct What {
  std::string task;  // full id; empty: all tasks' events
  bool events = false;
  bool output = false;
  bool end = false;  // one line with the task when it has ended
  bool follow = false;
  int64_t since = 0;
  int only = -1;  // one stream of output
};

/// `text` or `base64`, never both.
std::string encode_piece(const wire::OutputLine& line) {
  std::string out = json::encode(line);
  // Inside of strings quotes are escaped, so this is the member and nothing else.
  const std::string_view unused = line.base64.empty() ? R"(,"base64":"")" : R"(,"text":"")";
  out.erase(out.find(unused), unused.size());
  return out;
}

class Follower : public std::enable_shared_from_this<Follower> {
 public:
  Follower(ApiParts& parts, CallPtr call, What what, std::optional<LogReader> log)
      : parts_(parts), call_(std::move(call)), what_(std::move(what)), log_(std::move(log)) {}

  void begin() {
    call_->start_stream();
    const auto self = shared_from_this();
    feed_ = parts_.feed.subscribe(what_.task, [self] { self->pump(); });
    call_->on_gone([self] { self->finish(); });
    call_->on_drain([self] { self->pump(); });
    pump();
  }

 private:
  void pump() {
    if (done_ || call_->gone() || call_->backlogged()) return;
    const auto ended = has_ended();
    if (!ended) return cut();
    const bool more = send_events() || (what_.output && send_output(*ended));
    if (done_ || call_->backlogged()) return;  // on_drain calls again
    if (more) return pump_soon();
    if (*ended || !what_.follow) {
      if (*ended && what_.end) send_task();
      return close();
    }
    if (what_.output) poll_later();
  }

  /// Nothing: the task is gone.
  std::optional<bool> has_ended() {
    if (what_.task.empty()) return false;
    auto row = parts_.store.load_task(what_.task);
    if (!row.ok()) return std::nullopt;
    return is_terminal(row->task.state);
  }

  /// True: there may be more.
  bool send_events() {
    if (!what_.events) return false;
    auto page = parts_.store.events(what_.task, what_.since, kPage);
    if (!page.ok()) {
      cut();
      return false;
    }
    for (const auto& e : *page) {
      // The end is the last line: what the program wrote comes before it.
      if (e.event.type == wire::EventType::task_ended && what_.output && send_output(true))
        return true;
      call_->send_line(json::encode(e.event));
      what_.since = what_.task.empty() ? e.order : e.event.seq;
      if (call_->backlogged()) return false;
    }
    return page->size() == kPage;
  }

  /// True: there is more, but the peer does not read.
  bool send_output(bool final) {
    if (!log_->refresh().ok()) return false;
    for (int stream = 0; stream < 2; ++stream) {
      if (what_.only >= 0 && what_.only != stream) continue;
      while (true) {
        if (call_->backlogged()) return true;
        auto piece = log_->next(stream, final);
        if (!piece.ok() || !*piece) break;
        call_->send_line(encode_piece(**piece));
      }
    }
    return false;
  }

  void send_task() {
    auto row = parts_.supervisor.find(what_.task);
    if (row.ok()) call_->send_line(json::encode(row->task));
  }

  void pump_soon() {
    parts_.loop.after_ms(0, "follow", [self = shared_from_this()] { self->pump(); });
  }
  void poll_later() {
    if (timer_ != 0) return;
    timer_ = parts_.loop.after_ms(kPollMs, "follow output", [self = shared_from_this()] {
      self->timer_ = 0;
      self->pump();
    });
  }
  /// The task was removed under us: the stream ends here, without its last line.
  void cut() { close(); }
  void close() {
    call_->end_stream();
    finish();
  }
  void finish() {
    if (std::exchange(done_, true)) return;
    parts_.feed.unsubscribe(feed_);
    if (timer_ != 0) parts_.loop.cancel(timer_);
    call_->on_gone(nullptr);
    call_->on_drain(nullptr);
  }

  ApiParts& parts_;
  CallPtr call_;
  What what_;
  std::optional<LogReader> log_;
  Feed::Id feed_ = 0;
  Loop::TimerId timer_ = 0;
  bool done_ = false;
};

Result<LogReader> make_log(ApiParts& parts, const Call& call, const TaskRow& row) {
  LogReader log(parts.supervisor.paths(row), row.task.id);
  CODEXOS_ASSIGN(const uint64_t from_out, query_number(call, "from_stdout", 0));
  CODEXOS_ASSIGN(const uint64_t from_err, query_number(call, "from_stderr", 0));
  log.seek(0, from_out);
  log.seek(1, from_err);
  if (!call.query("tail").empty()) {
    CODEXOS_ASSIGN(const uint64_t lines, query_number(call, "tail", 0));
    CODEXOS_TRY(log.seek_tail(lines));
  }
  return log;
}

Result<int> which_stream(const Call& call) {
  const auto name = call.query("stream");
  if (name.empty()) return -1;
  if (name == "stdout") return 0;
  if (name == "stderr") return 1;
  return Error{Code::invalid, "stream: stdout or stderr", {}};
}

/// Fills what the query says, finds the task, begins.
Status follow(ApiParts& parts, const CallPtr& call, What what) {
  std::optional<LogReader> log;
  if (query_flag(*call, "follow")) what.follow = true;
  CODEXOS_ASSIGN(const uint64_t since, query_number(*call, "since", 0));
  what.since = static_cast<int64_t>(since);
  parts.supervisor.settle();
  if (call->request().path != "/v1/events") {
    CODEXOS_ASSIGN(const TaskRow row, parts.supervisor.find(call->param(0)));
    what.task = row.task.id;
    if (what.output) {
      CODEXOS_ASSIGN(what.only, which_stream(*call));
      CODEXOS_ASSIGN(log, make_log(parts, *call, row));
    }
  }
  std::make_shared<Follower>(parts, call, std::move(what), std::move(log))->begin();
  return {};
}

void stream(ApiParts& parts, const CallPtr& call, const What& what) {
  if (auto s = follow(parts, call, what); !s.ok()) call->fail(s.error());
}

void events(ApiParts& parts, const CallPtr& call) {
  What what;
  what.events = true;
  stream(parts, call, what);
}
void output(ApiParts& parts, const CallPtr& call) {
  What what;
  what.output = true;
  stream(parts, call, what);
}
void both(ApiParts& parts, const CallPtr& call) {
  What what;
  what.events = what.output = true;
  stream(parts, call, what);
}
void end(ApiParts& parts, const CallPtr& call) {
  What what;
  what.end = what.follow = true;
  stream(parts, call, what);
}

/// Told apart by `type` and `stream`.
std::string stream_line() {
  json::Value out = json::Value::object();
  out["anyOf"] = {json::schema_of<wire::Event>(), json::schema_of<wire::OutputLine>()};
  return json::dump(out);
}

}  // namespace

ApiRoutes stream_routes() {
  return {
      {"GET", "/v1/events", "All events; since: an event's order", kNone,
       lines_of<wire::Event>("Event"), events, "since=number follow=flag"},
      {"GET", "/v1/tasks/{id}/events", "A task's events; since: an event's seq", kNone,
       lines_of<wire::Event>("Event"), events, "since=number follow=flag"},
      {"GET", "/v1/tasks/{id}/logs", "A task's output; tail: lines", kNone,
       lines_of<wire::OutputLine>("OutputLine"), output,
       "follow=flag from_stdout=number from_stderr=number tail=number stream"},
      {"GET",
       "/v1/tasks/{id}/stream",
       "Events and output until task.ended",
       kNone,
       {"StreamLine", stream_line, "application/x-ndjson"},
       both,
       "since=number follow=flag from_stdout=number from_stderr=number"},
      {"GET", "/v1/tasks/{id}/wait", "One line with the task when it has ended", kNone,
       lines_of<wire::Task>("Task"), end},
  };
}

}  // namespace codexos::daemon

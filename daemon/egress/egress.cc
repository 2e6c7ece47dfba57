// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/egress.h"

#include <poll.h>
#include <signal.h>

#include <map>

#include "core/base/log.h"

namespace codexos::daemon {
namespace {

constexpr size_t kScratch = 64 << 10;
constexpr int64_t kGatherMs = 10;  // reports that come together are written together

}  // namespace

/// Everything that the thread owns. Made before it starts, used by nobody else while it runs.
struct Egress::Thread {
  std::unique_ptr<Loop> loop;
  std::unique_ptr<Mailbox> in;
  std::unique_ptr<Resolver> resolver;
  std::optional<Proxy> proxy;
  PipePool pipes;
  std::string scratch = std::string(kScratch, '\0');
  std::unique_ptr<InternalService> models;
  TlsServers servers;
  std::map<std::string, std::unique_ptr<RelayTask>> tasks;
  std::map<std::string, std::vector<NetReport>> reports;  // not yet handed over
  Loop::TimerId hand_over = 0;
  std::thread thread;
};

Egress::Egress(Loop& loop, EgressOptions options, OnNetReports on_reports, OnDialInside on_dial)
    : loop_(loop),
      options_(std::move(options)),
      on_reports_(std::move(on_reports)),
      on_dial_(std::move(on_dial)) {}

Egress::~Egress() {
  if (!thread_) return;
  thread_->in->post([raw = thread_.get()] { raw->loop->stop(); });
  thread_->thread.join();
}

Status Egress::start() {
  if (thread_) return {};
  if (!in_) {
    CODEXOS_ASSIGN(in_, Mailbox::make(loop_, "egress"));
  }
  auto t = std::make_unique<Thread>();
  CODEXOS_ASSIGN(t->loop, Loop::make());
  CODEXOS_ASSIGN(t->in, Mailbox::make(*t->loop, "egress orders"));
  CODEXOS_ASSIGN(t->resolver, Resolver::make(*t->loop, options_.resolver));
  t->proxy = options_.proxy;
  thread_ = std::move(t);
  // Signals belong to the daemon's loop.
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  thread_->thread = std::thread([this, raw = thread_.get()] { run(*raw); });
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  return {};
}

void Egress::run(Thread& t) {
  t.loop->on_turn_end([this, &t] {
    if (t.reports.empty() || t.hand_over != 0) return;
    t.hand_over = t.loop->after_ms(kGatherMs, "hand over", [this, &t] {
      t.hand_over = 0;
      in_->post([this, reports = std::exchange(t.reports, {})] {
        for (const auto& [task, list] : reports) on_reports_(task, list);
      });
    });
  });
  t.loop->on_slow([](const char* name, int64_t us) {
    log_line(LogLevel::warning, "egress",
             std::string("slow callback: ") + name + ": " + std::to_string(us) + " us");
  });
  t.loop->run();
  t.tasks.clear();
  t.models.reset();
  t.resolver.reset();
}

void Egress::post(std::function<void(Thread&)> fn) {
  if (!thread_) return;
  orders_.push_back(std::move(fn));
  if (orders_.size() > 1) return;
  loop_.defer([this] {
    thread_->in->post([raw = thread_.get(), orders = std::exchange(orders_, {})] {
      for (const auto& order : orders) order(*raw);
    });
  });
}

/// The thread notes it before it takes something from a socket.
bool Egress::was_touched(const Known& k) {
  std::vector<pollfd> polled;
  if (k.sockets)
    for (const Fd& fd : k.sockets->fds) polled.push_back({fd.get(), POLLIN, 0});
  return poll(polled.data(), polled.size(), 0) != 0 || *k.touched;
}

void Egress::add(const std::string& task, NetPolicyPtr policy) {
  const auto touched = std::make_shared<std::atomic<bool>>(false);
  known_[task] = {touched, {}};
  post([this, task, touched, policy = std::move(policy)](Thread& t) {
    const ConnectionParts parts{{*t.loop, *t.resolver, t.proxy}, t.pipes, t.scratch, t.servers};
    t.tasks[task] = std::make_unique<RelayTask>(
        parts, policy, touched,
        [task, &t](NetReport r) { t.reports[task].push_back(std::move(r)); },
        [this, task](uint64_t number, int32_t port) {
          in_->post([this, task, number, port] { on_dial_(task, number, port); });
        },
        [this, task, &t](Fd client) -> Status {
          CODEXOS_ASSIGN(InternalService* const service, models(t));
          service->accept(task, std::move(client));
          return {};
        },
        TaskMetering{task,
                     [this, &t]() -> Result<Metering*> {
                       CODEXOS_ASSIGN(InternalService* const service, models(t));
                       return &service->metering();
                     },
                     std::make_shared<size_t>(0)});
  });
}

Result<InternalService*> Egress::models(Thread& t) {
  if (!t.models) {
    if (!options_.models) return Error{Code::unavailable, "there is no model gateway", {}};
    CODEXOS_ASSIGN(t.models, options_.models(*t.loop));
  }
  return t.models.get();
}

void Egress::with_task(const std::string& task, std::function<void(RelayTask&)> fn) {
  post([task, fn = std::move(fn)](Thread& t) {
    if (const auto it = t.tasks.find(task); it != t.tasks.end()) fn(*it->second);
  });
}

// A function that is copied cannot hold descriptors, hence the pointers.

void Egress::publish(const std::string& task, int32_t port, Fd listener) {
  if (const auto k = known_.find(task); k != known_.end()) *k->second.touched = true;
  with_task(task, [port, held = std::make_shared<Fd>(std::move(listener))](RelayTask& r) {
    r.publish(port, std::move(*held));
  });
}

void Egress::serve_ssh(const std::string& task, SshAccessPtr access, Fd listener) {
  if (const auto k = known_.find(task); k != known_.end()) *k->second.touched = true;
  with_task(task, [access, held = std::make_shared<Fd>(std::move(listener))](RelayTask& r) {
    r.serve_ssh(access, std::move(*held));
  });
}

void Egress::dialled(const std::string& task, uint64_t number, Fd socket) {
  with_task(task, [number, held = std::make_shared<Fd>(std::move(socket))](RelayTask& r) {
    r.dialled(number, std::move(*held));
  });
}

void Egress::serve(const std::string& task, TaskSockets sockets) {
  const auto shared = std::make_shared<const TaskSockets>(std::move(sockets));
  if (const auto k = known_.find(task); k != known_.end()) k->second.sockets = shared;
  with_task(task, [shared](RelayTask& r) { r.serve(shared); });
}

void Egress::change(const std::string& task, NetPolicyPtr policy) {
  post([task, policy = std::move(policy)](Thread& t) {
    const auto it = t.tasks.find(task);
    if (it == t.tasks.end()) return;
    const bool had_models = it->second->has_models();
    it->second->change(policy);
    if (had_models && !policy->models && t.models) t.models->drop(task);
  });
}

void Egress::count(const std::string& task, std::function<void(NetTotals)> done) {
  post([this, task, done = std::move(done)](Thread& t) {
    const auto it = t.tasks.find(task);
    in_->post([done, totals = it == t.tasks.end() ? NetTotals{} : it->second->totals()] {
      done(totals);
    });
  });
}

void Egress::remove(const std::string& task, std::function<void(NetTotals)> done) {
  const auto known = known_.extract(task);
  const bool touched = known.empty() || was_touched(known.mapped());
  if (!touched) loop_.defer([done] { done(NetTotals{}); });
  post([this, task, touched, done = std::move(done)](Thread& t) {
    NetTotals totals;
    if (const auto it = t.tasks.find(task); it != t.tasks.end()) {
      it->second->close();
      totals = it->second->totals();
      t.tasks.erase(it);
    }
    if (t.models) t.models->drop(task);
    // Its last reports first, and in order.
    auto last = std::exchange(t.reports[task], {});
    t.reports.erase(task);
    if (!touched) return;
    in_->post([this, task, done, totals, last = std::move(last)] {
      if (!last.empty()) on_reports_(task, last);
      done(totals);
    });
  });
}

}  // namespace codexos::daemon

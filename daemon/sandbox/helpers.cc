// SPDX-License-Identifier: Apache-2.0
#include "daemon/sandbox/helpers.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>

#include "core/base/log.h"
#include "core/os/socket.h"
#include "core/os/spawn.h"

namespace codexos::daemon {
namespace {

constexpr int64_t kRetireMs = 1000;
constexpr int64_t kMaxBackoffMs = 60000;
constexpr size_t kMaxZygotes = 4;

Result<Fd> new_wake() {
  Fd fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE));
  if (!fd) return errno_error("eventfd", errno);
  return fd;
}

}  // namespace

void wake_by(const Fd& wake) {
  const uint64_t one = 1;
  (void)!write(wake.get(), &one, sizeof one);
}

Status note_process(Helper& h, LinkMessage& m) {
  CODEXOS_ASSIGN(const PidInfo told, from_binary<PidInfo>(m.payload));
  if (m.fds.empty()) return Error{Code::invalid, "helper sent no process descriptor", {}};
  h.pidfd = std::move(m.fds.front());
  h.process = told;
  return {};
}

Helpers::Helpers(Loop& loop, Idmapper& idmapper, HelperOptions options)
    : loop_(loop), idmapper_(idmapper), options_(std::move(options)) {}

Result<std::unique_ptr<Helpers::Zygote>> Helpers::start_zygote(const View& view) {
  CODEXOS_ASSIGN(auto pair, socket_pair(SocketType::seqpacket));
  SpawnOptions o;
  o.path = options_.exec_path;
  o.argv = {"codexos-exec", "--zygote"};
  CODEXOS_ASSIGN(Fd wake, new_wake());
  o.fds = {{pair.second.get(), 3}, {wake.get(), 4}, {2, 2}};
  o.new_session = true;
  o.cwd = options_.template_dir;  // not by argument: a task reads those of its PID 1
  auto pid = spawn(o);
  if (!pid.ok()) return std::move(pid).error().during("start " + options_.exec_path);
  pair.second.reset();
  auto z = std::make_unique<Zygote>();
  z->key = view.key;
  z->wake = std::move(wake);
  CODEXOS_ASSIGN(z->link, Link::make(loop_, std::move(pair.first)));
  // It tells why on every helper's link; on its own only that it is of no use.
  z->number = ++zygotes_made_;
  z->link->handle([this, n = z->number](LinkMessage&) { retire_zygote(n); },
                  [this, n = z->number] { drop_zygote(n); });
  if (!idmapper_.active()) {
    z->link->send(LinkType::zygote, view);
    return z;
  }
  View mapped = view;
  std::vector<Fd> fds;
  CODEXOS_TRY(idmapper_.map_view(mapped, fds));
  std::vector<int> numbers;
  for (const auto& fd : fds) numbers.push_back(fd.get());
  z->link->send(LinkType::zygote, mapped, numbers);
  return z;
}

void Helpers::drop_zygote(uint64_t number) {
  zygotes_.remove_if([number](const auto& x) { return x->number == number; });
}

/// It is asked for nothing more, but still answers what it was asked for.
void Helpers::retire_zygote(uint64_t number) {
  for (const auto& z : zygotes_)
    if (z->number == number) z->key.clear();
  loop_.after_ms(kRetireMs, "retire zygote", [this, number] { drop_zygote(number); });
}

Result<Helpers::Zygote*> Helpers::zygote_for(const View& view) {
  for (auto it = zygotes_.begin(); it != zygotes_.end();) {
    if ((*it)->key != view.key) {
      ++it;
      continue;
    }
    if ((*it)->link->alive()) {
      zygotes_.splice(zygotes_.begin(), zygotes_, it);
      return zygotes_.front().get();
    }
    it = zygotes_.erase(it);
  }
  CODEXOS_ASSIGN(auto made, start_zygote(view));
  zygotes_.push_front(std::move(made));
  if (zygotes_.size() > kMaxZygotes) zygotes_.pop_back();
  return zygotes_.front().get();
}

Result<std::unique_ptr<Helper>> Helpers::start(const View& view, bool own_units) {
  CODEXOS_ASSIGN(Zygote * zygote, zygote_for(view));
  CODEXOS_ASSIGN(auto pair, socket_pair(SocketType::seqpacket));
  auto h = std::make_unique<Helper>();
  CODEXOS_ASSIGN(h->wake, new_wake());
  zygote->link->send(LinkType::spawn, SpawnRequest{own_units}, {pair.second.get(), h->wake.get()});
  wake_by(zygote->wake);
  h->key = view.key;
  CODEXOS_ASSIGN(h->link, Link::make(loop_, std::move(pair.first)));
  return h;
}

Result<std::unique_ptr<Helper>> Helpers::start_alone() {
  CODEXOS_ASSIGN(auto pair, socket_pair(SocketType::seqpacket));
  SpawnOptions o;
  o.path = options_.exec_path;
  o.argv = {"codexos-exec", "--landlock"};
  o.fds = {{pair.second.get(), 3}, {2, 2}};
  o.new_session = true;
  o.cwd = "/";
  auto pid = spawn(o);  // reaped by main's SIGCHLD handler; it tells who it is
  if (!pid.ok()) return std::move(pid).error().during("start " + options_.exec_path);
  auto h = std::make_unique<Helper>();
  CODEXOS_ASSIGN(h->link, Link::make(loop_, std::move(pair.first)));
  return h;
}

Helper* Helpers::with_ahead(const std::string& key, const std::string& ahead) {
  for (const auto& h : pool_)
    if (h->key == key && h->ahead == ahead && h->link->alive()) return h.get();
  return nullptr;
}

std::optional<std::unique_ptr<Helper>> Helpers::find_parked(const std::string& key,
                                                            const std::string& ahead) {
  pool_.remove_if([&key](const auto& h) { return h->key == key && !h->link->alive(); });
  auto found = pool_.end();
  for (auto it = pool_.begin(); it != pool_.end(); ++it) {
    if ((*it)->key != key) continue;
    if (found == pool_.end()) found = it;
    if ((*it)->ahead == ahead) {
      found = it;
      break;
    }
  }
  if (found == pool_.end()) return std::nullopt;
  auto h = std::move(*found);
  pool_.erase(found);
  return h;
}

void Helpers::offer_parked() {
  if (!on_parked_) return;
  for (const auto& h : pool_)
    if (h->parked && h->ahead.empty() && !h->ahead_hold) on_parked_(*h);
}

void Helpers::drop_ahead() {
  pool_.remove_if([](const auto& h) { return h->ahead_hold != nullptr; });
  schedule_refill(options_.refill_ms);
}

Result<std::unique_ptr<Helper>> Helpers::take(const View& view, bool own_units,
                                              const std::string& ahead) {
  if (options_.parked > 0 && (!wanted_ || wanted_->key != view.key)) wanted_ = view;
  schedule_refill(options_.refill_ms);
  if (own_units) return start(view, true);
  if (auto h = find_parked(view.key, ahead)) return std::move(*h);
  return start(view, false);
}

void Helpers::start_done() {
  if (starting_ > 0) --starting_;
  if (starting_ == 0) schedule_refill(options_.refill_ms);
}

void Helpers::prepare(const View& view) {
  if (options_.parked == 0) return;
  wanted_ = view;
  schedule_refill(0);
}

size_t Helpers::parked() const {
  return static_cast<size_t>(
      std::count_if(pool_.begin(), pool_.end(), [](const auto& h) { return h->parked; }));
}

void Helpers::clear() {
  pool_.clear();
  zygotes_.clear();
  wanted_.reset();
}

void Helpers::schedule_refill(int64_t delay_ms) {
  if (!wanted_) return;
  if (timer_ != 0) loop_.cancel(timer_);
  const int64_t backoff =
      failures_ == 0 ? 0
                     : std::min(kMaxBackoffMs, options_.backoff_ms << std::min(failures_ - 1, 10));
  timer_ = loop_.after_ms(std::max(delay_ms, backoff), "refill helpers", [this] {
    timer_ = 0;
    refill();
  });
}

/// One helper at a time: the next when this one is parked.
void Helpers::refill() {
  if (!wanted_ || starting_ > 0) return;  // start_done() asks again
  // Helpers for another view are what was used before: they hold memory and namespaces for nothing.
  pool_.remove_if([this](const auto& h) { return h->key != wanted_->key; });
  if (pool_.size() < options_.parked) park_one();
}

void Helpers::park_one() {
  auto h = start(*wanted_, false);
  if (!h.ok()) {
    ++failures_;
    last_error_ = h.error().message;
    log_line(LogLevel::warning, "helpers", last_error_);
    schedule_refill(options_.refill_ms);
    return;
  }
  Helper* raw = h->get();
  pool_.push_back(*std::move(h));
  raw->link->handle([this, raw](LinkMessage& m) { on_message(raw, m); },
                    [this, raw] { on_lost(raw, "it ended"); });
}

void Helpers::on_message(Helper* h, LinkMessage& m) {
  if (m.type == LinkType::pid) {
    if (auto s = note_process(*h, m); !s.ok()) on_lost(h, s.error().message);
  } else if (m.type == LinkType::network) {
    h->network = std::move(m);
  } else if (m.type == LinkType::parked) {
    h->parked = true;
    failures_ = 0;
    last_error_.clear();
    schedule_refill(0);
    if (on_parked_) on_parked_(*h);
  } else if (m.type == LinkType::overlaid) {
    h->ahead = h->ahead_wanted;
  } else if (m.type == LinkType::failed) {
    const auto f = from_binary<StepFailure>(m.payload);
    on_lost(h, f.ok() ? f->step + ": " + f->text : f.error().message);
  } else {
    on_lost(h, "unexpected message " + std::to_string(static_cast<uint32_t>(m.type)));
  }
}

void Helpers::on_lost(Helper* h, const std::string& why) {
  if (!h->parked) {
    ++failures_;
    last_error_ = why;
  }
  log_line(LogLevel::warning, "helpers", "a parked helper is lost: " + why);
  pool_.remove_if([h](const auto& x) { return x.get() == h; });
  schedule_refill(options_.refill_ms);
}

}  // namespace codexos::daemon

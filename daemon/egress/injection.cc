// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/injection.h"

#include <algorithm>

#include "core/base/log.h"
#include "core/json/json.h"

namespace codexos::daemon {
namespace {

std::shared_ptr<InjectedValues> make_values(std::vector<Secret> all) {
  auto out = std::make_shared<InjectedValues>();
  out->all = std::move(all);
  for (uint32_t i = 0; i < out->all.size(); ++i) (void)out->redactor.add(out->all[i].view(), i);
  out->redactor.finish();
  return out;
}

/// A token under a name that nobody told us of: the task does without.
bool looks_like_token(std::string_view member) {
  static constexpr std::string_view kEnds[] = {"token", "secret", "key"};
  return std::any_of(std::begin(kEnds), std::end(kEnds), [member](std::string_view end) {
    return member.size() >= end.size() && member.substr(member.size() - end.size()) == end;
  });
}

}  // namespace

InjectionSet::InjectionSet(std::vector<Injection> all, std::vector<TokenExchange> exchanges,
                           Keep keep)
    : all_(std::move(all)), exchanges_(std::move(exchanges)), keep_(std::move(keep)) {
  std::vector<Secret> values;
  for (uint32_t i = 0; i < all_.size(); ++i) {
    values.push_back(std::move(all_[i].value));
    (void)placeholders_.add_plain(all_[i].placeholder, i);
  }
  placeholders_.finish();
  values_ = make_values(std::move(values));
}

bool InjectionSet::binds(std::string_view name, uint16_t port) const {
  const auto here = [&](const auto& x) { return match_name(x.hosts, name, port) != nullptr; };
  return std::any_of(all_.begin(), all_.end(), here) ||
         std::any_of(exchanges_.begin(), exchanges_.end(), here);
}

InjectedValuesPtr InjectionSet::values() const {
  const std::lock_guard lock(mutex_);
  return values_;
}

void InjectionSet::put(const Fresh& fresh) const {
  const bool same = std::all_of(fresh.begin(), fresh.end(), [this](const auto& f) {
    return values_->all[f.first].view() == f.second.view();
  });
  if (same) return;  // what finds them takes a while to make
  std::vector<Secret> all;
  for (uint32_t i = 0; i < values_->all.size(); ++i) {
    const auto it = fresh.find(i);
    all.push_back(it == fresh.end() ? values_->all[i].copy() : it->second.copy());
  }
  values_ = make_values(std::move(all));
}

void InjectionSet::replace(const Fresh& fresh) const {
  const std::lock_guard lock(mutex_);
  if (unkept_.empty()) return put(fresh);
  // `fresh` was read before they were there: the next time it is right.
  if (keep_(unkept_).ok()) unkept_.clear();
}

Status InjectionSet::accept(Fresh fresh) const {
  const std::lock_guard lock(mutex_);
  put(fresh);
  Status s = keep_ ? keep_(fresh) : Status();
  if (!s.ok()) unkept_ = std::move(fresh);
  return s;
}

int find_exchange(const InjectionSet& set, std::string_view name, uint16_t port,
                  std::string_view target) {
  for (size_t i = 0; i < set.exchanges().size(); ++i) {
    const TokenExchange& e = set.exchanges()[i];
    if (target == e.path && match_name(e.hosts, name, port) != nullptr) return static_cast<int>(i);
  }
  return -1;
}

Result<std::string> settle_exchange(const InjectionSet& set, uint32_t exchange,
                                    std::string_view body) {
  const Error unknown{Code::denied,
                      "an answer with new tokens that cannot be understood, so that they cannot be "
                      "kept from the task",
                      {}};
  auto parsed = json::parse(body);
  if (!parsed.ok() || !parsed->is_object()) return unknown;
  const auto& gives = set.exchanges()[exchange].gives;
  for (auto it = parsed->begin(); it != parsed->end();)
    if (gives.count(it.key()) == 0 && looks_like_token(it.key()))
      it = parsed->erase(it);
    else
      ++it;
  InjectionSet::Fresh fresh;
  for (const auto& [member, index] : gives) {
    const auto at = parsed->find(member);
    if (at == parsed->end() || at->is_null()) continue;
    if (!at->is_string()) return unknown;
    const std::string token = at->get<std::string>();
    *at = shaped_placeholder(token, set.all()[index].placeholder);
    fresh.emplace(index, Secret(token));
  }
  // In a success that gives no token they may stand under another name.
  if (fresh.empty()) return unknown;
  if (auto s = set.accept(std::move(fresh)); !s.ok())
    log_line(LogLevel::error, "tokens", s.error().message);
  return json::dump(*parsed);
}

}  // namespace codexos::daemon

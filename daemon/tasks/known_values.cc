// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/known_values.h"

#include <algorithm>

#include "core/base/text.h"

namespace codexos::daemon {
namespace {

constexpr size_t kLongestName = 253;  // RFC 1035

}  // namespace

/// Immutable, since the relay's thread may be using it.
struct KnownValues::Values {
  explicit Values(const std::vector<std::string>& all) {
    for (const auto& value : all) {
      kept.emplace_back(value);
      redactor.add(value, 0);
      // As the name of a host.
      if (value.size() <= kLongestName) redactor.add_plain(to_lower(value), 0);
    }
    redactor.finish();
  }
  std::vector<Secret> kept;
  Redactor redactor;
};

KnownValues::KnownValues() = default;
KnownValues::~KnownValues() = default;

bool gives_values(const std::vector<wire::SecretUse>& uses) {
  return std::any_of(uses.begin(), uses.end(), [](const wire::SecretUse& use) {
    return use.form != wire::SecretForm::placeholder;
  });
}

void KnownValues::set(const std::string& task, const std::vector<std::string>& values) {
  if (values.empty()) return;
  auto made = std::make_shared<const Values>(values);
  const std::lock_guard lock(mutex_);
  tasks_[task] = std::move(made);
}

void KnownValues::add(const std::string& task, const std::vector<std::string>& values) {
  std::vector<std::string> all;
  {
    const std::lock_guard lock(mutex_);
    const auto at = tasks_.find(task);
    if (at != tasks_.end() && !at->second) return;  // its shim will tell these, too
    if (at != tasks_.end())
      for (const Secret& value : at->second->kept) all.emplace_back(value.view());
  }
  const size_t before = all.size();
  for (const auto& value : values)
    if (std::find(all.begin(), all.end(), value) == all.end()) all.push_back(value);
  if (all.size() != before) set(task, all);
}

void KnownValues::withhold(const std::string& task) {
  const std::lock_guard lock(mutex_);
  tasks_[task] = nullptr;
}

void KnownValues::withhold_all() {
  const std::lock_guard lock(mutex_);
  for (auto& [task, values] : tasks_) values = nullptr;
}

void KnownValues::forget(const std::string& task) {
  const std::lock_guard lock(mutex_);
  tasks_.erase(task);
}

TaskRedactor KnownValues::find(const std::string& task) const {
  const std::lock_guard lock(mutex_);
  const auto at = tasks_.find(task);
  if (at == tasks_.end()) return std::nullopt;
  if (!at->second) return nullptr;
  return std::shared_ptr<const Redactor>(at->second, &at->second->redactor);
}

bool KnownValues::withholds(const std::string& task) const {
  const auto found = find(task);
  return found && !*found;
}

bool KnownValues::redact(const std::string& task, std::string& text) const {
  const auto found = find(task);
  if (found && *found) text = (*found)->redacted(text);
  return !found || *found;
}

}  // namespace codexos::daemon

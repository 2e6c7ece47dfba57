// SPDX-License-Identifier: Apache-2.0
#include "daemon/agents/parsers.h"

namespace codexos::daemon {

const json::Value& member(const json::Value& v, const char* name) {
  static const json::Value kNull;
  if (!v.is_object()) return kNull;
  const auto at = v.find(name);
  return at == v.end() ? kNull : *at;
}

std::string text_of(const json::Value& v, const char* name) {
  const json::Value& m = member(v, name);
  return m.is_string() ? m.get<std::string>() : std::string();
}

uint64_t count_of(const json::Value& v, const char* name) {
  const json::Value& m = member(v, name);
  if (m.is_number_unsigned()) return m.get<uint64_t>();
  if (m.is_number_float() && m.get<double>() > 0 && m.get<double>() < 1e15)
    return static_cast<uint64_t>(m.get<double>());
  return 0;
}

bool flag_of(const json::Value& v, const char* name) {
  const json::Value& m = member(v, name);
  return m.is_boolean() && m.get<bool>();
}

void OpenCalls::put(const std::string& id, Call call) {
  if (id.size() > kLongest || call.text.size() > kLongest) return;
  calls_[id] = std::move(call);
  if (calls_.size() > kMost) calls_.erase(calls_.begin());
}

std::optional<OpenCalls::Call> OpenCalls::take(const std::string& id) {
  auto node = calls_.extract(id);
  if (node.empty()) return std::nullopt;
  return std::move(node.mapped());
}

}  // namespace codexos::daemon

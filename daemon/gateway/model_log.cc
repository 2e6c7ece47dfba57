// SPDX-License-Identifier: Apache-2.0
#include "daemon/gateway/model_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/os/file.h"
#include "daemon/gateway/wires.h"
#include "daemon/trust/digest.h"

namespace codexos::daemon {
namespace {

using json::Value;

constexpr std::string_view kMagic = "codexos model log 1\n";
constexpr size_t kMaxLogBytes = size_t{1} << 32;
constexpr std::array<const char*, 2> kLists{"messages", "input"};
constexpr std::array<const char*, 4> kWholes{"tools", "system", "instructions", "input"};

/// One record after the other.
struct LogRecord {
  bool is_blob = false;
  std::string_view hash, bytes;
};

class LogReader {
 public:
  explicit LogReader(std::string_view bytes) : all_(bytes) {}
  bool begin() {
    if (all_.substr(0, kMagic.size()) != kMagic) return false;
    at_ = kMagic.size();
    return true;
  }
  /// False: there are no more whole ones.
  bool next(LogRecord& r) {
    const size_t end = all_.find('\n', at_);
    if (end == all_.npos) return false;
    std::string_view line = all_.substr(at_, end - at_);
    r.is_blob = line.substr(0, 5) == "blob ";
    const std::string_view word = r.is_blob ? "blob " : "exchange ";
    if (line.substr(0, word.size()) != word) return false;
    line.remove_prefix(word.size());
    if (r.is_blob) {
      if (line.size() < kSha256Hex + 2 || line[kSha256Hex] != ' ') return false;
      r.hash = line.substr(0, kSha256Hex);
      line.remove_prefix(kSha256Hex + 1);
    }
    size_t size = 0;
    const auto [stop, bad] = std::from_chars(line.data(), line.data() + line.size(), size);
    if (bad != std::errc() || stop != line.data() + line.size()) return false;
    if (size > all_.size() || end + 1 + size + 1 > all_.size()) return false;
    r.bytes = all_.substr(end + 1, size);
    if (all_[end + 1 + size] != '\n') return false;
    at_ = end + 1 + size + 1;
    return true;
  }
  size_t at() const { return at_; }

 private:
  std::string_view all_;
  size_t at_ = 0;
};

Value reference(const char* kind, std::string hash) {
  Value v;
  v[kind] = std::move(hash);
  return v;
}

Value usage_value(const ModelUsage& u) {
  return {{"input", u.input},
          {"cached_input", u.cached_input},
          {"cache_write", u.cache_write},
          {"cache_write_long", u.cache_write_long},
          {"output", u.output},
          {"reasoning", u.reasoning},
          {"cost_micros", u.cost_micros},
          {"estimated", u.estimated}};
}

/// In the order of a struct; the request stands last, since it is long.
Value exchange_value(const ExchangeRecord& e, Value request, std::string response) {
  Value v = {{"at", format_time(e.started_at_us)},
             {"endpoint", e.endpoint},
             {"provider", e.provider},
             {"model", e.model},
             {"asked_model", e.asked_model},
             {"status", e.status},
             {"error", e.error},
             {"content_type", e.content_type},
             {"first_byte_us", e.first_byte_us},
             {"duration_us", e.duration_us}};
  v["usage"] = usage_value(e.usage);
  v["response"] = std::move(response);
  v["response_cut"] = e.response_cut;
  v["request"] = std::move(request);
  return v;
}

/// Every text in it by itself, so that it stays JSON: also names of members, and digits.
void redact_texts(Value& v, const Redactor& by) {
  if (v.is_string()) v = by.redacted(v.get_ref<const std::string&>());
  if (v.is_array())
    for (Value& one : v) redact_texts(one, by);
  if (v.is_number()) {
    const std::string digits = json::dump(v);
    if (std::string told = by.redacted(digits); told != digits) v = std::move(told);
  }
  if (!v.is_object()) return;
  Value out = Value::object();
  for (auto& [name, member] : v.items()) {
    redact_texts(member, by);
    out[by.redacted(name)] = std::move(member);
  }
  v = std::move(out);
}

/// The exchange as it may be written, but for its request.
struct Told {
  ExchangeRecord record;
  std::string response;
};
Told told_of(const ExchangeRecord& e, const TaskRedactor& by) {
  Told t{e, {}};
  ExchangeRecord& r = t.record;
  for (std::string* text : {&r.asked_model, &r.model, &r.error})
    if (by && !text->empty()) *text = *by ? (*by)->redacted(*text) : kWithheld;
  if (!by)
    t.response = e.response;
  else if (*by)
    t.response = (*by)->redacted(e.response);
  return t;
}

/// {"$blob": HASH} with nothing beside it.
bool put_together(Value& v, const std::map<std::string, std::string, std::less<>>& blobs) {
  if (v.is_object() && v.size() == 1 && v.contains("$blob") && v["$blob"].is_string()) {
    const auto blob = blobs.find(v["$blob"].get_ref<const std::string&>());
    if (blob == blobs.end()) return false;
    auto parsed = json::parse(blob->second);
    if (!parsed.ok()) return false;
    v = *std::move(parsed);
  }
  return true;
}

}  // namespace

struct ModelLogs::File {
  Fd fd;
  std::set<std::string> known;
  std::string pending;

  /// Its hash; written when it is new.
  std::string add(const std::string& bytes) {
    std::string hash = sha256_hex(bytes);
    if (known.insert(hash).second)
      pending += "blob " + hash + " " + std::to_string(bytes.size()) + "\n" + bytes + "\n";
    return hash;
  }
  /// The request with references to its parts. `by`: null: there is nothing to take out.
  Value add_request(std::string_view body, const Redactor* by) {
    auto parsed =
        too_rich(body) ? Result<Value>(Error{Code::invalid, "too much", {}}) : json::parse(body);
    if (!parsed.ok() || !parsed->is_object())
      return reference("$raw", add(by == nullptr ? std::string(body) : by->redacted(body)));
    Value request = *std::move(parsed);
    if (by != nullptr) redact_texts(request, *by);
    for (const char* name : kLists)
      if (const auto it = request.find(name); it != request.end() && it->is_array())
        for (Value& one : *it) one = reference("$blob", add(json::dump(one)));
    for (const char* name : kWholes)
      if (const auto it = request.find(name); it != request.end() && !it->is_null())
        if (name != std::string_view("input") || it->is_string())
          *it = reference("$blob", add(json::dump(*it)));
    return request;
  }
};

ModelLogs::ModelLogs(std::function<std::string(const std::string& task)> path_of,
                     FindRedactor redactor_of)
    : path_of_(std::move(path_of)), redactor_of_(std::move(redactor_of)) {}
ModelLogs::~ModelLogs() = default;

/// Opened once; what an earlier daemon wrote is known again. Null: it cannot be had.
ModelLogs::File* ModelLogs::file_of(const std::string& task) {
  auto& slot = files_[task];
  if (slot) return slot->fd ? slot.get() : nullptr;
  slot = std::make_unique<File>();
  const std::string path = path_of_(task);
  auto fd = open_file(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (!fd.ok()) {
    log_line(LogLevel::error, "task " + task, "model log: " + fd.error().message);
    return nullptr;
  }
  slot->fd = *std::move(fd);
  const auto old = read_file(path, kMaxLogBytes);
  if (!old.ok()) {  // what there is stays
    log_line(LogLevel::error, "task " + task, "model log: " + old.error().message);
    slot->fd.reset();
    return nullptr;
  }
  LogReader reader(*old);
  if (!reader.begin()) {
    slot->pending = kMagic;
    (void)!ftruncate(slot->fd.get(), 0);
    return slot.get();
  }
  LogRecord r;
  while (reader.next(r))
    if (r.is_blob) slot->known.emplace(r.hash);
  (void)!ftruncate(slot->fd.get(), static_cast<off_t>(reader.at()));
  return slot.get();
}

void ModelLogs::record(const ExchangeRecord& e) {
  File* f = file_of(e.task);
  if (f == nullptr) return;
  const TaskRedactor by = redactor_of_ ? redactor_of_(e.task) : std::nullopt;
  Value request;
  if (by && !*by)
    request["withheld"] = kWithheld;
  else
    request = f->add_request(e.request, by ? by->get() : nullptr);
  const Told told = told_of(e, by);
  const Value v = exchange_value(told.record, std::move(request), f->add(told.response));
  const std::string line = json::dump(v);
  f->pending += "exchange " + std::to_string(line.size()) + "\n" + line + "\n";
  const auto written = write_all(f->fd.get(), f->pending);
  f->pending.clear();
  if (written.ok()) return;
  log_line(LogLevel::error, "task " + e.task, "model log: " + written.error().message);
  f->fd.reset();
}

void ModelLogs::close(const std::string& task) { files_.erase(task); }

Result<std::vector<ModelLogEntry>> read_model_log(std::string_view bytes) {
  LogReader reader(bytes);
  if (!reader.begin()) return Error{Code::invalid, "this is no model log", {}};
  std::map<std::string, std::string, std::less<>> blobs;
  std::vector<ModelLogEntry> out;
  const Error damaged{Code::invalid, "the model log is damaged", {}};
  for (LogRecord r; reader.next(r);) {
    if (r.is_blob) {
      if (sha256_hex(r.bytes) != r.hash) return damaged;
      blobs.emplace(r.hash, r.bytes);
      continue;
    }
    auto v = json::parse(r.bytes);
    if (!v.ok() || !v->is_object()) return damaged;
    ModelLogEntry e{*std::move(v), {}};
    const auto response = blobs.find(e.exchange.value("response", std::string()));
    if (response == blobs.end()) return damaged;
    e.response = response->second;
    for (auto& [name, member] : e.exchange["request"].items()) {
      if (member.is_array())
        for (Value& one : member)
          if (!put_together(one, blobs)) return damaged;
      if (!put_together(member, blobs)) return damaged;
    }
    out.push_back(std::move(e));
  }
  return out;
}

}  // namespace codexos::daemon

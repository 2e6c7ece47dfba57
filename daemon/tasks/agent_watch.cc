// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/agent_watch.h"

#include "core/base/text.h"

namespace codexos::daemon {
namespace {

constexpr size_t kMaxLine = 8 << 20;  // a tool's result with an image in it
constexpr size_t kMaxEvents = 500;    // a turn: the loop has others to serve
constexpr size_t kMaxJoined = 16 << 10;

/// Lines of text that came together are one event.
void join_text(std::vector<wire::Event>& out) {
  wire::Event& last = out.back();
  wire::Event& before = out[out.size() - 2];
  if (last.type != wire::EventType::agent_text || before.type != last.type) return;
  if (before.text->size() + last.text->size() > kMaxJoined) return;
  *before.text += "\n" + *last.text;
  before.offset = last.offset;
  out.pop_back();
}

}  // namespace

std::vector<wire::Event> AgentWatch::read(bool final) {
  std::vector<wire::Event> out;
  if (!log_.refresh().ok()) return out;
  while (final || out.size() < kMaxEvents) {
    const auto piece = log_.next(0, final);
    if (!piece.ok() || !*piece) break;
    const wire::OutputLine& p = **piece;
    if (p.skipped) {  // the middle of the log is gone, and with it the line that was begun
      line_.clear();
      too_long_ = true;
    }
    const auto bytes = from_base64(p.base64);
    take(p.base64.empty() || !bytes.ok() ? p.text : *bytes, p.offset, out);
  }
  if (final && !line_.empty()) end_line(end_, out);
  return out;
}

void AgentWatch::take(const std::string& bytes, uint64_t at, std::vector<wire::Event>& out) {
  for (size_t from = 0; from < bytes.size();) {
    const size_t lf = bytes.find('\n', from);
    const size_t end = lf == std::string::npos ? bytes.size() : lf;
    if (!too_long_) line_.append(bytes, from, end - from);
    if (line_.size() > kMaxLine) {
      line_.clear();
      too_long_ = true;
    }
    end_ = at + end + (lf == std::string::npos ? 0 : 1);
    if (lf != std::string::npos) end_line(end_, out);
    from = end + 1;
  }
}

void AgentWatch::end_line(uint64_t end, std::vector<wire::Event>& out) {
  const size_t before = out.size();
  if (!too_long_) parser_->line(line_, out);
  line_.clear();
  too_long_ = false;
  if (end <= stored_) out.resize(before);
  for (size_t i = before; i < out.size(); ++i) out[i].offset = end;
  if (before > 0 && out.size() == before + 1) join_text(out);
}

}  // namespace codexos::daemon

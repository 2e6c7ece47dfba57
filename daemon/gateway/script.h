// SPDX-License-Identifier: Apache-2.0
// A model that follows a script, for demonstrations and tests: no key, no network, the same answer
// to the same request. A provider of wire `scripted` names its file:
//
//   rules:                                  # the first that matches answers
//     - match: {user: weather, turn: 1}     # all that stand there: model (glob), user (the last
//       reply: It rains.                    # user text holds it), regex (POSIX extended, on the
//                                           # same), turn, tools (true: the request offers some)
//   turns:                                  # else the Nth turn of a conversation gets the Nth;
//   when
//     - {reply: I will look., run: ls}      # there are no more, the last
//     - reply: Done.
//       usage: {input: 100, cached_input: 20, output: 10}
//   without_tools: a title                  # what `turns` say to requests that offer no tools
//
// A turn ends when the model has spoken. `run` calls the shell tool that the request offers, as
// the known agents name it; `calls: [{name, arguments}]` calls any, `arguments` being JSON text.
// `fault`: status (with message, retry_after), hang, cut_after: N pieces of a stream, slow: 20ms
// before each piece, no_usage, and `times: N`: only so often for each task.
//
// Pure: what it does over time is the business of scripted_upstream.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/fields.h"
#include "daemon/gateway/wires.h"

namespace codexos::daemon {

struct ScriptMatch {
  std::string model, user, regex;
  std::optional<uint64_t> turn;
  std::optional<bool> tools;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("model", s.model, "glob of the model's name");
    v("user", s.user, "what the last text of the user holds");
    v("regex", s.regex, "POSIX extended expression on the same");
    v("turn", s.turn, "which turn of the conversation, from 1");
    v("tools", s.tools, "whether the request offers tools");
  }
};
struct ScriptCall {
  std::string name, arguments = "{}";
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("name", s.name, "tool that is called");
    v("arguments", s.arguments, "JSON text");
  }
};
struct ScriptUsage {
  uint64_t input = 100, cached_input = 20, cache_write = 0, output = 10, reasoning = 0;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("input", s.input, "all input tokens");
    v("cached_input", s.cached_input, "of those: read from a cache");
    v("cache_write", s.cache_write, "of those: written into a cache");
    v("output", s.output, "output tokens");
    v("reasoning", s.reasoning, "of those: reasoning");
  }
};
struct ScriptFault {
  int32_t status = 0;
  std::string message = "as the script says";
  std::optional<uint64_t> retry_after;
  bool hang = false;
  std::optional<uint64_t> cut_after;
  Scalar slow;
  bool no_usage = false;
  uint64_t times = 0;  // 0: always
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("status", s.status, "HTTP status instead of an answer");
    v("message", s.message, "what the error says");
    v("retry_after", s.retry_after, "seconds, in the header");
    v("hang", s.hang, "nothing is ever sent");
    v("cut_after", s.cut_after, "pieces of the answer after which the connection breaks");
    v("slow", s.slow, "time before each piece");
    v("no_usage", s.no_usage, "the answer does not say what it used");
    v("times", s.times, "only so often for each task; 0: always");
  }
};
struct ScriptRow {
  ScriptMatch match;
  std::string reply;
  std::string run;
  std::vector<ScriptCall> calls;
  ScriptUsage usage;
  std::optional<ScriptFault> fault;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("match", s.match, "what it answers to");
    v("reply", s.reply, "text");
    v("run", s.run, "command for the shell tool");
    v("calls", s.calls, "tools that are called");
    v("usage", s.usage, "what it says that it used");
    v("fault", s.fault, "what goes wrong");
  }
};
struct Script {
  std::vector<ScriptRow> rules, turns;
  std::string without_tools;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("rules", s.rules, "the first that matches answers");
    v("turns", s.turns, "else by the turn of the conversation");
    v("without_tools", s.without_tools, "what turns say to requests without tools");
  }
};
/// Strict; errors begin with file:line.
Result<Script> read_script(std::string_view text, const std::string& file);

/// What a script looks at.
struct Conversation {
  std::string last_user;
  uint64_t turn = 1;
  std::vector<std::string> tools;
};
Conversation read_conversation(const ModelRequest& r);

/// How often each row's fault has come, for one task.
using ScriptCounts = std::map<const ScriptRow*, uint64_t>;

/// What the provider sends.
struct ScriptedAnswer {
  int status = 200;
  std::string content_type;
  std::optional<uint64_t> retry_after;
  std::vector<std::string> pieces;
  bool hang = false;     // after these pieces, for ever
  bool cut = false;      // after these pieces the connection breaks
  uint64_t slow_ms = 0;  // before each piece
};
/// A request that no row answers gets an error 404.
ScriptedAnswer answer_by_script(const Script& s, const ModelRequest& r, ScriptCounts& counts);

}  // namespace codexos::daemon

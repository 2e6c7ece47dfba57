// SPDX-License-Identifier: Apache-2.0
#include "daemon/gateway/script_render.h"

#include <algorithm>
#include <cstring>

#include "core/base/hash.h"
#include "core/base/text.h"

namespace codexos::daemon {
namespace {

using json::Value;

constexpr size_t kDimensions = 8;

/// Words with the space behind them, as models stream them; never within a UTF-8 sequence.
std::vector<std::string> in_words(const std::string& text) {
  std::vector<std::string> out;
  for (size_t at = 0; at < text.size();) {
    const size_t space = text.find(' ', at);
    const size_t end = space == std::string::npos ? text.size() : space + 1;
    out.push_back(text.substr(at, end - at));
    at = end;
  }
  return out;
}

/// Two halves, so that who merges them is put to the test.
std::vector<std::string> in_halves(const std::string& text) {
  if (text.size() < 2) return {text};
  size_t middle = text.size() / 2;
  while (middle > 0 && (static_cast<unsigned char>(text[middle]) & 0xc0) == 0x80) --middle;
  if (middle == 0) return {text};
  return {text.substr(0, middle), text.substr(middle)};
}

class Events {
 public:
  /// A named event that says its type inside too.
  void named(Value v) {
    pieces_.push_back("event: " + v["type"].get<std::string>() + "\ndata: " + json::dump(v) +
                      "\n\n");
  }
  void plain(const Value& v) { raw(json::dump(v)); }
  void raw(const std::string& data) { pieces_.push_back("data: " + data + "\n\n"); }
  ScriptedAnswer take() {
    ScriptedAnswer a;
    a.content_type = "text/event-stream";
    a.pieces = std::move(pieces_);
    return a;
  }

 private:
  std::vector<std::string> pieces_;
};

ScriptedAnswer whole(const Value& v) {
  ScriptedAnswer a;
  a.content_type = "application/json";
  a.pieces = {json::dump(v)};
  return a;
}

std::string numbered(const char* head, uint64_t turn) { return head + std::to_string(turn); }
std::string call_id(const char* head, uint64_t turn, size_t n) {
  return head + std::to_string(turn) + "_" + std::to_string(n);
}

// ---- OpenAI Chat Completions

Value chat_usage(const ScriptUsage& u) {
  return {{"prompt_tokens", u.input},
          {"completion_tokens", u.output},
          {"total_tokens", u.input + u.output},
          {"prompt_tokens_details", {{"cached_tokens", u.cached_input}}},
          {"completion_tokens_details", {{"reasoning_tokens", u.reasoning}}}};
}

Value chat_head(const ModelRequest& r, uint64_t turn, const char* object) {
  return {
      {"id", numbered("chatcmpl-", turn)}, {"object", object}, {"created", 1}, {"model", r.model}};
}

Value chat_call(const ScriptCall& c, uint64_t turn, size_t n, const std::string& arguments) {
  return {{"id", call_id("call_", turn, n)},
          {"type", "function"},
          {"function", {{"name", c.name}, {"arguments", arguments}}}};
}

ScriptedAnswer chat_whole(const ModelRequest& r, uint64_t turn, const ScriptedReply& reply) {
  Value message = {{"role", "assistant"}};
  message["content"] = reply.text.empty() && !reply.calls.empty() ? Value() : Value(reply.text);
  message["refusal"] = nullptr;
  for (size_t i = 0; i < reply.calls.size(); ++i)
    message["tool_calls"].push_back(chat_call(reply.calls[i], turn, i, reply.calls[i].arguments));
  Value v = chat_head(r, turn, "chat.completion");
  v["choices"] = Value::array();
  v["choices"].push_back({{"index", 0},
                          {"message", message},
                          {"logprobs", nullptr},
                          {"finish_reason", reply.calls.empty() ? "stop" : "tool_calls"}});
  if (reply.tells_usage) v["usage"] = chat_usage(reply.usage);
  return whole(v);
}

ScriptedAnswer chat_stream(const ModelRequest& r, uint64_t turn, const ScriptedReply& reply) {
  Events out;
  const auto chunk = [&](Value delta, Value finish) {
    Value v = chat_head(r, turn, "chat.completion.chunk");
    v["choices"] = Value::array();
    v["choices"].push_back(
        {{"index", 0}, {"delta", std::move(delta)}, {"finish_reason", std::move(finish)}});
    out.plain(v);
  };
  const auto call_delta = [](Value call, size_t n) {
    call["index"] = n;
    Value delta;
    delta["tool_calls"] = Value::array();
    delta["tool_calls"].push_back(std::move(call));
    return delta;
  };
  chunk({{"role", "assistant"}, {"content", ""}}, nullptr);
  for (const auto& word : in_words(reply.text)) chunk({{"content", word}}, nullptr);
  for (size_t i = 0; i < reply.calls.size(); ++i) {
    chunk(call_delta(chat_call(reply.calls[i], turn, i, ""), i), nullptr);
    for (const auto& half : in_halves(reply.calls[i].arguments))
      chunk(call_delta({{"function", {{"arguments", half}}}}, i), nullptr);
  }
  chunk(Value::object(), reply.calls.empty() ? "stop" : "tool_calls");
  const auto options = r.body.find("stream_options");
  const bool wanted = options != r.body.end() && options->is_object() &&
                      options->value("include_usage", Value()) == Value(true);
  if (reply.tells_usage && wanted) {
    Value v = chat_head(r, turn, "chat.completion.chunk");
    v["choices"] = Value::array();
    v["usage"] = chat_usage(reply.usage);
    out.plain(v);
  }
  out.raw("[DONE]");
  return out.take();
}

// ---- OpenAI Responses

Value response_message(uint64_t turn, const std::string& text, const char* status) {
  Value content = Value::array();
  if (status == std::string_view("completed"))
    content.push_back({{"type", "output_text"}, {"text", text}, {"annotations", Value::array()}});
  return {{"type", "message"},
          {"id", numbered("msg_", turn)},
          {"role", "assistant"},
          {"status", status},
          {"content", content}};
}

Value response_call(const ScriptCall& c, uint64_t turn, size_t n, const char* status) {
  const bool complete = status == std::string_view("completed");
  return {{"type", "function_call"},
          {"id", call_id("fc_", turn, n)},
          {"call_id", call_id("call_", turn, n)},
          {"name", c.name},
          {"arguments", complete ? c.arguments : ""},
          {"status", status}};
}

Value response_document(const ModelRequest& r, uint64_t turn, const ScriptedReply& reply,
                        bool complete) {
  Value v = {{"id", numbered("resp_", turn)},
             {"object", "response"},
             {"created_at", 1},
             {"status", complete ? "completed" : "in_progress"},
             {"error", nullptr},
             {"incomplete_details", nullptr},
             {"model", r.model}};
  v["output"] = Value::array();
  v["parallel_tool_calls"] = true;
  v["tool_choice"] = "auto";
  v["tools"] = Value::array();
  if (!complete) return v;
  if (!reply.text.empty()) v["output"].push_back(response_message(turn, reply.text, "completed"));
  for (size_t i = 0; i < reply.calls.size(); ++i)
    v["output"].push_back(response_call(reply.calls[i], turn, i, "completed"));
  const ScriptUsage& u = reply.usage;
  if (reply.tells_usage)
    v["usage"] = {{"input_tokens", u.input},
                  {"input_tokens_details", {{"cached_tokens", u.cached_input}}},
                  {"output_tokens", u.output},
                  {"output_tokens_details", {{"reasoning_tokens", u.reasoning}}},
                  {"total_tokens", u.input + u.output}};
  return v;
}

/// Counts its events, as the format wants it.
class ResponseEvents {
 public:
  void add(const char* type, Value v) {
    Value event = {{"type", type}, {"sequence_number", number_++}};
    event.update(v);
    events_.named(std::move(event));
  }
  ScriptedAnswer take() { return events_.take(); }

 private:
  Events events_;
  uint64_t number_ = 0;
};

void stream_message(ResponseEvents& out, uint64_t turn, const std::string& text) {
  const std::string id = numbered("msg_", turn);
  const Value part = {{"type", "output_text"}, {"text", text}, {"annotations", Value::array()}};
  const Value empty = {{"type", "output_text"}, {"text", ""}, {"annotations", Value::array()}};
  const auto at = [&](Value v) {
    Value all = {{"item_id", id}, {"output_index", 0}, {"content_index", 0}};
    all.update(v);
    return all;
  };
  out.add("response.output_item.added",
          {{"output_index", 0}, {"item", response_message(turn, "", "in_progress")}});
  out.add("response.content_part.added", at({{"part", empty}}));
  for (const auto& word : in_words(text))
    out.add("response.output_text.delta", at({{"delta", word}}));
  out.add("response.output_text.done", at({{"text", text}}));
  out.add("response.content_part.done", at({{"part", part}}));
  out.add("response.output_item.done",
          {{"output_index", 0}, {"item", response_message(turn, text, "completed")}});
}

ScriptedAnswer responses_stream(const ModelRequest& r, uint64_t turn, const ScriptedReply& reply) {
  ResponseEvents out;
  const Value begun = response_document(r, turn, reply, false);
  out.add("response.created", {{"response", begun}});
  out.add("response.in_progress", {{"response", begun}});
  size_t index = 0;
  if (!reply.text.empty()) {
    stream_message(out, turn, reply.text);
    ++index;
  }
  for (size_t i = 0; i < reply.calls.size(); ++i, ++index) {
    const ScriptCall& c = reply.calls[i];
    const std::string id = call_id("fc_", turn, i);
    out.add("response.output_item.added",
            {{"output_index", index}, {"item", response_call(c, turn, i, "in_progress")}});
    for (const auto& half : in_halves(c.arguments))
      out.add("response.function_call_arguments.delta",
              {{"item_id", id}, {"output_index", index}, {"delta", half}});
    out.add("response.function_call_arguments.done",
            {{"item_id", id}, {"output_index", index}, {"arguments", c.arguments}});
    out.add("response.output_item.done",
            {{"output_index", index}, {"item", response_call(c, turn, i, "completed")}});
  }
  out.add("response.completed", {{"response", response_document(r, turn, reply, true)}});
  return out.take();
}

// ---- Anthropic Messages

Value messages_usage(const ScriptUsage& u) {
  return {{"input_tokens", u.input - std::min(u.input, u.cached_input + u.cache_write)},
          {"cache_creation_input_tokens", u.cache_write},
          {"cache_read_input_tokens", u.cached_input},
          {"output_tokens", u.output}};
}

/// What is no JSON goes into a whole message as an empty object, as that format has it.
Value call_input(const ScriptCall& c) {
  auto v = json::parse(c.arguments);
  return v.ok() ? *std::move(v) : Value::object();
}

Value message_document(const ModelRequest& r, uint64_t turn, const ScriptedReply& reply) {
  Value v = {{"id", numbered("msg_", turn)},
             {"type", "message"},
             {"role", "assistant"},
             {"model", r.model}};
  v["content"] = Value::array();
  if (!reply.text.empty()) v["content"].push_back({{"type", "text"}, {"text", reply.text}});
  for (size_t i = 0; i < reply.calls.size(); ++i)
    v["content"].push_back({{"type", "tool_use"},
                            {"id", call_id("toolu_", turn, i)},
                            {"name", reply.calls[i].name},
                            {"input", call_input(reply.calls[i])}});
  v["stop_reason"] = reply.calls.empty() ? "end_turn" : "tool_use";
  v["stop_sequence"] = nullptr;
  if (reply.tells_usage) v["usage"] = messages_usage(reply.usage);
  return v;
}

void stream_block(Events& out, size_t index, const Value& block, const char* delta_type,
                  const char* delta_name, const std::vector<std::string>& pieces) {
  out.named({{"type", "content_block_start"}, {"index", index}, {"content_block", block}});
  for (const auto& piece : pieces)
    out.named({{"type", "content_block_delta"},
               {"index", index},
               {"delta", {{"type", delta_type}, {delta_name, piece}}}});
  out.named({{"type", "content_block_stop"}, {"index", index}});
}

ScriptedAnswer messages_stream(const ModelRequest& r, uint64_t turn, const ScriptedReply& reply) {
  Events out;
  Value begun = message_document(r, turn, reply);
  begun["content"] = Value::array();
  begun["stop_reason"] = nullptr;
  if (reply.tells_usage) begun["usage"]["output_tokens"] = 1;
  out.named({{"type", "message_start"}, {"message", begun}});
  size_t index = 0;
  if (!reply.text.empty())
    stream_block(out, index++, {{"type", "text"}, {"text", ""}}, "text_delta", "text",
                 in_words(reply.text));
  for (size_t i = 0; i < reply.calls.size(); ++i)
    stream_block(out, index++,
                 {{"type", "tool_use"},
                  {"id", call_id("toolu_", turn, i)},
                  {"name", reply.calls[i].name},
                  {"input", Value::object()}},
                 "input_json_delta", "partial_json", in_halves(reply.calls[i].arguments));
  Value end = {{"type", "message_delta"},
               {"delta",
                {{"stop_reason", reply.calls.empty() ? "end_turn" : "tool_use"},
                 {"stop_sequence", nullptr}}}};
  if (reply.tells_usage) end["usage"] = {{"output_tokens", reply.usage.output}};
  out.named(std::move(end));
  out.named({{"type", "message_stop"}});
  return out.take();
}

/// Eight numbers between 0 and 1.
std::vector<float> vector_of(const std::string& text) {
  std::vector<float> out;
  for (size_t i = 0; i < kDimensions; ++i)
    out.push_back(static_cast<float>(fnv1a(text + static_cast<char>('0' + i)) % 1000) / 1000.0F);
  return out;
}

Value embedding_of(const Value& input, bool base64) {
  const std::vector<float> numbers =
      vector_of(input.is_string() ? input.get<std::string>() : json::dump(input));
  if (!base64) return numbers;
  std::string bytes(numbers.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), numbers.data(), bytes.size());
  return to_base64(bytes);
}

}  // namespace

ScriptedAnswer render_reply(const ModelRequest& r, uint64_t turn, const ScriptedReply& reply) {
  switch (r.endpoint) {
    case Endpoint::responses:
      return r.stream ? responses_stream(r, turn, reply)
                      : whole(response_document(r, turn, reply, true));
    case Endpoint::messages:
      return r.stream ? messages_stream(r, turn, reply) : whole(message_document(r, turn, reply));
    default:
      return r.stream ? chat_stream(r, turn, reply) : chat_whole(r, turn, reply);
  }
}

ScriptedAnswer render_counted(const ModelRequest& r) {
  const uint64_t tokens = estimate_tokens(json::dump(r.body).size());
  if (r.endpoint == Endpoint::count_tokens) return whole({{"input_tokens", tokens}});
  const auto input = r.body.find("input");
  const bool base64 = r.body.value("encoding_format", Value()) == Value("base64");
  // One text, many texts, or one text as a list of token numbers.
  const bool many =
      input != r.body.end() && input->is_array() && !input->empty() && !input->front().is_number();
  Value v = {{"object", "list"}, {"data", Value::array()}, {"model", r.model}};
  const auto add = [&](const Value& one) {
    v["data"].push_back({{"object", "embedding"},
                         {"index", v["data"].size()},
                         {"embedding", embedding_of(one, base64)}});
  };
  if (many)
    for (const Value& one : *input) add(one);
  else if (input != r.body.end())
    add(*input);
  v["usage"] = {{"prompt_tokens", tokens}, {"total_tokens", tokens}};
  return whole(v);
}

}  // namespace codexos::daemon

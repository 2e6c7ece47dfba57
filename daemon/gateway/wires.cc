// SPDX-License-Identifier: Apache-2.0
#include "daemon/gateway/wires.h"

#include <algorithm>
#include <array>

#include "core/base/text.h"

namespace codexos::daemon {
namespace {

using json::Value;

constexpr std::string_view kModels = "/models";
constexpr size_t kMaxValues = 100'000;

constexpr std::array kRoutes{
    ModelRoute{Endpoint::chat, Dialect::openai, "POST", "/chat/completions"},
    ModelRoute{Endpoint::responses, Dialect::openai, "POST", "/responses"},
    ModelRoute{Endpoint::embeddings, Dialect::openai, "POST", "/embeddings"},
    ModelRoute{Endpoint::messages, Dialect::anthropic, "POST", "/messages"},
    ModelRoute{Endpoint::count_tokens, Dialect::anthropic, "POST", "/messages/count_tokens"},
    ModelRoute{Endpoint::models, Dialect::openai, "GET", kModels},
};

/// Content whose tokens are bounded by its bytes.
constexpr std::array<std::string_view, 20> kTextTypes{"text",
                                                      "input_text",
                                                      "output_text",
                                                      "refusal",
                                                      "message",
                                                      "tool_use",
                                                      "tool_result",
                                                      "thinking",
                                                      "redacted_thinking",
                                                      "function_call",
                                                      "function_call_output",
                                                      "custom_tool_call",
                                                      "custom_tool_call_output",
                                                      "local_shell_call",
                                                      "local_shell_call_output",
                                                      "reasoning",
                                                      "summary_text",
                                                      "reasoning_text",
                                                      "function",
                                                      "server_tool_use"};

/// What makes a request refer to something that the provider has and we have not.
constexpr std::array<std::string_view, 6> kReferences{
    "previous_response_id", "conversation", "prompt", "container", "mcp_servers", "file_ids"};

const Value* member(const Value& v, const char* name) {
  if (!v.is_object()) return nullptr;
  const auto it = v.find(name);
  return it == v.end() || it->is_null() ? nullptr : &*it;
}

std::string text_member(const Value& v, const char* name) {
  const Value* x = member(v, name);
  return x != nullptr && x->is_string() ? x->get<std::string>() : std::string();
}

/// Absent, negative or no integer: 0.
uint64_t count_member(const Value& v, const char* name) {
  const Value* x = member(v, name);
  if (x == nullptr || !x->is_number_integer()) return 0;
  return x->is_number_unsigned() ? x->get<uint64_t>() : 0;
}

bool is_text_type(const std::string& type) {
  return std::find(kTextTypes.begin(), kTextTypes.end(), type) != kTextTypes.end();
}

/// A message, an item or a part of one, and what lies within.
bool is_wide(const Value& part) {
  if (part.is_array()) return std::any_of(part.begin(), part.end(), is_wide);
  if (!part.is_object()) return false;
  const Value* type = member(part, "type");
  if (type != nullptr && (!type->is_string() || !is_text_type(type->get_ref<const std::string&>())))
    return true;
  if (member(part, "audio") != nullptr) return true;
  for (const char* inner : {"content", "output"})
    if (const Value* x = member(part, inner); x != nullptr && is_wide(*x)) return true;
  return false;
}

bool refers_outside(const Value& body) {
  for (const auto name : kReferences) {
    const Value* x = member(body, name.data());
    if (x != nullptr && !(x->is_array() && x->empty())) return true;
  }
  for (const char* name : {"messages", "input", "system", "instructions"})
    if (const Value* x = member(body, name); x != nullptr && is_wide(*x)) return true;
  return false;
}

struct LimitNames {
  Endpoint endpoint;
  std::array<const char*, 2> names;
};
constexpr std::array kLimitNames{
    LimitNames{Endpoint::chat, {"max_completion_tokens", "max_tokens"}},
    LimitNames{Endpoint::responses, {"max_output_tokens", nullptr}},
    LimitNames{Endpoint::messages, {"max_tokens", nullptr}},
};

const LimitNames* limit_names(Endpoint endpoint) {
  for (const auto& row : kLimitNames)
    if (row.endpoint == endpoint) return &row;
  return nullptr;
}

Status read_limits(ModelRequest& r) {
  const LimitNames* row = limit_names(r.endpoint);
  if (row == nullptr) return {};
  for (const char* name : row->names) {
    const Value* x = name == nullptr ? nullptr : member(r.body, name);
    if (x == nullptr) continue;
    if (!x->is_number_unsigned() || x->get<uint64_t>() == 0)
      return Error{
          Code::invalid, std::string("field \"") + name + "\" must be a positive integer", {}};
    const uint64_t asked = x->get<uint64_t>();
    r.max_output = std::max(r.max_output.value_or(asked), asked);  // servers differ
  }
  return {};
}

}  // namespace

// ---- routes -----------------------------------------------------------------------------------

std::optional<ModelRoute> find_route(std::string_view path) {
  if (path.empty() || path == "/" || path == "/v1" || path == "/v1/")
    return ModelRoute{Endpoint::hello, Dialect::openai, "GET", ""};
  if (path.substr(0, 4) == "/v1/") path.remove_prefix(3);
  for (const auto& row : kRoutes)
    if (row.target == path) {
      ModelRoute r = row;
      if (r.endpoint == Endpoint::models) r.target = {};
      return r;
    }
  if (path.size() > kModels.size() + 1 && path.substr(0, kModels.size() + 1) == "/models/")
    return ModelRoute{Endpoint::models, Dialect::openai, "GET", path.substr(kModels.size() + 1)};
  return std::nullopt;
}

// ---- requests ---------------------------------------------------------------------------------

bool too_rich(std::string_view body) {
  size_t values = 0;
  bool text = false;
  for (size_t i = 0; i < body.size(); ++i) {
    const char c = body[i];
    if (text && c == '\\') ++i;
    if (c == '"') text = !text;
    if (!text && (c == ',' || c == '[' || c == '{') && ++values > kMaxValues) return true;
  }
  return false;
}

/// Servers that read names without their case would see what we do not.
Status check_names(const Value& body) {
  static constexpr std::string_view kNames[] = {
      "model",  "max_tokens", "max_completion_tokens", "max_output_tokens", "n",
      "stream", "background"};
  for (auto it = body.begin(); it != body.end(); ++it) {
    const std::string lower = to_lower(it.key());
    if (lower != it.key() &&
        std::find(std::begin(kNames), std::end(kNames), lower) != std::end(kNames))
      return Error{Code::invalid, "field \"" + it.key() + "\" is written in small letters", {}};
  }
  return {};
}

Result<ModelRequest> parse_model_request(Endpoint endpoint, std::string_view body) {
  ModelRequest r;
  r.endpoint = endpoint;
  if (too_rich(body))
    return Error{Code::invalid, "the request consists of more than 100,000 values", {}};
  CODEXOS_ASSIGN(r.body, json::parse(body));
  if (!r.body.is_object()) return Error{Code::invalid, "the request must be a JSON object", {}};
  CODEXOS_TRY(check_names(r.body));
  r.model = text_member(r.body, "model");
  if (r.model.empty()) return Error{Code::invalid, "field \"model\" is missing", {}};
  const Value* stream = member(r.body, "stream");
  if (stream != nullptr && !stream->is_boolean())
    return Error{Code::invalid, "field \"stream\" must be true or false", {}};
  r.stream = stream != nullptr && stream->get<bool>();
  CODEXOS_TRY(read_limits(r));
  if (const Value* n = member(r.body, "n"); n != nullptr && endpoint == Endpoint::chat) {
    if (!n->is_number_unsigned())
      return Error{Code::invalid, "field \"n\" must be a positive integer", {}};
    r.choices = std::max<uint64_t>(1, n->get<uint64_t>());
  }
  if (r.choices > 1024) return Error{Code::invalid, "field \"n\" is too large", {}};
  if (const Value* thinking = member(r.body, "thinking"))
    if (const uint64_t budget = count_member(*thinking, "budget_tokens"))
      r.least_output = budget + 1;
  r.wide_input = endpoint != Endpoint::embeddings && refers_outside(r.body);
  r.service_tier = text_member(r.body, "service_tier");
  // Anthropic's: dearer than what the price table says.
  for (const char* dearer : {"speed", "inference_geo"})
    if (const std::string how = text_member(r.body, dearer);
        !how.empty() && how != "standard" && how != "global")
      r.service_tier = std::string(dearer) + " " + how;
  const Value* later = member(r.body, "background");
  r.answered_later = later != nullptr && !(later->is_boolean() && !later->get<bool>());
  return r;
}

uint64_t input_bound(const ModelRequest& r, size_t body_bytes, uint64_t context_tokens) {
  const uint64_t by_bytes = body_bytes + kHiddenTokens;
  return r.wide_input ? std::max(context_tokens, by_bytes) : by_bytes;
}

std::string edit_request(const ModelRequest& r, std::string_view body, const RequestEdits& edits) {
  Value v;
  const auto edited = [&]() -> Value& {
    if (v.is_null()) v = r.body;
    return v;
  };
  if (!edits.model.empty() && edits.model != r.model) edited()["model"] = edits.model;
  const LimitNames* row = limit_names(r.endpoint);
  if (edits.max_output && row != nullptr) {
    bool named = false;
    for (const char* name : row->names) {
      const Value* x = name == nullptr ? nullptr : member(r.body, name);
      if (x == nullptr) continue;
      named = true;
      if (x->get<uint64_t>() > *edits.max_output) edited()[name] = *edits.max_output;
    }
    const bool older = r.endpoint == Endpoint::chat && edits.limit_is_max_tokens;
    if (!named) edited()[row->names[older ? 1 : 0]] = *edits.max_output;
  }
  if (r.endpoint == Endpoint::chat && r.stream) {
    const Value* options = member(r.body, "stream_options");
    const Value* wanted = options == nullptr ? nullptr : member(*options, "include_usage");
    if (wanted == nullptr || !wanted->is_boolean() || !wanted->get<bool>()) {
      Value& o = edited()["stream_options"];
      if (!o.is_object()) o = Value::object();
      o["include_usage"] = true;
    }
  }
  return v.is_null() ? std::string(body) : json::dump(v);
}

// ---- usage ------------------------------------------------------------------------------------

namespace {

/// Anthropic tells the parts; where an event has none of them, what was known stays.
bool add_anthropic(const Value& usage, std::optional<ModelUsage>& into) {
  if (!usage.is_object()) return false;
  ModelUsage u = into.value_or(ModelUsage{});
  const auto plain = [&](uint64_t known, const char* name) {
    return member(usage, name) == nullptr ? known : count_member(usage, name);
  };
  const uint64_t uncached =
      plain(u.input - std::min(u.input, u.cached_input + u.cache_write), "input_tokens");
  u.cached_input = plain(u.cached_input, "cache_read_input_tokens");
  u.cache_write = plain(u.cache_write, "cache_creation_input_tokens");
  if (const Value* kinds = member(usage, "cache_creation"))
    u.cache_write_long = std::min(count_member(*kinds, "ephemeral_1h_input_tokens"), u.cache_write);
  u.input = uncached + u.cached_input + u.cache_write;
  u.output = plain(u.output, "output_tokens");
  into = u;
  return true;
}

struct OpenAiNames {
  const char *input, *output, *input_details, *output_details;
};
constexpr OpenAiNames kChatNames{"prompt_tokens", "completion_tokens", "prompt_tokens_details",
                                 "completion_tokens_details"};
constexpr OpenAiNames kResponsesNames{"input_tokens", "output_tokens", "input_tokens_details",
                                      "output_tokens_details"};

bool add_openai(const Value& usage, const OpenAiNames& n, std::optional<ModelUsage>& into) {
  if (!usage.is_object() || member(usage, n.input) == nullptr) return false;
  ModelUsage u;
  u.input = count_member(usage, n.input);
  u.output = count_member(usage, n.output);
  if (const Value* details = member(usage, n.input_details)) {
    u.cached_input = std::min(count_member(*details, "cached_tokens"), u.input);
    u.cache_write =
        std::min(count_member(*details, "cache_write_tokens"), u.input - u.cached_input);
  }
  if (const Value* details = member(usage, n.output_details))
    u.reasoning = std::min(count_member(*details, "reasoning_tokens"), u.output);
  into = u;
  return true;
}

bool add_usage(Endpoint endpoint, const Value& usage, std::optional<ModelUsage>& into) {
  if (endpoint == Endpoint::messages) return add_anthropic(usage, into);
  return add_openai(usage, endpoint == Endpoint::responses ? kResponsesNames : kChatNames, into);
}

size_t text_size(const Value* v) {
  return v != nullptr && v->is_string() ? v->get_ref<const std::string&>().size() : 0;
}

/// A delta or a message of Chat Completions.
size_t chat_text(const Value& m) {
  size_t n = text_size(member(m, "content")) + text_size(member(m, "reasoning_content")) +
             text_size(member(m, "refusal"));
  if (const Value* calls = member(m, "tool_calls"); calls != nullptr && calls->is_array())
    for (const Value& call : *calls)
      if (const Value* f = member(call, "function"))
        n += text_size(member(*f, "name")) + text_size(member(*f, "arguments"));
  return n;
}

size_t choices_text(const Value& v, const char* name) {
  size_t n = 0;
  if (const Value* choices = member(v, "choices"); choices != nullptr && choices->is_array())
    for (const Value& c : *choices)
      if (const Value* m = member(c, name)) n += chat_text(*m);
  return n;
}

}  // namespace

std::optional<ModelUsage> read_usage(Endpoint endpoint, const Value& response) {
  std::optional<ModelUsage> u;
  if (endpoint == Endpoint::count_tokens) return ModelUsage{};  // it costs nothing
  if (const Value* usage = member(response, "usage")) (void)add_usage(endpoint, *usage, u);
  return u;
}

bool add_stream_usage(Endpoint endpoint, const Value& event, std::optional<ModelUsage>& into) {
  for (const char* around : {"message", "response"})
    if (const Value* inner = member(event, around))
      if (const Value* usage = member(*inner, "usage")) return add_usage(endpoint, *usage, into);
  const Value* usage = member(event, "usage");
  return usage != nullptr && add_usage(endpoint, *usage, into);
}

size_t streamed_text(Endpoint endpoint, const Value& event) {
  if (endpoint == Endpoint::chat) return choices_text(event, "delta");
  const Value* delta = member(event, "delta");
  if (delta == nullptr) return 0;
  if (delta->is_string()) return text_size(delta);
  return text_size(member(*delta, "text")) + text_size(member(*delta, "partial_json")) +
         text_size(member(*delta, "thinking"));
}

size_t answered_text(Endpoint endpoint, const Value& response) {
  if (endpoint == Endpoint::chat) return choices_text(response, "message");
  if (endpoint == Endpoint::embeddings || endpoint == Endpoint::count_tokens) return 0;
  const Value* content = member(response, endpoint == Endpoint::messages ? "content" : "output");
  return content == nullptr ? 0 : json::dump(*content).size();
}

// ---- errors -----------------------------------------------------------------------------------

namespace {

struct ProblemRow {
  ApiProblem problem;
  int status;
  const char* openai_type;
  const char* openai_code;
  const char* anthropic_type;
};
constexpr std::array kProblems{
    ProblemRow{ApiProblem::invalid, 400, "invalid_request_error", "invalid_request",
               "invalid_request_error"},
    ProblemRow{ApiProblem::unknown_path, 404, "invalid_request_error", "unknown_url",
               "not_found_error"},
    ProblemRow{ApiProblem::method, 405, "invalid_request_error", "method_not_allowed",
               "invalid_request_error"},
    ProblemRow{ApiProblem::unknown_model, 404, "invalid_request_error", "model_not_found",
               "not_found_error"},
    ProblemRow{ApiProblem::too_large, 413, "invalid_request_error", "request_too_large",
               "request_too_large"},
    ProblemRow{ApiProblem::budget, 402, "insufficient_quota", "budget_exceeded", "billing_error"},
    ProblemRow{ApiProblem::unpriced, 400, "invalid_request_error", "unpriced_model",
               "invalid_request_error"},
    ProblemRow{ApiProblem::no_key, 400, "invalid_request_error", "no_key", "invalid_request_error"},
    ProblemRow{ApiProblem::unavailable, 502, "server_error", "upstream_unavailable", "api_error"},
    ProblemRow{ApiProblem::timeout, 504, "server_error", "upstream_timeout", "timeout_error"},
    ProblemRow{ApiProblem::overloaded, 503, "server_error", "overloaded", "overloaded_error"},
};

const ProblemRow& problem_row(ApiProblem p) {
  for (const auto& row : kProblems)
    if (row.problem == p) return row;
  return kProblems[0];
}

}  // namespace

ApiError api_error(Dialect dialect, ApiProblem problem, std::string_view message) {
  const ProblemRow& row = problem_row(problem);
  Value v;
  if (dialect == Dialect::anthropic) {
    v["type"] = "error";
    v["error"] = {{"type", row.anthropic_type}, {"message", std::string(message)}};
  } else {
    v["error"] = {{"message", std::string(message)},
                  {"type", row.openai_type},
                  {"param", nullptr},
                  {"code", row.openai_code}};
  }
  return {row.status, json::dump(v)};
}

}  // namespace codexos::daemon

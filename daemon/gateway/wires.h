// SPDX-License-Identifier: Apache-2.0
// The wire formats that programs inside speak: OpenAI Chat Completions, Responses and Embeddings,
// and Anthropic Messages. Of a request only that is read which routing and budgets need; unknown
// fields pass unchanged, and nothing is translated from one format into another. Pure.
//
// References: platform.openai.com/docs/api-reference, docs.anthropic.com/en/api.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/fields.h"
#include "core/json/json.h"
#include "daemon/gateway/usage.h"

namespace codexos::daemon {

/// Whose conventions: of errors, keys, lists.
enum class Dialect : int { openai, anthropic };
constexpr auto enum_names(Dialect) {
  return std::array{EnumName{Dialect::openai, "openai"}, EnumName{Dialect::anthropic, "anthropic"}};
}

enum class Endpoint : int { hello, models, chat, responses, embeddings, messages, count_tokens };
constexpr auto enum_names(Endpoint) {
  return std::array{EnumName{Endpoint::hello, "hello"},
                    EnumName{Endpoint::models, "models"},
                    EnumName{Endpoint::chat, "chat"},
                    EnumName{Endpoint::responses, "responses"},
                    EnumName{Endpoint::embeddings, "embeddings"},
                    EnumName{Endpoint::messages, "messages"},
                    EnumName{Endpoint::count_tokens, "count_tokens"}};
}

struct ModelRoute {
  Endpoint endpoint = Endpoint::hello;
  Dialect dialect = Dialect::openai;
  std::string_view method;
  std::string_view target;  // behind the provider's base URL; of models: the model's name, or empty
};
/// By path; the caller looks at the method. With and without /v1 in front, since clients differ in
/// what they take for the base URL.
std::optional<ModelRoute> find_route(std::string_view path);

/// What stands in a request.
struct ModelRequest {
  Endpoint endpoint = Endpoint::chat;
  std::string model;
  bool stream = false;
  std::optional<uint64_t> max_output;  // the most of those that it names
  uint64_t choices = 1;                // answers that it wants, each up to max_output
  uint64_t least_output = 0;           // what a clamp must leave: the budget of thinking and one
  /// It refers to content that is not in its bytes, or whose tokens are no function of its bytes:
  /// images, files, conversations that the provider keeps. Types of content that are not known to
  /// be text count as such.
  bool wide_input = false;
  bool answered_later = false;  // in the background: this answer will not say what it used
  std::string service_tier;     // empty: the provider's standard
  json::Value body;             // all of it
};
/// JSON of so many values that reading it would take long, and a hundred times its size.
bool too_rich(std::string_view body);
/// Error invalid: it is no JSON object, names no model, or is too_rich().
Result<ModelRequest> parse_model_request(Endpoint endpoint, std::string_view body);

/// A request's input tokens are at most this: a token of the byte-pair vocabularies that the known
/// models have stands for at least one byte of text, JSON only makes text longer, the marks that a
/// template adds around each message (at most a handful of tokens) are fewer than the bytes of the
/// JSON around it, and what providers put in front for tools is below kHiddenTokens (Anthropic
/// documents 313 to 530). Where wide_input holds, the model's context is the bound instead. Not
/// covered: what a tool that the provider itself runs (web search) feeds to the model.
inline constexpr uint64_t kHiddenTokens = 1024;
uint64_t input_bound(const ModelRequest& r, size_t body_bytes, uint64_t context_tokens);

struct RequestEdits {
  std::string model;                   // empty: stays
  std::optional<uint64_t> max_output;  // clamped to this
  bool limit_is_max_tokens = false;    // of chat, where the request has no limit: the older name
};
/// The body with what has to change; the same bytes when nothing has. Chat streams are asked for
/// usage.
std::string edit_request(const ModelRequest& r, std::string_view body, const RequestEdits& edits);

/// What a whole response says about its usage; nothing where it says none. Cost is not known here.
std::optional<ModelUsage> read_usage(Endpoint endpoint, const json::Value& response);
/// What one event of a stream adds: `into` is completed, since Anthropic tells input and output in
/// different events. True: there was usage in it.
bool add_stream_usage(Endpoint endpoint, const json::Value& event, std::optional<ModelUsage>& into);
/// Bytes of text, reasoning and tool arguments that an event of a stream carries.
size_t streamed_text(Endpoint endpoint, const json::Value& event);
/// The same for a whole response.
size_t answered_text(Endpoint endpoint, const json::Value& response);
/// About four bytes a token.
constexpr uint64_t estimate_tokens(uint64_t bytes) { return (bytes + 3) / 4; }

/// Why a request is refused by us, and how each dialect says it.
enum class ApiProblem : int {
  invalid,        // 400
  unknown_path,   // 404
  method,         // 405
  unknown_model,  // 404
  too_large,      // 413
  budget,         // 402: 429 makes agents try again for ever, 403 reads as a bad login
  unpriced,       // 400
  no_key,         // 400: the machine's owner has to act, trying again does not help
  unavailable,    // 502
  timeout,        // 504
  overloaded,     // 503
};
struct ApiError {
  int status = 0;
  std::string body;  // JSON
};
ApiError api_error(Dialect dialect, ApiProblem problem, std::string_view message);

}  // namespace codexos::daemon

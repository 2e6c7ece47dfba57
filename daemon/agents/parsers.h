// SPDX-License-Identifier: Apache-2.0
// One parser for each format of output, and how they reach into JSON that may have any shape.
#pragma once

#include <memory>

#include "daemon/agents/events.h"

namespace codexos::daemon {

/// claude -p --output-format stream-json
std::unique_ptr<EventParser> make_claude_parser();
/// codex exec --json
std::unique_ptr<EventParser> make_codex_parser();
/// opencode run --format json
std::unique_ptr<EventParser> make_opencode_parser();
/// gemini --output-format stream-json
std::unique_ptr<EventParser> make_gemini_parser();

/// A member, or null when there is none or `v` is no object.
const json::Value& member(const json::Value& v, const char* name);
/// A member that is text; empty else.
std::string text_of(const json::Value& v, const char* name);
/// A member that is a number that is not negative; 0 else.
uint64_t count_of(const json::Value& v, const char* name);
bool flag_of(const json::Value& v, const char* name);

}  // namespace codexos::daemon

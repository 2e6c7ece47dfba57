// SPDX-License-Identifier: Apache-2.0
// One scripted reply in each wire format, whole or as a stream of events. Pure.
#pragma once

#include "daemon/gateway/script.h"

namespace codexos::daemon {

struct ScriptedReply {
  std::string text;
  std::vector<ScriptCall> calls;
  ScriptUsage usage;
  bool tells_usage = true;
};

/// Of chat, responses and messages. `turn` makes its ids.
ScriptedAnswer render_reply(const ModelRequest& r, uint64_t turn, const ScriptedReply& reply);
/// Of embeddings and count_tokens, which no script has: drawn from the request's bytes.
ScriptedAnswer render_counted(const ModelRequest& r);

}  // namespace codexos::daemon

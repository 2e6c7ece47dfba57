// SPDX-License-Identifier: Apache-2.0
// Messages to the SSH agent of a task (daemon/ssh/agent_session.h), on a connection that is bound
// to a session, or not. What goes on to the user's agent is the task's message as it was, asks for
// a signature by the task's key, holds the session's id, and never comes where nothing was bound.
#include "daemon/ssh/agent_session.h"

#include "core/base/ssh_wire.h"
#include "core/base/text.h"
#include "tests/fuzz/fuzz.h"

using namespace codexos;
using namespace codexos::daemon;

namespace {

const std::string kSession = "the hash of a key exchange, 32 b";
const std::string kHostKey =
    *from_base64("AAAAC3NzaC1lZDI1NTE5AAAAIB3q24fVmQTmTkhX+NrlsS37RNQNxA+uZO4Km+ol1Wqq");
const std::string kSignature = *from_base64(
    "AAAAC3NzaC1lZDI1NTE5AAAAQDHz9PSYgA+sPodhpOwiFbqJ2pAeyMlCEwMSFUYZupmHwEfqSMZkBYGu"
    "btq8L+PNnwiZUwevYW66uMOGMBQ9WQ4=");
const std::string kUserKey =
    *from_base64("AAAAC3NzaC1lZDI1NTE5AAAAIK5u5IGXWvDzYsSBRNhnnlEPIABumydGy4vDbDunm68K");

SshAccessPtr access_of_task() {
  SshAccess a;
  a.keys.push_back({kUserKey, "ada", "SHA256:x", {{"good.test", 22, {kHostKey}}}});
  return std::make_shared<const SshAccess>(std::move(a));
}

void bind(AgentSession& session) {
  std::string message(1, 27);
  for (const std::string& part :
       {std::string("session-bind@openssh.com"), kHostKey, kSession, kSignature})
    put_ssh_string(message, part);
  CODEXOS_CHECK(session.on_message(message + '\0').why.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const SshAccessPtr access = access_of_task();
  fuzz::Input in(data, size);
  const bool bound = in.ConsumeBool();
  AgentSession session(access);
  if (bound) bind(session);
  const std::string rest = in.ConsumeRemainingBytesAsString();
  SshReader frames(rest);
  while (frames.ok()) {
    const std::string_view message = frames.string();
    if (!frames.ok()) break;
    const AgentSession::Answer a = session.on_message(message);
    CODEXOS_CHECK(a.forward.empty() != a.reply.empty());
    CODEXOS_CHECK(a.why.empty() || a.reply == agent_failure());
    if (a.forward.empty()) continue;
    CODEXOS_CHECK(a.forward == agent_frame(message) && message[0] == 13);
    CODEXOS_CHECK(message.find(kUserKey) != std::string_view::npos);
    CODEXOS_CHECK(message.find(kSession) != std::string_view::npos);
  }
  return 0;
}

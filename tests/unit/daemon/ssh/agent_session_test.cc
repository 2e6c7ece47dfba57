// SPDX-License-Identifier: Apache-2.0
#include "daemon/ssh/agent_session.h"

#include <doctest/doctest.h>

#include "core/base/ssh_wire.h"
#include "tests/unit/daemon/ssh/vectors.h"

using namespace codexos;
using namespace codexos::daemon;
using namespace ssh_vectors;

namespace {
const std::string kHost = bytes(kSigned[0].key);
const std::string kHostSigned = bytes(kSigned[0].signature);
const std::string kUser = bytes(kUserKey);
/// A key for both hosts, as another user may have.
const std::string kWide = bytes(kSigned[1].key);

SshAccessPtr access() {
  SshAccess a;
  a.keys.push_back({kUser, "ada", "SHA256:u", {{"good.test", 22, {kHost}}}});
  a.keys.push_back({kWide,
                    "wide",
                    "SHA256:w",
                    {{"good.test", 22, {kHost}}, {"other.test", 2222, {bytes(kOtherKey)}}}});
  return std::make_shared<const SshAccess>(std::move(a));
}

std::string text(std::initializer_list<std::string> parts) {
  std::string out;
  for (const auto& p : parts) put_ssh_string(out, p);
  return out;
}
std::string bind(const std::string& key, const std::string& id, const std::string& signature,
                 char forwarding = 0) {
  return '\x1b' + text({"session-bind@openssh.com", key, id, signature}) + forwarding;
}
const std::string kBound = bind(kHost, kHash, kHostSigned);

struct Asked {
  std::string id = kHash, key = kUser, user = "git", service = "ssh-connection",
              method = "publickey", algorithm = "ssh-ed25519", host_key;
  char type = 50, is_signed = 1;
  std::string after;
  std::string data() const {
    std::string out =
        text({id}) + type + text({user, service, method}) + is_signed + text({algorithm, key});
    if (method != "publickey") out += text({host_key});
    return out + after;
  }
};
std::string sign(const std::string& data, const std::string& key = kUser, uint32_t flags = 0) {
  std::string out = '\x0d' + text({key, data});
  put_ssh_number(out, flags);
  return out;
}
/// After a good bind.
AgentSession::Answer asked(const Asked& what, const std::string& key = kUser, uint32_t flags = 0) {
  AgentSession s(access());
  REQUIRE(s.on_message(kBound).why == "");
  return s.on_message(sign(what.data(), key, flags));
}
void is_refused(const AgentSession::Answer& a, const std::string& why) {
  CHECK(a.reply == agent_failure());
  CHECK(a.forward == "");
  CHECK_MESSAGE(a.why.find(why) != std::string::npos, a.why);
}
const std::string kSuccess = std::string("\0\0\0\1\6", 5);
}  // namespace

TEST_CASE("the chosen keys are listed, and no others") {
  AgentSession s(access());
  const auto a = s.on_message("\x0b");
  CHECK(a.why == "");
  CHECK(a.reply ==
        agent_frame('\x0c' + std::string("\0\0\0\2", 4) + text({kUser, "ada", kWide, "wide"})));
}

TEST_CASE("what signs in to the host goes to the user's agent as it is") {
  AgentSession s(access());
  CHECK(s.on_message(kBound).reply == kSuccess);
  const std::string message = sign(Asked{}.data());
  const auto a = s.on_message(message);
  CHECK(a.why == "");
  CHECK(a.reply == "");
  CHECK(a.forward == agent_frame(message));
  CHECK(a.host == "good.test");
  CHECK(a.port == 22);
  CHECK(a.user == "git");
  CHECK(a.key == "SHA256:u");
  Asked bound;
  bound.method = "publickey-hostbound-v00@openssh.com";
  bound.host_key = kHost;
  CHECK(asked(bound).forward != "");
  Asked rsa;
  rsa.algorithm = "rsa-sha2-512";
  CHECK(asked(rsa, kUser, 4).forward != "");
}

TEST_CASE("without a bind nothing is signed") {
  AgentSession s(access());
  is_refused(s.on_message(sign(Asked{}.data())), "which session");
}

TEST_CASE("a bind that the host did not sign binds nothing") {
  struct Row {
    std::string message, why;
  };
  const Row rows[] = {
      {bind(kHost, kOtherHash, kHostSigned), "has not signed"},
      {bind(kHost, kHash, bytes(kOtherSignedHash)), "has not signed"},
      {bind(kHost, kHash, ""), "has not signed"},
      {bind(kUser, kHash, kHostSigned), "none of its keys is for"},
      {bind(bytes(kSigned[2].key), kHash, bytes(kSigned[2].signature)), "none of its keys is for"},
      {bind(kHost, kHash, kHostSigned, 1), "not forwarded"},
      {bind(kHost, "", kHostSigned), "malformed"},
      {bind(kHost, std::string(129, 'x'), kHostSigned), "malformed"},
      {kBound + "x", "malformed"},
      {kBound.substr(0, kBound.size() - 1), "malformed"},
  };
  for (const Row& row : rows) {
    AgentSession s(access());
    is_refused(s.on_message(row.message), row.why);
    is_refused(s.on_message(sign(Asked{}.data())), "which session");
  }
}

TEST_CASE("a connection is bound once") {
  AgentSession s(access());
  CHECK(s.on_message(kBound).reply == kSuccess);
  CHECK(s.on_message(kBound).reply == kSuccess);
  is_refused(s.on_message(bind(bytes(kOtherKey), kOtherHash, bytes(kOtherSigned))),
             "another session already");
  CHECK(s.on_message(sign(Asked{}.data())).forward != "");
}

TEST_CASE("a key signs for its own hosts only") {
  AgentSession s(access());
  CHECK(s.on_message(bind(bytes(kOtherKey), kOtherHash, bytes(kOtherSigned))).reply == kSuccess);
  Asked other;
  other.id = kOtherHash;
  is_refused(s.on_message(sign(other.data())), "not for");
  other.key = kWide;
  const auto a = s.on_message(sign(other.data(), kWide));
  CHECK(a.forward != "");
  CHECK(a.host == "other.test");
  CHECK(a.port == 2222);
}

TEST_CASE("nothing is signed but the sign-in of that session by that key") {
  const auto with = [](auto change) {
    Asked a;
    change(a);
    return asked(a);
  };
  is_refused(with([](Asked& a) { a.id = kOtherHash; }), "another session");
  is_refused(with([](Asked& a) { a.key = kWide; }), "does not sign in");
  is_refused(with([](Asked& a) { a.type = 51; }), "does not sign in");
  is_refused(with([](Asked& a) { a.service = "ssh-userauth"; }), "does not sign in");
  is_refused(with([](Asked& a) { a.method = "hostbased"; }), "does not sign in");
  is_refused(with([](Asked& a) { a.is_signed = 0; }), "does not sign in");
  is_refused(with([](Asked& a) { a.algorithm = "ssh-rsa"; }), "does not sign in");
  is_refused(with([](Asked& a) { a.user = std::string(257, 'a'); }), "does not sign in");
  is_refused(with([](Asked& a) { a.after = "x"; }), "does not sign in");
  for (const std::string& host_key : {bytes(kOtherKey), std::string()})
    is_refused(with([&host_key](Asked& a) {
                 a.method = "publickey-hostbound-v00@openssh.com";
                 a.host_key = host_key;
               }),
               "another host");
}

TEST_CASE("other data, other keys and other flags are refused") {
  AgentSession s(access());
  REQUIRE(s.on_message(kBound).why == "");
  // What ssh-keygen -Y sign, a git commit's signature, would send.
  is_refused(s.on_message(sign("SSHSIG" + text({"git", "", "sha512", "hash"}))),
             "does not sign in");
  is_refused(s.on_message(sign("")), "does not sign in");
  is_refused(s.on_message(sign(Asked{}.data(), bytes(kSigned[3].key))), "not given this key");
  is_refused(s.on_message(sign(Asked{}.data(), kUser, 1)), "malformed");
  is_refused(s.on_message(sign(Asked{}.data()) + "x"), "malformed");
}

TEST_CASE("no other message of an agent does anything") {
  for (int type = 0; type < 256; ++type) {
    if (type == 11 || type == 13 || type == 27) continue;
    AgentSession s(access());
    is_refused(s.on_message(std::string(1, static_cast<char>(type)) + text({kUser})), "of type");
  }
  AgentSession s(access());
  is_refused(s.on_message(""), "empty");
  is_refused(s.on_message("\x0bx"), "of type");
  CHECK(s.on_message('\x1b' + text({"query"})).reply == agent_failure());
}

TEST_CASE("whatever is cut short is refused") {
  const std::string whole = sign(Asked{}.data());
  for (size_t n = 1; n < whole.size(); ++n) {
    AgentSession s(access());
    REQUIRE(s.on_message(kBound).why == "");
    CHECK(s.on_message(whole.substr(0, n)).forward == "");
  }
}

TEST_CASE("only a signature is passed on of what the user's agent says") {
  CHECK(is_agent_signature('\x0e' + text({"signature"})));
  CHECK_FALSE(is_agent_signature('\x0e' + text({""})));
  CHECK_FALSE(is_agent_signature('\x0e' + text({"signature"}) + "x"));
  CHECK_FALSE(is_agent_signature("\x05"));
  CHECK_FALSE(is_agent_signature('\x0c' + text({"signature"})));
  CHECK_FALSE(is_agent_signature(""));
}

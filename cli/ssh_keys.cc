// SPDX-License-Identifier: Apache-2.0
#include "cli/ssh_keys.h"

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "cli/values.h"
#include "core/base/quote.h"
#include "core/base/ssh_wire.h"
#include "core/base/text.h"
#include "core/os/file.h"
#include "core/os/socket.h"

namespace codexos::cli {
namespace {

// draft-ietf-sshm-ssh-agent, section 6.1
constexpr char kRequestIdentities = 11, kIdentitiesAnswer = 12;
constexpr size_t kNumber = 4;             // bytes of one
constexpr size_t kMaxAnswer = 256 << 10;  // OpenSSH's own limit
constexpr time_t kAgentPatience_s = 10;

struct AgentKey {
  std::string text;  // type and base64
  std::string comment;
};

Result<std::string> read_exactly(int fd, size_t size) {
  std::string out;
  while (out.size() < size) {
    char buffer[4096];
    const ssize_t n = read(fd, buffer, std::min(sizeof buffer, size - out.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Error{Code::unavailable, "your SSH agent does not answer", {}};
    out.append(buffer, static_cast<size_t>(n));
  }
  return out;
}

/// Comments are anything.
std::string shown_comment(std::string_view comment) {
  const bool fine = is_utf8(comment) && std::all_of(comment.begin(), comment.end(), [](char c) {
                      return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
                    });
  return fine ? std::string(comment) : "";
}

Result<std::vector<AgentKey>> parse_keys(std::string_view answer) {
  const Error strange{Code::unavailable, "your SSH agent's answer cannot be read", {}};
  SshReader all(answer);
  if (all.byte() != kIdentitiesAnswer) return strange;
  std::vector<AgentKey> out;
  for (uint32_t count = all.number(); count > 0; --count) {
    const std::string_view blob = all.string(), comment = all.string();
    SshReader inner(blob);
    const std::string_view type = inner.string();
    if (!all.ok() || !inner.ok()) return strange;
    out.push_back({std::string(type) + " " + to_base64(blob), shown_comment(comment)});
  }
  return all.ok() ? Result<std::vector<AgentKey>>(std::move(out)) : strange;
}

Result<std::vector<AgentKey>> ask_agent(const std::string& path) {
  auto fd = connect_unix(path, SocketType::stream);
  if (!fd.ok())
    return std::move(fd).error().during("the SSH agent of SSH_AUTH_SOCK").with_hint("ssh-add -l");
  const timeval patience{kAgentPatience_s, 0};
  setsockopt(fd->get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  CODEXOS_TRY(write_all(fd->get(), std::string{0, 0, 0, 1, kRequestIdentities}));
  CODEXOS_ASSIGN(const std::string size, read_exactly(fd->get(), kNumber));
  const uint32_t length = SshReader(size).number();
  if (length > kMaxAnswer)
    return Error{Code::unavailable, "your SSH agent's answer is too long", {}};
  CODEXOS_ASSIGN(const std::string answer, read_exactly(fd->get(), length));
  return parse_keys(answer);
}

/// The first two words: type and base64.
std::string key_text(std::string_view line) {
  const size_t type = line.find(' ');
  if (type == std::string_view::npos) return {};
  return std::string(line.substr(0, line.find_first_of(" \r\n", type + 1)));
}

/// What a file says, or the one beside a private key; empty: there is none.
std::string key_of_file(const std::string& path) {
  auto text = read_file(path);
  if (text.ok() && text->starts_with("-----BEGIN")) text = read_file(path + ".pub");
  return text.ok() ? key_text(*text) : "";
}

Result<AgentKey> find_key(const std::string& wanted, const std::string& path,
                          const std::vector<AgentKey>& keys) {
  const std::string text = key_of_file(path);
  std::vector<AgentKey> found;
  for (const AgentKey& key : keys)
    if (text.empty() ? key.comment == wanted : key.text == text) found.push_back(key);
  if (found.size() == 1) return found.front();
  if (!text.empty())
    return Error{Code::invalid, "your SSH agent does not have the key of " + path,
                 "ssh-add " + quote_word(path)};
  std::vector<std::string> comments;
  for (const AgentKey& key : keys) comments.push_back(quote_word(key.comment));
  return Error{Code::invalid,
               found.empty() ? "there is no file of this name, and no key of your SSH agent has "
                               "this comment"
                             : "several keys of your SSH agent have this comment: name a file",
               keys.empty() ? "it has no keys: ssh-add" : "it has: " + join_words(comments, ", ")};
}

}  // namespace

Status fill_ssh_keys(const Invocation& inv, const Variables& env, wire::TaskCreate& c) {
  const auto& given = inv.values("ssh-key");
  if (given.empty()) return {};
  const auto variable = [&env](const char* name) {
    const auto at = env.find(name);
    return at == env.end() ? std::string() : at->second;
  };
  if (variable("SSH_AUTH_SOCK").empty())
    return Error{Code::invalid, "--ssh-key: there is no SSH agent: SSH_AUTH_SOCK is not set",
                 "eval $(ssh-agent) && ssh-add"};
  c.ssh_agent = absolute_path(variable("SSH_AUTH_SOCK"), c.cwd, variable("HOME"));
  CODEXOS_ASSIGN(const auto keys, ask_agent(c.ssh_agent));
  for (const std::string& text : given) {
    const size_t equals = text.rfind('=');
    if (equals == text.npos || equals == 0 || equals + 1 == text.size())
      return Error{Code::invalid,
                   fmt::format("--ssh-key {}: KEY=HOST is expected", quote_word(text)),
                   "--ssh-key ~/.ssh/id_ed25519.pub=github.com"};
    const std::string wanted = text.substr(0, equals);
    auto key = find_key(wanted, absolute_path(wanted, c.cwd, variable("HOME")), keys);
    if (!key.ok()) return std::move(key).error().during("--ssh-key " + quote_word(wanted));
    c.ssh_keys.push_back(
        {key->text + (key->comment.empty() ? "" : " " + key->comment), text.substr(equals + 1)});
  }
  return {};
}

}  // namespace codexos::cli

// SPDX-License-Identifier: Apache-2.0
// Secrets and their vault. Values come in bodies and leave in one answer only; they are in no URL,
// no log line and no event. What they passed through is overwritten: the heap by wiped_memory.cc,
// our own copies here, and the stack below us.
#include "daemon/api/api.h"
#include "daemon/tasks/vault.h"

namespace codexos::daemon {
namespace {

std::string secret_of(const Call& call) { return std::string(call.param(0)); }

/// Decoders leave short texts, and the ends of long ones, in frames that are not used any more.
[[gnu::noinline]] void wipe_stack_below() {
  char below[48 << 10];
  explicit_bzero(below, sizeof below);
}

Result<wire::Secret> put(ApiParts& parts, const Call& call) {
  CODEXOS_ASSIGN(auto body, decode_body<wire::SecretPut>(call));
  auto out = parts.vault.set(secret_of(call), body);
  wipe(body.value);
  return out;
}
void put_secret(ApiParts& parts, const CallPtr& call) {
  const auto out = put(parts, *call);
  wipe_stack_below();
  answer(*call, out);
}

Result<wire::Secret> rotate(ApiParts& parts, const Call& call) {
  CODEXOS_ASSIGN(auto body, decode_body<wire::SecretValue>(call));
  auto out = parts.vault.rotate(secret_of(call), body.value);
  wipe(body.value);
  return out;
}
void rotate_secret(ApiParts& parts, const CallPtr& call) {
  const auto out = rotate(parts, *call);
  wipe_stack_below();
  answer(*call, out);
}

Result<wire::SecretValue> revealed(ApiParts& parts, const Call& call) {
  CODEXOS_ASSIGN(const OpenSecret secret, parts.vault.reveal(secret_of(call)));
  return wire::SecretValue{std::string(secret.value.view())};
}
void reveal_secret(ApiParts& parts, const CallPtr& call) {
  auto out = revealed(parts, *call);
  answer(*call, out);
  if (out.ok()) wipe(out->value);
  wipe_stack_below();
}

void remove_secret(ApiParts& parts, const CallPtr& call) {
  answer(*call, parts.vault.remove(secret_of(*call)));
}

void list_secrets(ApiParts& parts, const CallPtr& call) {
  call->reply_with(200, wire::SecretList{parts.vault.list()});
}

void show_vault(ApiParts& parts, const CallPtr& call) {
  call->reply_with(200, parts.vault.describe());
}

/// How the vault is now, or why it could not be done.
void answer_vault(ApiParts& parts, Call& call, const Status& s) {
  if (s.ok())
    call.reply_with(200, parts.vault.describe());
  else
    call.fail(s.error());
}

void lock_vault(ApiParts& parts, const CallPtr& call) {
  answer_vault(parts, *call, parts.vault.lock());
}
void rekey_vault(ApiParts& parts, const CallPtr& call) {
  answer_vault(parts, *call, parts.vault.rekey());
}
void accept_vault(ApiParts& parts, const CallPtr& call) {
  answer_vault(parts, *call, parts.vault.accept());
}

void unlock_vault(ApiParts& parts, const CallPtr& call) {
  auto body = decode_body<wire::VaultUnlock>(*call);
  if (!body.ok()) return call->fail(body.error());
  parts.vault.unlock(std::move(body->passphrase), [&parts, call](const Status& s) {
    if (!call->gone()) answer_vault(parts, *call, s);
  });
  wipe(body->passphrase);  // short text is copied
  wipe_stack_below();
}

void protect_vault(ApiParts& parts, const CallPtr& call) {
  auto body = decode_body<wire::VaultProtect>(*call);
  if (!body.ok()) return call->fail(body.error());
  parts.vault.protect(*std::move(body), [&parts, call](const Status& s) {
    if (!call->gone()) answer_vault(parts, *call, s);
  });
  wipe(body->passphrase);
  wipe_stack_below();
}

}  // namespace

ApiRoutes secret_routes() {
  const BodyType secret = json_of<wire::Secret>("Secret");
  const BodyType vault = json_of<wire::Vault>("Vault");
  return {
      {"GET", "/v1/secrets", "Secrets, without their values", kNone,
       json_of<wire::SecretList>("SecretList"), list_secrets},
      {"PUT", "/v1/secrets/{name}", "Store a secret, or a new value and use of one",
       json_of<wire::SecretPut>("SecretPut"), secret, put_secret},
      {"POST", "/v1/secrets/{name}/rotate", "A new value; what it may be used for stays",
       json_of<wire::SecretValue>("SecretValue"), secret, rotate_secret},
      {"POST", "/v1/secrets/{name}/reveal", "The value itself", kNone,
       json_of<wire::SecretValue>("SecretValue"), reveal_secret},
      {"DELETE", "/v1/secrets/{name}", "Forget a secret", kNone, secret, remove_secret},
      {"GET", "/v1/vault", "How the secrets are kept", kNone, vault, show_vault},
      {"POST", "/v1/vault/unlock", "Open the vault with its passphrase",
       json_of<wire::VaultUnlock>("VaultUnlock"), vault, unlock_vault},
      {"POST", "/v1/vault/lock", "Forget the keys until the passphrase comes again", kNone, vault,
       lock_vault},
      {"POST", "/v1/vault/protect", "What wraps the master key from now on",
       json_of<wire::VaultProtect>("VaultProtect"), vault, protect_vault},
      {"POST", "/v1/vault/rekey", "A new master key", kNone, vault, rekey_vault},
      {"POST", "/v1/vault/accept", "Accept the stored secrets as they are, after a restore", kNone,
       vault, accept_vault},
  };
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// Secrets and the vault they lie in. A value goes in with SecretPut and SecretRotate, and comes out
// with SecretValue alone, which only POST /v1/secrets/{name}/reveal answers with.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/fields.h"

namespace codexos::wire {

/// What a secret may be used for. It is sealed with the value: a changed row does not open.
struct SecretBinding {
  std::vector<std::string> hosts;  // rules as of --allow; only TLS
  std::string header = "authorization";
  std::vector<std::string> methods;
  std::string path_prefix;
  std::string env;  // the variable that holds the placeholder
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("hosts", s.hosts, "hosts that get it, HOST[:PORT]; none: it is never put into a request");
    v("header", s.header, "the one header that it may stand in, lower case");
    v("methods", s.methods, "HTTP methods that get it; none named: all");
    v("path_prefix", s.path_prefix, "what the path of a request must begin with");
    v("env", s.env, "the variable of a task that holds its placeholder");
  }
};

struct Secret {
  std::string name;
  uint64_t version = 0;
  SecretBinding binding;
  std::string created_at;
  std::string changed_at;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("name", s.name, "its name");
    v("version", s.version, "grows with each new value");
    v("binding", s.binding, "what it may be used for");
    v("created_at", s.created_at, "RFC 3339");
    v("changed_at", s.changed_at, "RFC 3339");
  }
};

/// How a task gets a secret.
enum class SecretForm : int { placeholder, file, value };
constexpr auto enum_names(SecretForm) {
  return std::array{EnumName{SecretForm::placeholder, "placeholder"},
                    EnumName{SecretForm::file, "file"}, EnumName{SecretForm::value, "value"}};
}

struct SecretUse {
  std::string name;
  SecretForm form = SecretForm::placeholder;
  std::string target;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("name", s.name, "name of the secret");
    v("form", s.form,
      "what the task gets: a placeholder that the egress knows, a file, or the "
      "value itself in a variable");
    v("target", s.target, "the variable, or the path of the file inside; empty: the secret's own");
  }
};

struct SecretList {
  std::vector<Secret> secrets;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("secrets", s.secrets, "by name; never with their values");
  }
};

struct SecretPut {  // PUT /v1/secrets/{name}
  std::string value;
  SecretBinding binding;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("value", s.value, "the value, 8 bytes to 64 KiB");
    v("binding", s.binding, "what it may be used for");
  }
};

struct SecretValue {  // POST /v1/secrets/{name}/rotate and the answer of .../reveal
  std::string value;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("value", s.value, "the value");
  }
};

/// What wraps the master key.
enum class KeySource : int { file, passphrase, credential };
constexpr auto enum_names(KeySource) {
  return std::array{EnumName{KeySource::file, "file"},
                    EnumName{KeySource::passphrase, "passphrase"},
                    EnumName{KeySource::credential, "credential"}};
}

enum class VaultState : int { empty, open, locked, broken };
constexpr auto enum_names(VaultState) {
  return std::array{EnumName{VaultState::empty, "empty"}, EnumName{VaultState::open, "open"},
                    EnumName{VaultState::locked, "locked"}, EnumName{VaultState::broken, "broken"}};
}

struct Vault {  // GET /v1/vault
  VaultState state = VaultState::empty;
  KeySource source = KeySource::file;
  std::string key_id;
  std::string key_created_at;
  uint64_t secrets = 0;
  std::string detail;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("state", s.state, "empty: nothing was ever stored");
    v("source", s.source, "what wraps the master key");
    v("key_id", s.key_id, "the master key's id, hexadecimal");
    v("key_created_at", s.key_created_at, "RFC 3339");
    v("secrets", s.secrets, "how many there are");
    v("detail", s.detail, "why it is broken");
  }
};

struct VaultUnlock {  // POST /v1/vault/unlock
  std::string passphrase;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("passphrase", s.passphrase, "the passphrase");
  }
};

struct VaultProtect {  // POST /v1/vault/protect
  KeySource source = KeySource::file;
  std::string passphrase;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("source", s.source, "what is to wrap the master key from now on");
    v("passphrase", s.passphrase, "the new passphrase, where source says so");
  }
};

}  // namespace codexos::wire

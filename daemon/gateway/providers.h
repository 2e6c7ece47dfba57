// SPDX-License-Identifier: Apache-2.0
// Which server answers for which model: $XDG_CONFIG_HOME/codexos/providers.yaml (or ~/.config), and
// behind what it names the providers that everybody knows, openai and anthropic, which work as soon
// as their keys OPENAI_API_KEY and ANTHROPIC_API_KEY are in the vault.
//
//   providers:
//     - name: local
//       wires: [openai]                       # openai, anthropic; or scripted (script.h)
//       base_url: http://127.0.0.1:8080/v1    # of openai with /v1, of anthropic without
//       models: [llama-3, "qwen*"]
//       aliases: {fast: llama-3}
//       prices: [{model: "*", input: 0}]      # USD for a million tokens
//       max_concurrent: 4
//     - name: work
//       wires: [anthropic]
//       base_url: https://gateway.example.org
//       key: WORK_KEY                         # name of a secret
//       models: ["claude-*"]
//       fallback: [local]                     # see below
//   downgrade: {claude-opus-4-5: claude-haiku-4-5}
//
// The first provider that lists a model and speaks the caller's wire serves it; "PROVIDER/MODEL"
// names one. Nothing is translated between wires.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/fields.h"
#include "daemon/gateway/prices.h"
#include "daemon/gateway/script.h"
#include "daemon/gateway/wires.h"

namespace codexos::daemon {

enum class Wire : int { openai, anthropic, scripted };
constexpr auto enum_names(Wire) {
  return std::array{EnumName{Wire::openai, "openai"}, EnumName{Wire::anthropic, "anthropic"},
                    EnumName{Wire::scripted, "scripted"}};
}
enum class Unpriced : int { deny, allow };
constexpr auto enum_names(Unpriced) {
  return std::array{EnumName{Unpriced::deny, "deny"}, EnumName{Unpriced::allow, "allow"}};
}
/// The name of the limit that a chat request without one is given.
enum class OutputLimit : int { max_completion_tokens, max_tokens };
constexpr auto enum_names(OutputLimit) {
  return std::array{EnumName{OutputLimit::max_completion_tokens, "max_completion_tokens"},
                    EnumName{OutputLimit::max_tokens, "max_tokens"}};
}

struct Provider {
  std::string name;
  std::vector<Wire> wires;
  std::string base_url;
  std::string key;                             // name of a secret; empty: none is needed
  std::vector<std::string> models;             // names and globs (fnmatch(3))
  std::map<std::string, std::string> aliases;  // what tasks say -> what the provider is asked for
  std::vector<ModelPrice> prices;              // its own, go first; `model` may be a glob
  uint64_t max_concurrent = 64;
  uint64_t requests_per_minute = 0;  // 0: no limit
  uint64_t retries = 2;
  uint64_t timeout_ms = 600'000;      // without a byte
  std::vector<std::string> fallback;  // providers, or PROVIDER/MODEL, or models, tried in order
  Unpriced unpriced = Unpriced::deny;
  bool private_network = false;  // its name may lead into this machine or the network around it
  std::string ca_file;
  OutputLimit output_limit = OutputLimit::max_tokens;
  Script script;  // of a scripted one

  bool speaks(Dialect d) const;
  bool is_scripted() const;
};

struct Providers {
  std::vector<Provider> all;
  std::map<std::string, std::string> downgrade;
  std::vector<ModelPrice> prices;  // the user's, then ours
  std::vector<std::string> files;  // that it was made from, or would have been
};

/// `read`: a script's file, by its path; errors name it. Error invalid begins with file:line.
using ReadText = std::function<Result<std::string>(const std::string& path)>;
Result<Providers> read_providers(std::string_view text, const std::string& file,
                                 const ReadText& read);
/// `folder`: that of providers.yaml and prices.yaml, neither of which has to exist.
Result<Providers> load_providers(const std::string& folder);
/// Without either: what everybody knows.
Result<Providers> built_in_providers();
/// Where that is: `config_home` (XDG_CONFIG_HOME) or ~/.config, and codexos in it.
std::string providers_folder(const std::string& config_home, const std::string& home);

struct ModelTarget {
  const Provider* provider = nullptr;
  std::string model;
};
/// Who serves it. Error not_found: nobody, or only in another wire; the message says which.
Result<ModelTarget> find_target(const Providers& all, Dialect dialect, std::string_view model);
/// What follows when that one fails. What names nothing, or another wire, is left out.
std::vector<ModelTarget> fallbacks_of(const Providers& all, Dialect dialect, const ModelTarget& t);
/// Null: not known.
const ModelPrice* price_of(const Providers& all, const ModelTarget& t);

/// The list of models as a response of that dialect; `only`: that one. Error not_found.
Result<std::string> models_document(const Providers& all, Dialect dialect, std::string_view only);

}  // namespace codexos::daemon

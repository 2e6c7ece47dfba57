// SPDX-License-Identifier: Apache-2.0
#include "daemon/gateway/providers.h"

#include <fnmatch.h>

#include <algorithm>
#include <set>

#include "core/base/text.h"
#include "core/base/units.h"
#include "core/os/file.h"
#include "core/policy/yaml.h"

namespace codexos::daemon {
namespace {

constexpr std::string_view kOpenAiHost = "https://api.openai.com/";
/// What everybody knows, in the words of the file.
constexpr const char* kBuiltIn = R"(
providers:
  - name: openai
    wires: [openai]
    base_url: https://api.openai.com/v1
    key: OPENAI_API_KEY
    models: ["gpt-*", "o1*", "o3*", "o4*", "codex-*", "chatgpt-*", "text-embedding-*"]
  - name: anthropic
    wires: [anthropic]
    base_url: https://api.anthropic.com
    key: ANTHROPIC_API_KEY
    models: ["claude-*"]
)";

struct ProviderWritten {
  std::string name;
  std::vector<Wire> wires;
  std::string base_url, key;
  std::vector<std::string> models;
  std::map<std::string, std::string> aliases;
  std::vector<PriceRowWritten> prices;
  uint64_t max_concurrent = 64, requests_per_minute = 0, retries = 2;
  Scalar timeout{"10m"};
  std::vector<std::string> fallback;
  Unpriced unpriced = Unpriced::deny;
  bool private_network = false;
  std::string ca_file;
  std::optional<OutputLimit> output_limit;
  std::string script;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("name", s.name, "name of the provider");
    v("wires", s.wires, "openai, anthropic, or scripted alone");
    v("base_url", s.base_url, "where it is");
    v("key", s.key, "name of the secret that is its key");
    v("models", s.models, "models that it serves: names and globs");
    v("aliases", s.aliases, "other names for models");
    v("prices", s.prices, "its own prices");
    v("max_concurrent", s.max_concurrent, "requests at the same time");
    v("requests_per_minute", s.requests_per_minute, "0: no limit");
    v("retries", s.retries, "how often a request is tried again");
    v("timeout", s.timeout, "how long it may send nothing");
    v("fallback", s.fallback, "who is asked when it fails");
    v("unpriced", s.unpriced, "deny or allow models without a price");
    v("private", s.private_network, "its name may lead into a private network");
    v("ca_file", s.ca_file, "certificates that are trusted instead of the machine's");
    v("output_limit", s.output_limit, "name of the limit in chat requests");
    v("script", s.script, "file of the script, beside this one or absolute");
  }
};
struct FileWritten {
  std::vector<ProviderWritten> providers;
  std::map<std::string, std::string> downgrade;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("providers", s.providers, "in the order in which they are asked");
    v("downgrade", s.downgrade, "model -> cheaper model, when a soft cap is passed");
  }
};

bool is_provider_name(const std::string& s) {
  return !s.empty() && s.size() <= 64 && s[0] != '-' &&
         s.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") == std::string::npos;
}

bool is_glob(std::string_view s) { return s.find_first_of("*?[") != s.npos; }
bool globs(const std::string& pattern, const std::string& text) {
  return fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}
bool begins(std::string_view s, std::string_view head) { return s.substr(0, head.size()) == head; }

class Maker {
 public:
  Maker(const yaml::Document& d, const std::string& file, const ReadText& read)
      : d_(d),
        folder_(file.substr(0, file.rfind('/') == file.npos ? 0 : file.rfind('/') + 1)),
        read_(read) {}

  Result<Provider> make(const ProviderWritten& w, const std::string& path) const {
    const auto wrong = [&](const char* field, const std::string& what) {
      return d_.error(path + "." + field, std::string("field \"") + field + "\" " + what);
    };
    Provider p;
    if (!is_provider_name(w.name)) return wrong("name", "must be a name of a-z, 0-9, -, _ and .");
    p.name = w.name;
    p.wires = w.wires;
    if (p.wires.empty()) return wrong("wires", "is missing: openai, anthropic or scripted");
    if (p.is_scripted() && p.wires.size() > 1) return wrong("wires", "must be scripted alone");
    p.models = w.models;
    p.aliases = w.aliases;
    if (p.models.empty()) return wrong("models", "is missing: names or globs, \"*\" for all");
    p.max_concurrent = w.max_concurrent;
    if (p.max_concurrent == 0) return wrong("max_concurrent", "must be at least 1");
    p.requests_per_minute = w.requests_per_minute;
    p.retries = std::min<uint64_t>(w.retries, 10);
    p.fallback = w.fallback;
    p.unpriced = w.unpriced;
    p.private_network = w.private_network;
    p.ca_file = w.ca_file;
    auto timeout = parse_duration(w.timeout);
    if (!timeout.ok() || *timeout == 0) return wrong("timeout", "must be a time, as in 10m");
    p.timeout_ms = *timeout;
    CODEXOS_TRY(make_place(w, path, p));
    return make_prices(w, path, std::move(p));
  }

 private:
  Status make_place(const ProviderWritten& w, const std::string& path, Provider& p) const {
    if (p.is_scripted()) {
      if (w.script.empty()) return d_.error(path, "field \"script\" is missing");
      const std::string file = w.script[0] == '/' ? w.script : folder_ + w.script;
      auto text = read_(file);
      if (!text.ok()) return d_.error(path + ".script", text.error().message);
      CODEXOS_ASSIGN(p.script, read_script(*text, file));
      return {};
    }
    p.base_url = w.base_url;
    while (!p.base_url.empty() && p.base_url.back() == '/') p.base_url.pop_back();
    if (!begins(p.base_url, "https://") && !begins(p.base_url, "http://"))
      return d_.error(path + ".base_url", "field \"base_url\" must begin with https:// or http://");
    if (p.base_url.find_first_of("@?#") != std::string::npos)
      return d_.error(path + ".base_url",
                      "field \"base_url\" must hold neither credentials nor a query",
                      "key: NAME OF A SECRET");
    p.key = w.key;
    const bool openai = begins(p.base_url + "/", kOpenAiHost);
    p.output_limit = w.output_limit.value_or(openai ? OutputLimit::max_completion_tokens
                                                    : OutputLimit::max_tokens);
    return {};
  }

  Result<Provider> make_prices(const ProviderWritten& w, const std::string& path,
                               Provider p) const {
    for (size_t i = 0; i < w.prices.size(); ++i) {
      auto price = make_price(w.prices[i]);
      if (!price.ok())
        return d_.error(path + ".prices[" + std::to_string(i) + "]", price.error().message,
                        price.error().hint);
      price->provider = p.name;
      p.prices.push_back(*std::move(price));
    }
    if (p.is_scripted()) {  // it costs nothing unless its prices say so
      ModelPrice free;
      free.provider = p.name;
      free.model = "*";
      free.context = 1'000'000;
      p.prices.push_back(free);
    }
    return p;
  }

  const yaml::Document& d_;
  std::string folder_;
  const ReadText& read_;
};

const Provider* find_provider(const Providers& all, std::string_view name) {
  for (const auto& p : all.all)
    if (p.name == name) return &p;
  return nullptr;
}

/// What the provider is asked for when a task says `model`; nothing: it does not list it.
std::optional<std::string> listed(const Provider& p, const std::string& model) {
  if (const auto alias = p.aliases.find(model); alias != p.aliases.end()) return alias->second;
  for (const auto& pattern : p.models)
    if (globs(pattern, model)) return model;
  return std::nullopt;
}

std::string wires_text(const Provider& p) {
  std::string out;
  for (const Wire w : p.wires) out.append(out.empty() ? "" : " and ").append(name_of(w));
  return out;
}

/// PROVIDER/MODEL, where there is such a provider.
std::optional<std::pair<const Provider*, std::string>> split_target(const Providers& all,
                                                                    std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == text.npos) return std::nullopt;
  const Provider* p = find_provider(all, text.substr(0, slash));
  if (p == nullptr) return std::nullopt;
  return std::pair(p, std::string(text.substr(slash + 1)));
}

}  // namespace

bool Provider::is_scripted() const {
  return std::find(wires.begin(), wires.end(), Wire::scripted) != wires.end();
}

bool Provider::speaks(Dialect d) const {
  const Wire wanted = d == Dialect::openai ? Wire::openai : Wire::anthropic;
  return is_scripted() || std::find(wires.begin(), wires.end(), wanted) != wires.end();
}

Result<Providers> read_providers(std::string_view text, const std::string& file,
                                 const ReadText& read) {
  CODEXOS_ASSIGN(const yaml::Document d, yaml::parse(text, file));
  CODEXOS_ASSIGN(const FileWritten w, yaml::decode<FileWritten>(d));
  Providers out;
  const Maker maker(d, file, read);
  for (size_t i = 0; i < w.providers.size(); ++i) {
    const std::string path = "providers[" + std::to_string(i) + "]";
    CODEXOS_ASSIGN(Provider p, maker.make(w.providers[i], path));
    if (find_provider(out, p.name) != nullptr)
      return d.error(path, "provider \"" + p.name + "\" is given twice");
    out.all.push_back(std::move(p));
  }
  out.downgrade = w.downgrade;
  return out;
}

Result<Providers> built_in_providers() {
  return read_providers(kBuiltIn, "providers.yaml (built in)", nullptr);
}

Result<Providers> load_providers(const std::string& folder) {
  std::vector<std::string> files;
  const ReadText read = [&files](const std::string& path) {
    files.push_back(path);
    return read_file(path);
  };
  const auto text_of = [&](const std::string& file) -> Result<std::string> {
    auto text = read(file);
    if (!text.ok() && text.error().code == Code::not_found) return std::string();
    return text;
  };
  const std::string file = folder + "/providers.yaml", prices_file = folder + "/prices.yaml";
  CODEXOS_ASSIGN(const std::string text, text_of(file));
  CODEXOS_ASSIGN(Providers out, read_providers(text, file, read));
  CODEXOS_ASSIGN(Providers ours, built_in_providers());
  for (auto& p : ours.all)
    if (find_provider(out, p.name) == nullptr) out.all.push_back(std::move(p));
  CODEXOS_ASSIGN(const std::string prices_text, text_of(prices_file));
  CODEXOS_ASSIGN(PriceTable users, read_prices(prices_text, prices_file));
  CODEXOS_ASSIGN(PriceTable table, read_prices(built_in_prices(), "prices.yaml (built in)"));
  out.prices = std::move(users.rows);
  out.prices.insert(out.prices.end(), table.rows.begin(), table.rows.end());
  out.files = std::move(files);
  return out;
}

std::string providers_folder(const std::string& config_home, const std::string& home) {
  const bool given = !config_home.empty() && config_home[0] == '/';
  return (given ? config_home : home + "/.config") + "/codexos";
}

Result<ModelTarget> find_target(const Providers& all, Dialect dialect, std::string_view model) {
  const std::string wanted(model);
  if (const auto named = split_target(all, model)) {
    if (!named->first->speaks(dialect))
      return Error{Code::not_found,
                   "provider " + named->first->name + " speaks " + wires_text(*named->first) +
                       ", and this is a request of " + std::string(name_of(dialect)),
                   "nothing is translated between the two"};
    return ModelTarget{named->first, listed(*named->first, named->second).value_or(named->second)};
  }
  const Provider* other = nullptr;
  for (const auto& p : all.all) {
    auto at = listed(p, wanted);
    if (!at) continue;
    if (p.speaks(dialect)) return ModelTarget{&p, *std::move(at)};
    if (other == nullptr) other = &p;
  }
  if (other != nullptr)
    return Error{Code::not_found,
                 "model " + wanted + " is served by " + other->name + ", which speaks " +
                     wires_text(*other) + ", and this is a request of " +
                     std::string(name_of(dialect)),
                 "nothing is translated between the two"};
  return Error{Code::not_found, "no provider serves a model \"" + wanted + "\"",
               "name it in providers.yaml"};
}

std::vector<ModelTarget> fallbacks_of(const Providers& all, Dialect dialect, const ModelTarget& t) {
  std::vector<ModelTarget> out;
  for (const auto& name : t.provider->fallback) {
    ModelTarget next;
    if (const Provider* p = find_provider(all, name)) {
      next = {p, listed(*p, t.model).value_or(t.model)};
    } else if (auto found = find_target(all, dialect, name); found.ok()) {
      next = *std::move(found);
    }
    if (next.provider != nullptr && next.provider->speaks(dialect)) out.push_back(std::move(next));
  }
  return out;
}

const ModelPrice* price_of(const Providers& all, const ModelTarget& t) {
  for (const auto& row : t.provider->prices)
    if (globs(row.model, t.model)) return &row;
  return find_price(all.prices, t.provider->name, t.model);
}

Result<std::string> models_document(const Providers& all, Dialect dialect, std::string_view only) {
  std::set<std::string> seen;
  json::Value data = json::Value::array();
  const auto add = [&](const std::string& name, const std::string& owner) {
    if (!only.empty() && only != name) return;
    if (!seen.insert(name).second) return;
    json::Value m;
    m["id"] = name;
    if (dialect == Dialect::anthropic) {
      m["type"] = "model";
      m["display_name"] = name;
      m["created_at"] = "1970-01-01T00:00:00Z";
    } else {
      m["object"] = "model";
      m["created"] = 0;
      m["owned_by"] = owner;
    }
    data.push_back(std::move(m));
  };
  for (const auto& p : all.all) {
    if (!p.speaks(dialect)) continue;
    for (const auto& [alias, model] : p.aliases) add(alias, p.name);
    for (const auto& model : p.models)
      if (!is_glob(model)) add(model, p.name);
    for (const auto& row : all.prices)
      if (row.provider == p.name) add(row.model, p.name);
    // A glob says that there are more than anybody can list.
    if (!only.empty() && listed(p, std::string(only))) add(std::string(only), p.name);
  }
  if (!only.empty()) {
    if (data.empty())
      return Error{Code::not_found, "no provider serves a model \"" + std::string(only) + "\"", {}};
    return json::dump(data[0]);
  }
  json::Value out;
  if (dialect == Dialect::openai) out["object"] = "list";
  out["data"] = data;
  if (dialect == Dialect::anthropic) {
    out["has_more"] = false;
    out["first_id"] = data.empty() ? json::Value() : data.front()["id"];
    out["last_id"] = data.empty() ? json::Value() : data.back()["id"];
  }
  return json::dump(out);
}

}  // namespace codexos::daemon

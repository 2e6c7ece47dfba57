// SPDX-License-Identifier: Apache-2.0
#include "daemon/gateway/providers.h"

#include <doctest/doctest.h>

#include <fstream>

#include "tests/unit/temp_dir.h"

using namespace codexos;
using namespace codexos::daemon;

namespace {
Result<std::string> no_file(const std::string& path) {
  return Error{Code::not_found, "open " + path + ": No such file or directory", {}};
}
Result<Providers> providers_of(std::string_view text) {
  return read_providers(text, "providers.yaml", no_file);
}
std::string providers_error(std::string_view text) {
  const auto p = providers_of(text);
  return p.ok() ? "" : p.error().message;
}
constexpr char kTwo[] = R"(
providers:
  - name: local
    wires: [openai]
    base_url: http://127.0.0.1:1/v1/
    models: [llama-3, "qwen*", "claude-*"]
    aliases: {fast: llama-3}
    prices: [{model: "*", input: 0.5}]
    fallback: [second, second/other, none, ant]
  - name: second
    wires: [openai, anthropic]
    base_url: https://second.test
    key: K
    models: ["*"]
  - {name: ant, wires: [anthropic], base_url: "https://ant.test", models: ["x*"]}
)";
}  // namespace

TEST_CASE("the first provider that lists a model and speaks the wire serves it") {
  const auto p = providers_of(kTwo);
  REQUIRE_MESSAGE(p.ok(), (p.ok() ? "" : p.error().message));
  const auto target = [&](Dialect d, const char* model) {
    const auto t = find_target(*p, d, model);
    return t.ok() ? t->provider->name + " " + t->model : t.error().message;
  };
  CHECK(target(Dialect::openai, "fast") == "local llama-3");
  CHECK(target(Dialect::openai, "qwen-2") == "local qwen-2");
  CHECK(target(Dialect::openai, "gpt") == "second gpt");
  CHECK(target(Dialect::anthropic, "claude-x") == "second claude-x");
  CHECK(target(Dialect::openai, "second/llama-3") == "second llama-3");
  CHECK(target(Dialect::anthropic, "local/m").find("speaks openai") != std::string::npos);
  CHECK(p->all[0].base_url == "http://127.0.0.1:1/v1");
  const auto t = find_target(*p, Dialect::openai, "fast");
  const auto next = fallbacks_of(*p, Dialect::openai, *t);
  REQUIRE(next.size() == 3);  // "none" is a model that second serves; ant speaks another wire
  CHECK(next[0].model == "llama-3");
  CHECK(next[1].model == "other");
  CHECK(next[2].model == "none");
  CHECK(price_of(*p, *t)->prices.input == 500000);
  CHECK(price_of(*p, next[0]) == nullptr);
}

TEST_CASE("a model in another wire only is refused in words") {
  const auto p = providers_of(
      "providers: [{name: a, wires: [anthropic], base_url: 'https://a', models: [m]}]");
  REQUIRE(p.ok());
  const auto t = find_target(*p, Dialect::openai, "m");
  REQUIRE_FALSE(t.ok());
  CHECK(t.error().message ==
        "model m is served by a, which speaks anthropic, and this is a "
        "request of openai");
  CHECK(find_target(*p, Dialect::openai, "q").error().code == Code::not_found);
}

TEST_CASE("what is wrong in providers.yaml is told with its line") {
  CHECK(providers_error("providers:\n  - name: a\n    wires: [openai]\n    modles: [x]\n")
            .find("providers.yaml:4: unknown field") == 0);
  CHECK(providers_error("providers:\n  - name: a\n    wires: [openai]\n    models: [x]\n"
                        "    base_url: ftp://x\n")
            .find("providers.yaml:5: field \"base_url\"") == 0);
  CHECK(providers_error("providers: [{name: a, wires: [openai], models: [x], "
                        "base_url: 'https://u:p@h'}]")
            .find("credentials") != std::string::npos);
  CHECK(providers_error("providers: [{name: s, wires: [scripted], models: [x], script: s.yaml}]")
            .find("open s.yaml") != std::string::npos);
  CHECK(providers_error("providers: [{name: a, wires: [openai], base_url: 'https://h'}]")
            .find("\"models\" is missing") != std::string::npos);
  CHECK(providers_error(std::string(kTwo) + "  - {name: ant, wires: [openai], base_url: "
                                            "'https://x', models: [y]}\n")
            .find("given twice") != std::string::npos);
}

TEST_CASE("without a file there are the providers that everybody knows") {
  TempDir dir;
  const auto p = load_providers(dir.path);
  REQUIRE_MESSAGE(p.ok(), (p.ok() ? "" : p.error().message));
  const auto gpt = find_target(*p, Dialect::openai, "gpt-4o-mini");
  REQUIRE(gpt.ok());
  CHECK(gpt->provider->key == "OPENAI_API_KEY");
  CHECK(gpt->provider->output_limit == OutputLimit::max_completion_tokens);
  CHECK(price_of(*p, *gpt)->prices.output == 600000);
  // A user's price goes first.
  std::ofstream(dir.path + "/prices.yaml")
      << "models: [{provider: openai, model: gpt-4o-mini, input: 1}]\n";
  const auto again = load_providers(dir.path);
  REQUIRE(again.ok());
  CHECK(price_of(*again, *find_target(*again, Dialect::openai, "gpt-4o-mini"))->prices.input ==
        1000000);
}

TEST_CASE("the list of models in both dialects") {
  const auto p = providers_of(kTwo);
  REQUIRE(p.ok());
  CHECK(*models_document(*p, Dialect::openai, "llama-3") ==
        R"({"id":"llama-3","object":"model","created":0,"owned_by":"local"})");
  const auto list = json::parse(*models_document(*p, Dialect::openai, ""));
  CHECK((*list)["object"] == "list");
  CHECK((*list)["data"].size() == 2);  // fast, llama-3: globs name none
  const auto other = json::parse(*models_document(*p, Dialect::anthropic, ""));
  CHECK((*other)["has_more"] == false);
}

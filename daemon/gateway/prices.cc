// SPDX-License-Identifier: Apache-2.0
#include "daemon/gateway/prices.h"

#include <algorithm>
#include <charconv>

#include "core/policy/yaml.h"

namespace codexos::daemon {
namespace {

constexpr uint64_t kMicro = 1'000'000;
constexpr uint64_t kMaxUsd = 1000;
constexpr uint64_t kMaxTokens = 1'000'000'000;  // of one exchange: beyond, they are counted so
constexpr size_t kDecimals = 6;

struct TableWritten {
  std::string as_of, source;
  std::vector<PriceRowWritten> models;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("as_of", s.as_of, "when it was read");
    v("source", s.source, "where");
    v("models", s.models, "one row a model");
  }
};

bool all_digits(std::string_view s) {
  return !s.empty() && s.find_first_not_of("0123456789") == s.npos;
}

/// What follows a model's name when a version of it is meant.
bool is_version(std::string_view tail) {
  if (tail == "-latest") return true;
  if (tail.size() == 9) return tail[0] == '-' && all_digits(tail.substr(1));
  return tail.size() == 11 && tail[0] == '-' && tail[5] == '-' && tail[8] == '-' &&
         all_digits(tail.substr(1, 4)) && all_digits(tail.substr(6, 2)) &&
         all_digits(tail.substr(9));
}

Result<uint64_t> usd_field(const char* name, const std::string& text, uint64_t otherwise) {
  if (text.empty()) return otherwise;
  auto x = parse_usd(text);
  if (!x.ok()) return std::move(x).error().during(std::string("field \"") + name + "\"");
  return x;
}

Result<TokenPrices> make_prices(const PricesWritten& w) {
  TokenPrices p;
  if (w.input.empty()) return Error{Code::invalid, "field \"input\" is missing", {}};
  CODEXOS_ASSIGN(p.input, usd_field("input", w.input, 0));
  CODEXOS_ASSIGN(p.cached_input, usd_field("cached_input", w.cached_input, p.input));
  CODEXOS_ASSIGN(p.cache_write, usd_field("cache_write", w.cache_write, p.input));
  CODEXOS_ASSIGN(p.cache_write_long,
                 usd_field("cache_write_long", w.cache_write_long, p.cache_write));
  CODEXOS_ASSIGN(p.output, usd_field("output", w.output, 0));
  return p;
}

/// At most 10^9 tokens of at most 10^9 each: five such sums stay below 2^63.
uint64_t micros(uint64_t tokens, uint64_t price) { return std::min(tokens, kMaxTokens) * price; }
uint64_t rounded_up(uint64_t millionths) { return (millionths + kMicro - 1) / kMicro; }

uint64_t dearest_input(const TokenPrices& p) {
  return std::max({p.input, p.cached_input, p.cache_write, p.cache_write_long});
}

}  // namespace

Result<uint64_t> parse_usd(std::string_view text) {
  const Error bad{Code::invalid, "\"" + std::string(text) + "\" is no amount of USD",
                  "as in 2.50: at most 1000, with at most six decimals"};
  const size_t dot = text.find('.');
  const std::string_view whole = text.substr(0, dot);
  std::string decimals(dot == text.npos ? std::string_view("0") : text.substr(dot + 1));
  if (!all_digits(whole) || whole.size() > 4 || !all_digits(decimals) ||
      decimals.size() > kDecimals)
    return bad;
  decimals.resize(kDecimals, '0');
  uint64_t usd = 0, rest = 0;
  std::from_chars(whole.data(), whole.data() + whole.size(), usd);
  std::from_chars(decimals.data(), decimals.data() + decimals.size(), rest);
  const uint64_t all = usd * kMicro + rest;
  if (all > kMaxUsd * kMicro) return bad;
  return all;
}

Result<ModelPrice> make_price(const PriceRowWritten& w) {
  ModelPrice p;
  if (w.model.empty()) return Error{Code::invalid, "field \"model\" is missing", {}};
  p.provider = w.provider;
  p.model = w.model;
  p.context = w.context;
  p.max_output = w.max_output;
  CODEXOS_ASSIGN(p.prices, make_prices(w));
  if (!w.above) return p;
  if (w.above->input_tokens == 0)
    return Error{Code::invalid, "field \"above.input_tokens\" is missing", {}};
  p.above_input = w.above->input_tokens;
  auto above = make_prices(*w.above);
  if (!above.ok()) return std::move(above).error().during("above");
  p.above = *above;
  return p;
}

Result<PriceTable> read_prices(std::string_view text, const std::string& file) {
  CODEXOS_ASSIGN(const yaml::Document d, yaml::parse(text, file));
  CODEXOS_ASSIGN(const TableWritten w, yaml::decode<TableWritten>(d));
  PriceTable t{w.as_of, w.source, {}};
  for (size_t i = 0; i < w.models.size(); ++i) {
    const std::string path = "models[" + std::to_string(i) + "]";
    if (w.models[i].provider.empty()) return d.error(path, "field \"provider\" is missing");
    auto p = make_price(w.models[i]);
    if (!p.ok()) return d.error(path, p.error().message, p.error().hint);
    t.rows.push_back(*std::move(p));
  }
  return t;
}

const ModelPrice* find_price(const std::vector<ModelPrice>& rows, std::string_view provider,
                             std::string_view model) {
  const ModelPrice* version = nullptr;
  for (const auto& row : rows) {
    if (row.provider != provider) continue;
    if (row.model == model) return &row;
    if (version == nullptr && model.substr(0, row.model.size()) == row.model &&
        is_version(model.substr(row.model.size())))
      version = &row;
  }
  return version;
}

uint64_t cost_of(const ModelPrice& p, const ModelUsage& u) {
  const TokenPrices& t = p.of(u.input);
  const uint64_t cached = std::min(u.cached_input, u.input);
  const uint64_t written = std::min(u.cache_write, u.input - cached);
  const uint64_t written_long = std::min(u.cache_write_long, written);
  return rounded_up(micros(u.input - cached - written, t.input) + micros(cached, t.cached_input) +
                    micros(written - written_long, t.cache_write) +
                    micros(written_long, t.cache_write_long) + micros(u.output, t.output));
}

uint64_t cost_bound(const ModelPrice& p, uint64_t input, uint64_t output) {
  const auto with = [&](const TokenPrices& t) {
    return rounded_up(micros(input, dearest_input(t)) + micros(output, t.output));
  };
  // Fewer tokens than the bound can fall into the lower tier, which need not be the cheaper one.
  return p.above_input != 0 && input > p.above_input ? std::max(with(p.prices), with(p.above))
                                                     : with(p.prices);
}

}  // namespace codexos::daemon

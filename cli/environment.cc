// SPDX-License-Identifier: Apache-2.0
#include "cli/environment.h"

#include <fmt/core.h>
#include <fnmatch.h>
#include <unistd.h>

#include "cli/values.h"
#include "core/base/text.h"
#include "core/os/file.h"

namespace codexos::cli {
namespace {

constexpr size_t kMaxEnvFile = 4 << 20;

Status set(const std::string& name, const std::string& value, Variables& out) {
  if (name.empty() || name.find('=') != std::string::npos)
    return Error{Code::invalid, fmt::format("{} is not a variable's name", quote_word(name)), {}};
  if (!is_utf8(name))  // a value may be any bytes, names are keys of JSON objects
    return Error{
        Code::invalid, fmt::format("the variable's name {} is not UTF-8", quote_word(name)), {}};
  out[name] = value;
  return {};
}

std::string_view strip(std::string_view s) {
  constexpr std::string_view kBlank = " \t\r";
  const size_t begin = s.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return s.substr(begin, s.find_last_not_of(kBlank) - begin + 1);
}

}  // namespace

Variables read_environment() {
  Variables out;
  for (char** e = environ; e != nullptr && *e != nullptr; ++e) {
    const std::string_view line = *e;
    const size_t eq = line.find('=');
    if (eq == std::string_view::npos || eq == 0) continue;
    out.emplace(line.substr(0, eq), line.substr(eq + 1));
  }
  return out;
}

Variables caller_variables(const Variables& all) {
  Variables out;
  for (const std::string_view name : kPassed) {
    const auto it = all.find(std::string(name));
    if (it != all.end()) out.insert(*it);
  }
  for (auto it = all.lower_bound("LC_"); it != all.end() && it->first.starts_with("LC_"); ++it)
    if (is_utf8(it->first)) out.insert(*it);
  return out;
}

Status add_env_option(const std::string& option, const Variables& all, Variables& out) {
  if (const size_t eq = option.find('='); eq != std::string::npos)
    return set(option.substr(0, eq), option.substr(eq + 1), out);
  if (option.find_first_of("*?[") != std::string::npos) {
    for (const auto& [name, value] : all)
      if (fnmatch(option.c_str(), name.c_str(), 0) == 0) CODEXOS_TRY(set(name, value, out));
    return {};
  }
  const auto it = all.find(option);
  return it == all.end() ? Status{} : set(option, it->second, out);
}

Status add_env_file(std::string_view text, const Variables& all, Variables& out) {
  size_t number = 0;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (strip(line).empty() || strip(line).starts_with('#')) continue;
    const size_t eq = line.find('=');
    std::string option(strip(line.substr(0, eq)));
    if (eq != std::string_view::npos) option += line.substr(eq);
    if (auto r = add_env_option(option, all, out); !r.ok())
      return std::move(r).error().during(fmt::format("line {}", number));
  }
  return {};
}

Result<Variables> task_variables(const std::vector<std::string>& files,
                                 const std::vector<std::string>& options, const Variables& all) {
  Variables out;
  for (const std::string& f : files) {
    auto text = read_file(f, kMaxEnvFile);
    if (!text.ok()) return std::move(text).error().during("read --env-file");
    if (auto r = add_env_file(*text, all, out); !r.ok())
      return std::move(r).error().during("--env-file " + f);
  }
  for (const std::string& o : options) {
    if (auto r = add_env_option(o, all, out); !r.ok()) return std::move(r).error().during("-e");
  }
  return out;
}

}  // namespace codexos::cli

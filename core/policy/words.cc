// SPDX-License-Identifier: Apache-2.0
#include "core/policy/words.h"

#include <algorithm>
#include <string_view>

#include "core/base/path.h"

namespace codexos::policy {
namespace {

constexpr size_t kMaxWords = 256;
constexpr std::string_view kBetweenWords = " \t\n\"'`;|&<>()=,";

std::string path_of(const std::string& word, const std::string& home, const std::string& cwd) {
  constexpr std::string_view kHome = "$HOME/";
  if (word.size() < 2) return {};
  if (word[0] == '/') return normal_path(word);
  if (word.substr(0, 2) == "~/") return normal_path(join_path(home, word.substr(2)));
  if (word.substr(0, kHome.size()) == kHome)
    return normal_path(join_path(home, word.substr(kHome.size())));
  if (word.find('/') == std::string::npos || word[0] == '-' || word[0] == '$' || cwd.empty())
    return {};
  return normal_path(join_path(cwd, word));
}

}  // namespace

std::vector<std::string> paths_named(const std::vector<std::string>& argv, const std::string& home,
                                     const std::string& cwd) {
  std::vector<std::string> out;
  size_t words = 0;
  for (const auto& arg : argv) {
    std::string_view rest = arg;
    while (!rest.empty() && words < kMaxWords) {
      const size_t end = std::min(rest.find_first_of(kBetweenWords), rest.size());
      const std::string path = path_of(std::string(rest.substr(0, end)), home, cwd);
      if (end > 0) ++words;
      if (!path.empty() && std::find(out.begin(), out.end(), path) == out.end())
        out.push_back(path);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return out;
}

}  // namespace codexos::policy

// SPDX-License-Identifier: Apache-2.0
#include "daemon/agents/find.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <deque>

#include "core/base/path.h"

namespace codexos::daemon {
namespace {

constexpr size_t kMaxLooked = 20000;  // entries of a workspace
constexpr size_t kMaxHidden = 64;     // each is a mount

bool is_program(const std::string& path, const Host& host) {
  PathFact fact;
  return host.lookup(path, fact) && !fact.is_dir && (fact.mode & 0111) != 0;
}

/// "v22.9.0" before "v22.10.0": runs of digits count as numbers.
bool version_less(const std::string& a, const std::string& b) {
  size_t i = 0, j = 0;
  const auto digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      const auto run = [&](const std::string& s, size_t& at) {
        const size_t begin = std::min(s.find_first_not_of('0', at), s.size());
        at = begin;
        while (at < s.size() && digit(s[at])) ++at;
        return s.substr(begin, at - begin);
      };
      const std::string x = run(a, i), y = run(b, j);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
    } else if (a[i] != b[j]) {
      return a[i] < b[j];
    } else {
      ++i;
      ++j;
    }
  }
  return a.size() - i < b.size() - j;
}

/// One '*' stands for a whole component; the newest version comes first.
void expand(const std::string& pattern, const Host& host, std::vector<std::string>& out) {
  const size_t star = pattern.find("/*");
  if (star == std::string::npos) {
    out.push_back(pattern);
    return;
  }
  const std::string rest = pattern.substr(star + 2);
  auto names = host.list(pattern.substr(0, star));
  std::sort(names.begin(), names.end(), version_less);
  for (auto name = names.rbegin(); name != names.rend(); ++name)
    expand(pattern.substr(0, star) + "/" + *name + rest, host, out);
}

/// `prefix=` of ~/.npmrc: where `npm install -g` puts programs (npmrc(5)).
std::string npm_prefix(const Caller& c, const Host& host) {
  std::string text;
  if (!host.read(c.home + "/.npmrc", text)) return {};
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    at = end + 1;
    line.erase(
        std::remove_if(line.begin(), line.end(),
                       [](char x) { return x == ' ' || x == '\t' || x == '\r' || x == '"'; }),
        line.end());
    if (line.rfind("prefix=", 0) != 0) continue;
    std::string prefix = line.substr(7);
    for (const std::string_view home : {"~", "${HOME}"})
      if (prefix.rfind(home, 0) == 0) prefix = c.home + prefix.substr(home.size());
    return prefix.empty() || prefix[0] != '/' ? "" : normal_path(prefix);
  }
  return {};
}

constexpr std::array<std::string_view, 12> kNotLookedInto = {
    ".git",  "node_modules", ".venv",  "venv",    "target", "dist",
    "build", "vendor",       ".cache", ".gradle", ".tox",   "__pycache__"};
constexpr std::array<std::string_view, 6> kHarmless = {"example", "sample",   "template",
                                                       "dist",    "defaults", "schema"};

bool is_env_file(const std::string& name) {
  if (name == ".env") return true;
  if (name.rfind(".env.", 0) != 0) return false;
  const std::string tail = name.substr(name.rfind('.') + 1);
  return std::find(kHarmless.begin(), kHarmless.end(), tail) == kHarmless.end();
}

}  // namespace

std::vector<std::string> places_of(const Preset& p, const Caller& c, const Host& host) {
  std::vector<std::string> out;
  for (const auto& place : p.places)
    expand(place.rfind("~/", 0) == 0 ? c.home + place.substr(1) : place, host, out);
  if (const std::string prefix = npm_prefix(c, host); !prefix.empty())
    out.push_back(prefix + "/bin");
  return out;
}

FoundProgram find_program(const Preset& p, const Caller& c, const Host& host) {
  if (p.program[0] == '/')
    return is_program(p.program, host) ? FoundProgram{p.program, {}} : FoundProgram{};
  const auto path = c.env.find("PATH");
  std::string_view rest = path == c.env.end() ? std::string_view() : path->second;
  while (!rest.empty()) {
    const size_t colon = rest.find(':');
    const std::string dir(rest.substr(0, colon));
    rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
    if (!dir.empty() && dir[0] == '/' && is_program(join_path(dir, p.program), host))
      return {join_path(dir, p.program), {}};
  }
  for (const auto& dir : places_of(p, c, host))
    if (is_program(join_path(dir, p.program), host)) return {join_path(dir, p.program), dir};
  return {};
}

bool in_git_index(std::string_view index, const std::string& path) {
  const std::string name = path + '\0';
  for (size_t at = index.find(name); at != std::string_view::npos; at = index.find(name, at + 1)) {
    if (at < 2) continue;
    const auto byte = [&](size_t i) { return static_cast<unsigned char>(index[i]); };
    const size_t length = ((byte(at - 2) << 8) | byte(at - 1)) & 0xfff;
    if (length == std::min<size_t>(path.size(), 0xfff)) return true;
  }
  return false;
}

EnvFiles find_env_files(const std::string& workspace, const Host& host) {
  EnvFiles out;
  size_t left = kMaxLooked;
  std::deque<std::string> folders{workspace};  // what is near the top first
  while (!folders.empty()) {
    const std::string dir = std::move(folders.front());
    folders.pop_front();
    const auto entries = host.entries(dir, left);
    left -= std::min(left, entries.size());
    for (const auto& e : entries) {
      const std::string path = join_path(dir, e.name);
      if (e.is_dir) {
        if (std::find(kNotLookedInto.begin(), kNotLookedInto.end(), e.name) == kNotLookedInto.end())
          folders.push_back(path);
      } else if (is_env_file(e.name)) {
        PathFact fact;
        std::string text;
        // A link is not covered, but what it points to inside is found by its own name.
        if (!host.read_link(path, text) && host.lookup(path, fact) && !fact.is_dir)
          out.paths.push_back(path);
      }
    }
    if (left == 0 || out.paths.size() >= kMaxHidden) {
      out.complete = false;
      break;
    }
  }
  std::sort(out.paths.begin(), out.paths.end());
  return out;
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// The few settings that are taken over from the user's configuration: who commits (git), and where
// packages come from (npm, pip). Readers of just those keys: no includes, aliases, helpers,
// variables; never a token.
#include <algorithm>

#include "core/base/path.h"
#include "core/base/text.h"
#include "daemon/sandbox/view_parts.h"

namespace codexos::daemon {
namespace {

std::string_view trimmed(std::string_view s) {
  const size_t from = s.find_first_not_of(" \t\r");
  if (from == std::string_view::npos) return {};
  return s.substr(from, s.find_last_not_of(" \t\r") - from + 1);
}

// A value of git-config(1): quotes, escapes, comments. False: not a complete one on this line.
bool git_value(std::string_view text, std::string& out) {
  out.clear();
  bool quoted = false;
  size_t keep = 0;  // blanks after the last of these bytes are dropped
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      quoted = !quoted;
      keep = out.size();
      continue;
    }
    if (!quoted && (c == '#' || c == ';')) break;
    if (c == '\\') {
      constexpr std::string_view kEscapes = "nt\"\\", kMeaning = "\n\t\"\\";
      const size_t at = ++i < text.size() ? kEscapes.find(text[i]) : std::string_view::npos;
      if (at == std::string_view::npos) return false;
      out += kMeaning[at];
      keep = out.size();
      continue;
    }
    out += c;
    if (c != ' ' && c != '\t') keep = out.size();
  }
  if (quoted) return false;
  out.resize(keep);
  return true;
}

std::string git_quoted(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

struct GitKey {
  std::string_view section, key;
};
constexpr GitKey kGitKeys[] = {{"user", "name"}, {"user", "email"}, {"init", "defaultbranch"}};

using Values = std::map<std::string, std::string>;  // "user.name" -> value

void read_git(std::string_view text, Values& out) {
  std::string section;
  each_part(text, '\n', [&](std::string_view raw) {
    std::string_view line = trimmed(raw);
    if (!line.empty() && line[0] == '[') {
      const size_t end = line.find(']');
      // [user "work"] is another section: the name with its subsection never equals a plain one.
      section = end == std::string_view::npos ? "" : to_lower(trimmed(line.substr(1, end - 1)));
      line = end == std::string_view::npos ? "" : trimmed(line.substr(end + 1));
    }
    const size_t eq = line.find('=');
    if (eq == std::string_view::npos || line[0] == '#' || line[0] == ';') return;
    const std::string key = to_lower(trimmed(line.substr(0, eq)));
    std::string value;
    for (const auto& row : kGitKeys)
      if (section == row.section && key == row.key &&
          git_value(trimmed(line.substr(eq + 1)), value) && !value.empty() &&
          value.find('\n') == std::string::npos)
        out[section + "." + key] = value;
  });
}

/// `https://user:token@host/x` without what is before '@'; empty: no URL of a registry, or one that
/// is made of variables.
std::string clean_url(std::string_view url) {
  const size_t scheme = url.find("://");
  const std::string_view kind = url.substr(0, scheme);
  if (scheme == std::string_view::npos || (kind != "https" && kind != "http")) return {};
  if (url.find_first_of(" \t\"'$?#\\") != std::string_view::npos) return {};
  std::string_view rest = url.substr(scheme + 3);
  const size_t slash = std::min(rest.find('/'), rest.size());
  const size_t at = rest.substr(0, slash).rfind('@');
  if (at != std::string_view::npos) rest.remove_prefix(at + 1);
  return rest.empty() || rest[0] == '/' ? "" : std::string(kind) + "://" + std::string(rest);
}

/// A certificate file that the view shows.
std::string shown_file(std::string_view path) {
  const std::string normal = normal_path(path);
  const bool shown = path_within(normal, "/etc/ssl/certs") ||
                     path_within(normal, "/etc/pki/tls/certs") || path_within(normal, "/usr");
  return !path.empty() && path[0] == '/' && shown ? normal : "";
}

/// A key that is taken over; '*' stands for anything.
struct SettingRow {
  std::string_view key;
  std::string (*clean)(std::string_view);
};
constexpr SettingRow kNpm[] = {
    {"registry", clean_url}, {"@*:registry", clean_url}, {"cafile", shown_file}};
constexpr SettingRow kPip[] = {
    {"index-url", clean_url}, {"extra-index-url", clean_url}, {"cert", shown_file}};

bool key_fits(std::string_view pattern, std::string_view key) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == key;
  const std::string_view tail = pattern.substr(star + 1);
  return key.size() > star + tail.size() && key.substr(0, star) == pattern.substr(0, star) &&
         key.substr(key.size() - tail.size()) == tail;
}

template <size_t N>
void read_settings(std::string_view text, std::string_view wanted_section,
                   const SettingRow (&rows)[N], Values& out) {
  std::string section;
  each_part(text, '\n', [&](std::string_view raw) {
    const std::string_view line = trimmed(raw);
    if (line.empty() || line[0] == '#' || line[0] == ';') return;
    if (line[0] == '[') {
      section = to_lower(trimmed(line.substr(1, line.find(']') - 1)));
      return;
    }
    const size_t eq = line.find('=');
    if (eq == std::string_view::npos || section != wanted_section) return;
    std::string key = to_lower(trimmed(line.substr(0, eq)));
    std::replace(key.begin(), key.end(), '_', '-');
    std::string_view value = trimmed(line.substr(eq + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    for (const auto& row : rows)
      if (key_fits(row.key, key))
        if (std::string clean = row.clean(value); !clean.empty()) out[key] = std::move(clean);
  });
}

std::string read(const Host& host, const std::string& path) {
  std::string text;
  return host.read(path, text) ? text : std::string();
}

}  // namespace

std::string git_identity(const Caller& c, const Host& host) {
  Values v;  // later files win, as in git
  read_git(read(host, "/etc/gitconfig"), v);
  read_git(read(host, c.home + "/.config/git/config"), v);
  read_git(read(host, c.home + "/.gitconfig"), v);
  std::string out;
  if (v.count("user.name") + v.count("user.email") > 0) out += "[user]\n";
  if (v.count("user.name") != 0) out += "\tname = " + git_quoted(v["user.name"]) + "\n";
  if (v.count("user.email") != 0) out += "\temail = " + git_quoted(v["user.email"]) + "\n";
  if (v.count("init.defaultbranch") != 0)
    out += "[init]\n\tdefaultBranch = " + git_quoted(v["init.defaultbranch"]) + "\n";
  return out;
}

std::vector<HomeFile> registries(const Caller& c, const Host& host) {
  Values npm, pip;
  for (const auto& path : {std::string("/etc/npmrc"), c.home + "/.npmrc"})
    read_settings(read(host, path), "", kNpm, npm);
  for (const auto& path :
       {std::string("/etc/pip.conf"), c.home + "/.pip/pip.conf", c.home + "/.config/pip/pip.conf"})
    read_settings(read(host, path), "global", kPip, pip);
  std::vector<HomeFile> out;
  const auto add = [&out](const char* path, std::string text, const Values& values) {
    for (const auto& [key, value] : values) text += key + " = " + value + "\n";
    if (!values.empty()) out.push_back({path, std::move(text)});
  };
  add(".npmrc", "", npm);
  add(".config/pip/pip.conf", "[global]\n", pip);
  return out;
}

}  // namespace codexos::daemon

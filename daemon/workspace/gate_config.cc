// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/gate_config.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "core/base/fd.h"
#include "core/os/file.h"
#include "daemon/workspace/libgit2.h"

namespace codexos::daemon {
namespace {

// ---- what is harmless

bool any_value(std::string_view) { return true; }

bool is_bool(std::string_view v) {
  for (const char* word : {"", "true", "false", "yes", "no", "on", "off", "1", "0", "always"})
    if (v == word) return true;
  return false;
}

bool is_zero_or_one(std::string_view v) { return v == "0" || v == "1"; }

/// A plain URL, an scp-like address or a path; never a transport's own program (ext::sh -c ...) nor
/// something that a program would take for an option.
bool is_plain_remote(std::string_view v) {
  if (v.find("::") < v.find('/') || v.empty()) return false;
  const size_t scheme = v.find("://");
  std::string_view host = v;
  if (scheme != std::string_view::npos) {
    const std::string_view name = v.substr(0, scheme);
    const auto known = {"http", "https", "ssh", "git", "file", "git+ssh", "ssh+git"};
    if (std::find(known.begin(), known.end(), name) == known.end()) return false;
    host = v.substr(scheme + 3);
  }
  const std::string_view authority = host.substr(0, host.find('/'));
  const size_t at = authority.rfind('@');
  const auto server = at == std::string_view::npos ? authority : authority.substr(at + 1);
  const auto option = [](std::string_view s) { return !s.empty() && s[0] == '-'; };
  return !option(v) && !option(authority) && !option(server) &&
         std::none_of(v.begin(), v.end(), [](char c) { return c >= 0 && c < ' '; });
}

bool is_one_line(std::string_view v) {
  return std::none_of(v.begin(), v.end(), [](char c) { return c >= 0 && c < ' '; });
}

struct HarmlessRow {
  std::string_view section, name;
  bool subsection;
  bool (*value)(std::string_view);
};
constexpr HarmlessRow kHarmless[] = {
    // what git init and git clone write
    {"core", "repositoryformatversion", false, is_zero_or_one},
    {"core", "filemode", false, is_bool},
    {"core", "bare", false, is_bool},
    {"core", "logallrefupdates", false, is_bool},
    {"core", "ignorecase", false, is_bool},
    {"core", "precomposeunicode", false, is_bool},
    {"core", "symlinks", false, is_bool},
    {"remote", "url", true, is_plain_remote},
    {"remote", "fetch", true, is_one_line},
    {"remote", "tagopt", true, is_one_line},
    {"branch", "remote", true, is_plain_remote},
    {"branch", "merge", true, is_one_line},
    {"branch", "rebase", true, is_one_line},
    {"user", "name", false, any_value},
    {"user", "email", false, any_value},
};

/// The row of a key, or null.
const HarmlessRow* find_harmless(std::string_view key) {
  const size_t first = key.find('.');
  const size_t last = key.rfind('.');
  if (first == std::string_view::npos) return nullptr;
  for (const auto& row : kHarmless)
    if (key.substr(0, first) == row.section && key.substr(last + 1) == row.name &&
        (first != last) == row.subsection)
      return &row;
  return nullptr;
}

// ---- what is read at all

bool blank(char c) { return c == ' ' || c == '\t'; }
bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool word(char c) { return letter(c) || (c >= '0' && c <= '9') || c == '-'; }

std::string_view skip(std::string_view s, bool (*what)(char)) {
  size_t n = 0;
  while (n < s.size() && what(s[n])) ++n;
  return s.substr(n);
}

/// A quoted text and what follows it; false: it does not end in this line.
bool skip_quoted(std::string_view& s) {
  for (size_t i = 1; i < s.size(); ++i) {
    if (s[i] == '\\') {
      ++i;
    } else if (s[i] == '"') {
      s.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

bool is_rest_empty(std::string_view s) {
  s = skip(s, blank);
  return s.empty() || s[0] == '#' || s[0] == ';';
}

/// `[section]` or `[section "sub"]`, alone in its line.
bool is_plain_header(std::string_view s) {
  s.remove_prefix(1);
  const auto name = s.substr(0, s.size() - skip(s, word).size());
  s.remove_prefix(name.size());
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (name.empty() || lower.substr(0, 7) == "include") return false;
  if (!s.empty() && blank(s[0])) {
    s = skip(s, blank);
    if (s.empty() || s[0] != '"' || !skip_quoted(s)) return false;
  }
  return !s.empty() && s[0] == ']' && is_rest_empty(s.substr(1));
}

/// `name` or `name = value`, all in one line.
bool is_plain_variable(std::string_view s) {
  if (!letter(s[0])) return false;
  s = skip(skip(s, word), blank);
  if (s.empty()) return true;
  if (s[0] != '=') return false;
  s.remove_prefix(1);
  while (!s.empty()) {
    if (s[0] == '#' || s[0] == ';') return true;
    if (s[0] == '"') {
      if (!skip_quoted(s)) return false;
    } else if (s[0] == '\\') {
      if (s.size() < 2) return false;  // goes on in the next line
      s.remove_prefix(2);
    } else {
      s.remove_prefix(1);
    }
  }
  return true;
}

/// Line by line what git itself writes: one header or one variable a line, nothing that goes on in
/// the next, no include. Readers differ about the rest, and an include would be followed.
bool is_plain(std::string_view text) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    const auto odd = [](char c) { return c >= 0 && c < ' ' && c != '\t'; };
    if (std::any_of(line.begin(), line.end(), odd)) return false;
    if (!line.empty() && line.back() == '\\') return false;
    line = skip(line, blank);
    if (is_rest_empty(line)) continue;
    if (line[0] == '[' ? !is_plain_header(line) : !is_plain_variable(line)) return false;
  }
  return true;
}

// ---- libgit2

Error git_failure() { return Error{Code::invalid, "git config: " + libgit2_error(), {}}; }

/// libgit2 reads files only: one that nobody else can name.
Result<Fd> text_file(std::string_view text) {
  Fd fd(memfd_create("git-config", MFD_CLOEXEC));
  if (!fd) return errno_error("memfd_create", errno);
  CODEXOS_TRY(write_all(fd.get(), text));
  return fd;
}

}  // namespace

Result<std::vector<ConfigEntry>> parse_git_config(std::string_view text) {
  if (!is_plain(text))
    return Error{Code::denied, "a git config that includes others or is oddly written", {}};
  CODEXOS_ASSIGN(const Fd fd, text_file(text));
  use_libgit2();
  GitPtr<git_config, git_config_free> config;
  GitPtr<git_config_iterator, git_config_iterator_free> iterator;
  const std::string path = "/proc/self/fd/" + std::to_string(fd.get());
  if (git_config_open_ondisk(config.out(), path.c_str()) != 0 ||
      git_config_iterator_new(iterator.out(), config.get()) != 0)
    return git_failure();
  std::vector<ConfigEntry> out;
  git_config_entry* entry = nullptr;
  int more = 0;
  while ((more = git_config_next(&entry, iterator.get())) == 0)
    out.push_back(ConfigEntry{entry->name, entry->value != nullptr ? entry->value : ""});
  if (more != GIT_ITEROVER) return git_failure();
  return out;
}

Result<std::vector<std::string>> risky_keys(std::string_view before, std::string_view after) {
  std::vector<std::string> out;
  if (before == after) return out;
  CODEXOS_ASSIGN(const auto was, parse_git_config(before));
  CODEXOS_ASSIGN(const auto now, parse_git_config(after));
  struct Values {
    std::vector<std::string_view> was, now;  // a key's, in their order, which counts too
  };
  std::map<std::string_view, Values> keys;
  for (const auto& e : was) keys[e.key].was.push_back(e.value);
  for (const auto& e : now) keys[e.key].now.push_back(e.value);
  for (const auto& [key, values] : keys) {
    if (values.was == values.now) continue;
    const HarmlessRow* row = find_harmless(key);
    if (row == nullptr || !std::all_of(values.now.begin(), values.now.end(), row->value))
      out.emplace_back(key);
  }
  return out;
}

}  // namespace codexos::daemon

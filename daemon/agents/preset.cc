// SPDX-License-Identifier: Apache-2.0
#include "daemon/agents/preset.h"

#include <dirent.h>

#include <algorithm>
#include <array>
#include <memory>
#include <set>

#include "core/base/path.h"
#include "core/base/text.h"
#include "core/os/file.h"
#include "core/policy/net_rules.h"
#include "core/policy/yaml.h"

namespace codexos::daemon {
namespace {

constexpr std::array<std::string_view, 5> kParsers = {"", "claude", "codex", "opencode", "gemini"};
constexpr std::array<std::string_view, 6> kBlanks = {"program", "prompt", "session",
                                                     "home",    "login",  "extra"};
constexpr std::string_view kSuffix = ".yaml";

bool is_name(const std::string& s) {
  return !s.empty() && s.size() <= 64 && s[0] != '-' &&
         s.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") == std::string::npos;
}

/// Below HOME, without a way out of it.
bool is_below_home(const std::string& path) {
  return !path.empty() && path[0] != '/' && path[0] != '~' &&
         normal_path("/" + path) == "/" + path && path.find('\0') == std::string::npos;
}

/// "{word}" at `at`, if it is one of ours; else empty.
std::string_view blank_at(std::string_view text, size_t at) {
  for (const auto name : kBlanks)
    if (text.substr(at + 1, name.size()) == name && text.substr(at + 1 + name.size(), 1) == "}")
      return name;
  return {};
}

class Check {
 public:
  Check(const yaml::Document& d, const Preset& p) : d_(d), p_(p) {}

  Status run() {
    CODEXOS_TRY(names());
    CODEXOS_TRY(command("job", p_.job, true));
    CODEXOS_TRY(command("resume", p_.resume, false));
    CODEXOS_TRY(command("interactive", p_.interactive, false));
    CODEXOS_TRY(command("version", p_.version, false));
    CODEXOS_TRY(paths());
    for (const auto& [name, use] : p_.held) {
      if (std::find(p_.keys.begin(), p_.keys.end(), name) == p_.keys.end())
        return wrong("held", "names " + name + ", which is none of keys");
      if (use.hosts.empty()) return wrong("held." + name, "needs hosts");
      CODEXOS_TRY(check_hosts("held." + name, use.hosts));
    }
    CODEXOS_TRY(login());
    return tokens();
  }

 private:
  Error wrong(const std::string& field, const std::string& what, std::string hint = {}) const {
    return d_.error(field, "field \"" + field + "\" " + what, std::move(hint));
  }

  Status names() const {
    if (!is_name(p_.name)) return wrong("name", "must be a name of a-z, 0-9, - and _");
    if (p_.program.empty()) return wrong("program", "must name a program");
    if (p_.program.find('/') != std::string::npos && p_.program[0] != '/')
      return wrong("program", "must be a name, or an absolute path");
    if (std::find(kParsers.begin(), kParsers.end(), p_.events) == kParsers.end())
      return wrong("events", "must be claude, codex, opencode, gemini or left out");
    for (const auto& [code, text] : p_.exits)
      if (code.empty() || code.size() > 3 || code.find_first_not_of("0123456789") != code.npos)
        return wrong("exits", "must have exit codes, in quotes, as keys");
    for (const auto& [name, value] : p_.env)
      if (name.empty() || name.find('=') != std::string::npos)
        return wrong("env", "holds something that is no variable");
    return {};
  }

  Status command(const char* field, const std::vector<std::string>& words, bool needed) const {
    if (words.empty()) return needed ? Status(wrong(field, "is missing")) : Status();
    if (words[0].find("{program}") == std::string::npos)
      return wrong(std::string(field) + "[0]", "must be \"{program}\"");
    for (size_t i = 0; i < words.size(); ++i)
      for (size_t at = words[i].find('{'); at != std::string::npos;
           at = words[i].find('{', at + 1)) {
        const size_t end = words[i].find('}', at);
        const std::string_view word =
            end == std::string::npos ? "" : std::string_view(words[i]).substr(at + 1, end - at - 1);
        const bool letters =
            !word.empty() && word.find_first_not_of("abcdefghijklmnopqrstuvwxyz") == word.npos;
        if (letters && blank_at(words[i], at).empty())
          return wrong(std::string(field) + "[" + std::to_string(i) + "]",
                       "holds {" + std::string(word) + "}, which stands for nothing");
      }
    return {};
  }

  Status paths() const {
    for (size_t i = 0; i < p_.folders.size(); ++i)
      if (!is_below_home(p_.folders[i]))
        return wrong("folders[" + std::to_string(i) + "]", "must be a path below HOME");
    for (const auto& a : p_.folders)
      for (const auto& b : p_.folders)
        if (&a != &b && path_within("/" + a, "/" + b))
          return wrong("folders", "must not lie in each other: " + a);
    for (const auto& [path, text] : p_.seed)
      if (!is_below_home(path) || !in_folders(path))
        return wrong("seed", "must name files right in one of the folders");
    for (size_t i = 0; i < p_.places.size(); ++i)
      if (p_.places[i].empty() || (p_.places[i][0] != '/' && p_.places[i].rfind("~/", 0) != 0))
        return wrong("places[" + std::to_string(i) + "]", "must begin with / or ~/");
    return {};
  }

  Status login() const {
    if (!p_.login) return {};
    const PresetLogin& l = *p_.login;
    if (l.file.rfind("~/", 0) != 0 || !is_below_home(l.file.substr(2)))
      return wrong("login.file", "must begin with ~/");
    if (l.link.empty() == l.env.empty())
      return wrong("login", "needs either link or env: where does the agent look for it?");
    if (!l.link.empty() && (!is_below_home(l.link) || !in_folders(l.link)))
      return wrong("login.link", "must lie right in one of the folders");
    if (l.keys.empty()) return wrong("login.keys", "must say what is shared");
    return {};
  }

  Status check_hosts(const std::string& field, const std::vector<std::string>& hosts) const {
    for (const auto& host : hosts) {
      const auto rule = parse_net_rules({host});
      if (!rule.ok()) return wrong(field, "has a wrong host: " + rule.error().message);
      if (rule->front().kind == NetRule::Kind::network)
        return wrong(field, "has an address, " + host + ": TLS proves names only");
    }
    return {};
  }

  Status tokens() const {
    if (!p_.login) return {};
    const PresetLogin& l = *p_.login;
    const auto is_token = [&l](const std::string& name) { return l.tokens.count(name) != 0; };
    for (const auto& [name, use] : l.tokens)
      CODEXOS_TRY(check_hosts("login.tokens." + name, use.hosts));
    for (size_t i = 0; i < l.refresh.size(); ++i) {
      const PresetRefresh& r = l.refresh[i];
      const std::string field = "login.refresh[" + std::to_string(i) + "]";
      if (r.hosts.empty() || r.path.empty() || r.path[0] != '/' || r.gives.empty())
        return wrong(field, "needs hosts, a path that begins with / and what it gives");
      CODEXOS_TRY(check_hosts(field, r.hosts));
      if (!is_token(r.sends)) return wrong(field, "sends " + r.sends + ", which is none of tokens");
      for (const auto& [member, token] : r.gives)
        if (!is_token(token)) return wrong(field, "gives " + token + ", which is none of tokens");
    }
    return {};
  }

  /// Not deeper: what lies between is the agent's, and may be a link.
  bool in_folders(const std::string& path) const {
    const size_t slash = path.rfind('/');
    return slash != std::string::npos && std::find(p_.folders.begin(), p_.folders.end(),
                                                   path.substr(0, slash)) != p_.folders.end();
  }

  const yaml::Document& d_;
  const Preset& p_;
};

/// Files of a user's folder, sorted.
std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> out;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(folder.c_str()), closedir);
  if (!dir) return out;
  while (const dirent* e = readdir(dir.get())) {
    const std::string name = e->d_name;
    if (name.size() > kSuffix.size() && name[0] != '.' &&
        name.compare(name.size() - kSuffix.size(), kSuffix.size(), kSuffix) == 0)
      out.push_back(name.substr(0, name.size() - kSuffix.size()));
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

Result<Preset> read_preset(std::string_view text, const std::string& file) {
  CODEXOS_ASSIGN(const yaml::Document d, yaml::parse(text, file));
  CODEXOS_ASSIGN(Preset p, yaml::decode<Preset>(d));
  CODEXOS_TRY(Check(d, p).run());
  p.source = file;
  return p;
}

std::string preset_folder(const std::string& config_home, const std::string& home) {
  const bool given = !config_home.empty() && config_home[0] == '/';
  return (given ? config_home : home + "/.config") + "/codexos/agents";
}

Result<Preset> load_preset(const std::string& name_or_path, const std::string& folder) {
  if (name_or_path.find('/') != std::string::npos) {
    auto text = read_file(name_or_path);
    if (!text.ok()) return std::move(text).error().during("read agent " + name_or_path);
    return read_preset(*text, name_or_path);
  }
  const std::string file = folder + "/" + name_or_path + std::string(kSuffix);
  if (is_name(name_or_path)) {
    auto text = read_file(file);
    if (text.ok()) {
      CODEXOS_ASSIGN(Preset p, read_preset(*text, file));
      if (p.name != name_or_path)
        return Error{Code::invalid, file + ": its name is " + p.name, "name the file after it"};
      return p;
    }
    if (text.error().code != Code::not_found) return std::move(text).error();
    for (const auto& row : built_in_presets())
      if (row.name == name_or_path) {
        CODEXOS_ASSIGN(Preset p, read_preset(row.text, name_or_path + std::string(kSuffix)));
        p.source = "built in";
        return p;
      }
  }
  return Error{
      Code::not_found,
      "there is no agent \"" + name_or_path + "\": " + join_words(preset_names(folder), ", "),
      "codexos agent list"};
}

std::vector<std::string> preset_names(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& row : built_in_presets()) names.emplace(row.name);
  for (auto& name : files_in(folder)) names.insert(std::move(name));
  return {names.begin(), names.end()};
}

std::string fill_text(const std::string& text, const Blanks& b) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const std::string_view name = text[i] == '{' ? blank_at(text, i) : std::string_view();
    if (name.empty() || name == "extra") {
      out += text[i];
      continue;
    }
    const std::array<const std::string*, 5> values = {&b.program, &b.prompt, &b.session, &b.home,
                                                      &b.login};
    out += *values[static_cast<size_t>(std::find(kBlanks.begin(), kBlanks.end(), name) -
                                       kBlanks.begin())];
    i += name.size() + 1;
  }
  return out;
}

std::vector<std::string> fill_argv(const std::vector<std::string>& words, const Blanks& b) {
  std::vector<std::string> out;
  for (const auto& word : words) {
    if (word == "{extra}")
      out.insert(out.end(), b.extra.begin(), b.extra.end());
    else if (word != "{prompt}" || !b.prompt.empty())
      out.push_back(fill_text(word, b));
  }
  return out;
}

}  // namespace codexos::daemon

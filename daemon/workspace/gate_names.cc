// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/gate_names.h"

#include <algorithm>

namespace codexos::daemon {
namespace {

/// Names in lower case, separated by blanks; a name of several components is found wherever they
/// follow each other. '*' at the beginning or end of a component stands for anything.
struct NameRow {
  std::string_view names;
  const char* why;
};
constexpr NameRow kNames[] = {
    {".gitmodules", "git fetches from and checks out where it points"},
    {".gitconfig .config/git .lfsconfig", "git and git-lfs read settings from it"},
    {".hg .jj .sl .bzr", "another version control's folder: its settings name programs"},
    {".husky .githooks .git-hooks .lefthook .lefthook-local .pre-commit-config.yaml "
     ".pre-commit-config.yml .pre-commit-hooks.yaml lefthook.yml lefthook.yaml lefthook.toml "
     "lefthook.json .lefthook.yml .lefthook.yaml .lefthook.toml .lefthook.json lefthook-local.yml "
     "lefthook-local.yaml .lefthook-local.yml .lefthook-local.yaml .overcommit.yml "
     ".simple-git-hooks.json .simple-git-hooks.js .simple-git-hooks.cjs simple-git-hooks.json "
     "simple-git-hooks.js simple-git-hooks.cjs",
     "git hooks run it"},
    {".envrc .autoenv .autoenv.zsh .mise.toml mise.toml .mise.local.toml mise.local.toml "
     ".mise/config.toml .config/mise .config/mise.toml .rtx.toml",
     "the shell reads it when you enter the folder"},
    {".bashrc .bash_profile .bash_login .bash_logout .bash_aliases .profile .zshrc .zshenv "
     ".zprofile .zlogin .zlogout .kshrc .mkshrc .cshrc .tcshrc .login .logout .inputrc .xinitrc "
     ".xsession .xsessionrc .xprofile .pam_environment .config/fish .config/autostart "
     ".config/systemd .config/environment.d",
     "a shell or a session starts with it"},
    {".ssh .gnupg", "keys, and what ssh and gpg run"},
    {".vscode *.code-workspace .vscode-server .idea *.iml .fleet .zed .vs .nova .helix .theia "
     ".devcontainer .devcontainer.json .externaltoolbuilders *.sublime-project",
     "an editor obeys it when the folder is opened"},
    {".vimrc _vimrc .exrc _exrc .nvimrc .nvim.lua .lvimrc .dir-locals.el .dir-locals-2.el "
     ".gdbinit .lldbinit .pdbrc .irbrc .pryrc",
     "an editor, debugger or interpreter runs it when it starts in the folder"},
    {".claude .codex .cursor .gemini .mcp.json mcp.json .windsurf .continue .roo .roomodes .cline "
     ".clinerules .cursorrules .windsurfrules .kiro .amazonq .opencode opencode.json "
     "opencode.jsonc .crush.json crush.json .goose .goosehints .qwen .trae .junie .augment .agents "
     ".aider.conf.yml .aider.conf.yaml .kilocode .openhands",
     "a coding agent obeys it: its commands, hooks and servers"},
    {".codexos.yaml .codexos.yml .codexos", "CodexOS itself obeys it"},
    {".github/workflows .github/actions .gitea/workflows .forgejo/workflows .gitlab-ci.yml "
     ".gitlab-ci.yaml .gitlab/ci .circleci .travis.yml .buildkite .drone.yml .drone.jsonnet "
     ".woodpecker .woodpecker.yml .woodpecker.yaml .cirrus.yml .cirrus.star .semaphore .teamcity "
     ".appveyor.yml appveyor.yml azure-pipelines.yml azure-pipelines.yaml .azure-pipelines "
     ".azuredevops bitbucket-pipelines.yml jenkinsfile cloudbuild.yaml cloudbuild.yml .build.yml "
     ".builds .tekton codefresh.yml .codefresh buildspec.yml .onedev-buildspec.yml",
     "continuous integration runs it, with the project's secrets"},
    {".npmrc .yarnrc .yarnrc.yml .yarn/releases .yarn/plugins .pnpmfile.cjs .pnpmfile.js "
     ".cargo/config .cargo/config.toml rust-toolchain rust-toolchain.toml .bundle/config .mvn "
     "gradle/wrapper .bazelrc pip.conf .pypirc .netrc _netrc .terraformrc",
     "a package manager or build tool obeys it: which programs, registries and tokens it uses"},
};

/// What HFS+ leaves out when it compares names (git, utf8.c: next_hfs_char); UTF-8.
constexpr std::string_view kIgnorable[] = {
    "\xE2\x80\x8C", "\xE2\x80\x8D", "\xE2\x80\x8E", "\xE2\x80\x8F", "\xE2\x80\xAA", "\xE2\x80\xAB",
    "\xE2\x80\xAC", "\xE2\x80\xAD", "\xE2\x80\xAE", "\xE2\x81\xAA", "\xE2\x81\xAB", "\xE2\x81\xAC",
    "\xE2\x81\xAD", "\xE2\x81\xAE", "\xE2\x81\xAF", "\xEF\xBB\xBF"};
/// Letters outside of ASCII whose lower or upper case is inside (Unicode CaseFolding.txt).
struct Fold {
  std::string_view from;
  char to;
};
constexpr Fold kFolds[] = {{"\xC5\xBF", 's'}, {"\xE2\x84\xAA", 'k'}};

/// Names whose short form NTFS makes of a hash when the plain ones are taken (git, path.c).
struct Hashed {
  std::string_view name, prefix;
};
constexpr Hashed kHashed[] = {{".gitmodules", "gi7eba"}};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool starts_with(std::string_view s, std::string_view prefix) {
  return s.substr(0, prefix.size()) == prefix;
}

/// Length of what is dropped or folded at the beginning of `s`; 0: neither.
size_t special(std::string_view s, char& folded) {
  folded = 0;
  for (const auto& i : kIgnorable)
    if (starts_with(s, i)) return i.size();
  for (const auto& f : kFolds)
    if (starts_with(s, f.from)) {
      folded = f.to;
      return f.from.size();
    }
  return 0;
}

}  // namespace

std::string normal_name(std::string_view component) {
  std::string out;
  out.reserve(component.size());
  while (!component.empty()) {
    char c = component[0];
    size_t n = 1;
    if (static_cast<unsigned char>(c) >= 0x80) {
      char folded = 0;
      if (const size_t dropped = special(component, folded); dropped != 0) {
        n = dropped;
        c = folded;
      }
    }
    component.remove_prefix(n);
    if (c != 0) out += lower(c);
  }
  if (const size_t stream = out.find(':'); stream != std::string::npos && stream > 0)
    out.resize(stream);
  const size_t last = out.find_last_not_of(" .");
  if (last != std::string::npos) out.resize(last + 1);
  return out;
}

std::vector<std::string> normal_names(std::string_view component) {
  std::vector<std::string> out;
  for (;;) {
    const size_t slash = component.find('\\');
    const auto part = component.substr(0, slash);
    if (!part.empty() || slash == std::string_view::npos) out.push_back(normal_name(part));
    if (slash == std::string_view::npos) return out;
    component.remove_prefix(slash + 1);
  }
}

bool is_short_name(std::string_view name, std::string_view pattern) {
  const size_t tilde = name.rfind('~');
  if (tilde == std::string_view::npos || tilde == 0 || tilde + 1 >= name.size()) return false;
  const size_t dot = name.find('.', tilde);
  const auto number = name.substr(tilde + 1, dot == std::string_view::npos ? dot : dot - tilde - 1);
  if (number.empty() || !std::all_of(number.begin(), number.end(), is_digit)) return false;
  const auto base = name.substr(0, tilde);
  for (const auto& h : kHashed)
    if (h.name == pattern && base == h.prefix) return true;
  // Leading dots go, the last dot begins the extension, blanks and other dots are left out.
  std::string plain(pattern.substr(std::min(pattern.find_first_not_of('.'), pattern.size())));
  std::string extension;
  if (const size_t at = plain.rfind('.'); at != std::string::npos) {
    extension = plain.substr(at + 1, 3);
    plain.resize(at);
  }
  plain.erase(std::remove(plain.begin(), plain.end(), '.'), plain.end());
  if (base.size() < 2 || base.size() > 6 || !starts_with(plain, base)) return false;
  if (base.size() < std::min<size_t>(6, plain.size()) && number.size() < 2) return false;
  const auto given = dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
  return given == extension || (pattern == ".git" && given.empty());
}

bool is_dot_git(std::string_view name) { return name == ".git" || is_short_name(name, ".git"); }

ProtectedNames::ProtectedNames(const std::vector<std::string>& more) {
  for (const auto& row : kNames)
    for (std::string_view rest = row.names; !rest.empty();) {
      const size_t blank = std::min(rest.find(' '), rest.size());
      add(rest.substr(0, blank), row.why);
      rest.remove_prefix(std::min(blank + 1, rest.size()));
    }
  for (const auto& path : more) add(path, "the policy protects it");
}

void ProtectedNames::add(std::string_view path, const char* why) {
  Row row{{}, why};
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    if (slash > 0) row.components.push_back(normal_name(path.substr(0, slash)));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  if (row.components.empty()) return;
  const auto index = static_cast<uint32_t>(rows_.size());
  if (row.components[0].find('*') != std::string::npos)
    wild_.push_back(index);
  else
    first_.emplace(row.components[0], index);
  rows_.push_back(std::move(row));
}

bool ProtectedNames::fits(const std::string& name, const std::string& pattern) const {
  const size_t star = pattern.find('*');
  if (star == std::string::npos) return name == pattern || is_short_name(name, pattern);
  const std::string_view head(pattern.data(), star);
  const std::string_view tail = std::string_view(pattern).substr(star + 1);
  return name.size() >= head.size() + tail.size() && starts_with(name, head) &&
         std::string_view(name).substr(name.size() - tail.size()) == tail;
}

const char* ProtectedNames::next(const std::string& name, Steps& steps) const {
  Steps to;
  const char* why = nullptr;
  const auto found = [&](uint32_t row, uint32_t matched) {
    if (matched + 1 == rows_[row].components.size())
      why = rows_[row].why;
    else
      to.push_back(Step{row, matched + 1});
  };
  for (const Step& s : steps)
    if (fits(name, rows_[s.row].components[s.matched])) found(s.row, s.matched);
  const auto [begin, end] = first_.equal_range(name);
  for (auto it = begin; it != end; ++it) found(it->second, 0);
  for (const uint32_t row : wild_)
    if (fits(name, rows_[row].components[0])) found(row, 0);
  if (name.find('~') != std::string::npos)
    for (const auto& [first, row] : first_)
      if (is_short_name(name, first)) found(row, 0);
  steps = std::move(to);
  return why;
}

std::string ProtectedNames::rest(const Step& step) const {
  std::string out;
  const auto& components = rows_[step.row].components;
  for (size_t i = step.matched; i < components.size(); ++i)
    out += (out.empty() ? "" : "/") + components[i];
  return out;
}

std::vector<std::pair<std::string, const char*>> ProtectedNames::plain() const {
  std::vector<std::pair<std::string, const char*>> out;
  for (const auto& row : rows_) {
    std::string path;
    for (const auto& c : row.components) path += (path.empty() ? "" : "/") + c;
    if (path.find('*') == std::string::npos) out.emplace_back(std::move(path), row.why);
  }
  return out;
}

}  // namespace codexos::daemon

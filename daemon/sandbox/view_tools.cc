// SPDX-License-Identifier: Apache-2.0
// Programs below the caller's home that are on PATH: each is shown read-only with the install root
// that it belongs to. A root is known by this table, or by what lies in it (a virtual environment,
// a JDK); of an unknown folder on PATH only the folder itself is shown, when it looks like one of
// programs.
#include <algorithm>
#include <set>

#include "core/base/path.h"
#include "daemon/sandbox/view_parts.h"

namespace codexos::daemon {
namespace {

/// `root`: relative to HOME; a component may end in '*'. Whatever lies at or below it belongs to
/// it. `also`: what it needs beside itself, separated by blanks.
struct ToolRow {
  std::string_view root, also;
  const char* why;
};
constexpr ToolRow kTools[] = {
    {".nvm/versions/*/*", "", "nvm: one version of node with its global packages"},
    {".local/share/fnm/node-versions/*", "", "fnm"},
    {".fnm/node-versions/*", "", "fnm"},
    {".nodenv", "", "nodenv"},
    {".nodebrew", "", "nodebrew"},
    {".volta", "", "Volta: shims read its inventory"},
    {".npm-global", "", "npm's documented prefix for global packages"},
    {".npm-packages", "", "the same"},
    {".local/share/pnpm", "", "pnpm's global packages"},
    {".config/yarn/global", "", "yarn's global packages"},
    {"n/bin", "n/lib n/include n/n", "n"},
    {".bun/bin", ".bun/install/global", "bun and its global packages"},
    {".deno/bin", "", "deno"},
    {".pyenv", "", "pyenv: shims run its own scripts and read its versions"},
    {".rye", "", "rye"},
    {".poetry", "", "poetry"},
    {".local/share/pypoetry", "", "poetry"},
    {".local/share/uv/tools/*", "", "uv tool install"},
    {".local/share/uv/python/*", "", "interpreters of uv"},
    {".local/share/pipx/venvs/*", "", "pipx"},
    {".local/pipx/venvs/*", "", "pipx"},
    {".local/bin", ".local/lib", "pip --user, pipx, uv: programs, and the libraries of pip --user"},
    {".local/lib", "", "libraries of programs in ~/.local/bin"},
    {".local/go", "", "Go, unpacked"},
    {".local/share/mise", ".tool-versions", "mise"},
    {".local/share/rtx", ".tool-versions", "mise's former name"},
    {".asdf", ".tool-versions", "asdf: shims read which version is wanted"},
    {".proto", "", "proto"},
    {".sdkman/candidates", "", "SDKMAN"},
    {".jenv", "", "jenv"},
    {".jabba/jdk", "", "jabba"},
    {".cargo/bin", ".rustup", "cargo's programs; those of rustup run its toolchains"},
    {".rustup", "", "rustup"},
    {"go/bin", "", "go install"},
    {"sdk/go*", "", "golang.org/dl"},
    {".gvm", "", "gvm"},
    {".goenv", "", "goenv"},
    {".rbenv", "", "rbenv"},
    {".rvm", "", "RVM"},
    {".gem/ruby", "", "gem install --user"},
    {".local/share/gem/ruby", "", "gem install --user"},
    {".phpenv", "", "phpenv"},
    {".composer/vendor", "", "composer global"},
    {".config/composer/vendor", "", "composer global"},
    {".plenv", "", "plenv"},
    {"perl5", "", "local::lib"},
    {".dotnet", "", ".NET and its tools"},
    {".ghcup", "", "GHC"},
    {".cabal/bin", "", "cabal install"},
    {".opam", "", "OCaml"},
    {".nimble/bin", ".nimble/pkgs2 .choosenim", "Nim"},
    {".juliaup", ".julia/juliaup", "Julia"},
    {".elan", "", "Lean"},
    {".pub-cache/bin", ".pub-cache/global_packages .pub-cache/hosted", "Dart"},
    {".zvm", "", "Zig"},
    {".swiftly", "", "Swift"},
    {".pixi/bin", ".pixi/envs", "pixi"},
    {".linuxbrew", "", "Homebrew"},
    {".foundry/bin", "", "Foundry"},
    {".wasmtime/bin", "", "wasmtime"},
    {".wasmer/bin", "", "wasmer"},
    {".krew", "", "kubectl plugins"},
    {".opencode/bin", "", "opencode"},
    {".local/share/claude/versions/*", "", "Claude Code"},
    {".local/share/cursor-agent/versions/*", "", "Cursor's agent"},
    {".local/opt/*", "", "unpacked programs"},
};

/// What tells an install root by itself: exists below the parent of a `bin` folder.
struct MarkerRow {
  std::string_view path;
  const char* why;
};
constexpr MarkerRow kMarkers[] = {
    {"pyvenv.cfg", "a virtual environment of Python"},
    {"conda-meta/history", "conda"},
    {"lib/jvm.cfg", "a JDK"},
    {"include/node/node.h", "node, unpacked"},
    {"lib/node_modules", "a prefix of npm's global packages"},
    {"src/runtime/runtime.go", "Go, unpacked"},
    {"lib/rustlib", "a toolchain of Rust"},
    {"lib/clang", "LLVM, unpacked"},
    {"bin/m2.conf", "Maven, unpacked"},
    {"lib/gradle-launcher.jar", "Gradle, unpacked"},
    {"share/julia/base", "Julia, unpacked"},
    {"bin/flutter", "Flutter"},
};

/// Interpreters that a root may borrow from another root by a link.
constexpr std::string_view kInterpreters[] = {"bin/python3", "bin/python", "bin/node"};

constexpr std::string_view kProgramFolders[] = {"bin", "sbin", "shims", "scripts"};

/// How many bytes of `path` the root pattern covers; 0: it does not fit.
size_t fit(std::string_view root, std::string_view path) {
  size_t at = 0;
  while (true) {
    const size_t rs = root.find('/');
    const size_t end = std::min(path.find('/', at), path.size());
    if (at >= path.size() || !name_fits(root.substr(0, rs), path.substr(at, end - at))) return 0;
    if (rs == std::string_view::npos) return end;
    root.remove_prefix(rs + 1);
    at = end + 1;
  }
}

std::string last_name(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

class Toolchains {
 public:
  Toolchains(const Caller& c, const Inside& who, const Host& host)
      : home_(c.home), inside_home_(who.home), host_(host), never_(never_shown(c)) {}

  /// A folder on PATH, as written or resolved.
  void add_path_entry(const std::string& dir) {
    PathFact fact;
    if (!below_home(dir) || !host_.lookup(dir, fact) || !fact.is_dir) return;
    if (!add_root(dir) && program_folder(dir)) add(dir);
    if (!covered(dir)) return;
    for (const auto& name : host_.list(dir)) {
      const std::string path = join_path(dir, name);
      std::string text;
      if (host_.read_link(path, text)) add_target(path);
    }
  }

  void emit(std::vector<Mount>& out) const {
    for (const auto& path : shown_) {
      const auto above = [&](const std::string& p) { return p != path && path_within(path, p); };
      if (std::any_of(shown_.begin(), shown_.end(), above)) continue;
      bind_existing(host_, MountRole::toolchain, path, inside_home_ + path.substr(home_.size()),
                    out);
    }
  }

 private:
  bool below_home(const std::string& path) const {
    return path != home_ && path_within(path, home_);
  }

  bool covered(const std::string& path) const {
    return std::any_of(shown_.begin(), shown_.end(),
                       [&](const std::string& p) { return path_within(path, p); });
  }

  bool forbidden(const std::string& path) const {
    return std::any_of(never_.begin(), never_.end(), [&](const std::string& n) {
      PathFact fact;
      return path_within(path, n) || (path_within(n, path) && host_.lookup(n, fact));
    });
  }

  bool add(const std::string& path) {
    PathFact fact;
    if (!host_.lookup(path, fact) || forbidden(path) || forbidden(fact.path)) return false;
    if (path_within(home_, fact.path)) return false;  // a link to the home itself, or above
    if (!shown_.insert(path).second) return true;
    for (const auto& name : kInterpreters) add_target(join_path(path, name));
    return true;
  }

  /// The install root of `path` by table or by marker.
  bool add_root(const std::string& path) {
    const std::string_view rel = std::string_view(path).substr(home_.size() + 1);
    for (const auto& row : kTools) {
      const size_t n = fit(row.root, rel);
      if (n == 0) continue;
      each_part(row.also, ' ', [&](std::string_view also) { add(join_path(home_, also)); });
      return add(join_path(home_, rel.substr(0, n)));
    }
    const std::string parent = parent_path(path);
    if (!below_home(parent)) return false;
    PathFact fact;
    for (const auto& row : kMarkers)
      if (host_.lookup(join_path(parent, row.path), fact)) return add(parent);
    return false;
  }

  /// What a link in a folder of programs points to: its root, else that one file.
  void add_target(const std::string& link) {
    PathFact fact;
    if (!host_.lookup(link, fact) || fact.is_dir || !below_home(fact.path) || covered(fact.path))
      return;
    if (!add_root(fact.path) && !add_root(parent_path(fact.path)) && !add_prefix(fact.path))
      add(fact.path);
  }

  /// A prefix of its own (hier(7)): bin beside lib, libexec or share, and nothing hidden, so that
  /// neither a repository nor a home is taken for one.
  bool add_prefix(const std::string& program) {
    const std::string bin = parent_path(program), prefix = parent_path(bin);
    if (last_name(bin) != "bin" || !below_home(prefix)) return false;
    const auto names = host_.list(prefix);
    const auto has = [&](std::string_view n) {
      return std::find(names.begin(), names.end(), n) != names.end();
    };
    const bool hidden =
        std::any_of(names.begin(), names.end(), [](const std::string& n) { return n[0] == '.'; });
    return !hidden && (has("lib") || has("libexec") || has("share")) && add(prefix);
  }

  /// Of a folder that the table does not know: programs by its name, and nothing hidden in it.
  bool program_folder(const std::string& dir) const {
    const std::string name = last_name(dir);
    if (std::find(std::begin(kProgramFolders), std::end(kProgramFolders), name) ==
        std::end(kProgramFolders))
      return false;
    const auto names = host_.list(dir);
    return std::none_of(names.begin(), names.end(),
                        [](const std::string& n) { return n[0] == '.'; });
  }

  std::string home_, inside_home_;
  const Host& host_;
  std::vector<std::string> never_;
  std::set<std::string> shown_;
};

}  // namespace

bool name_fits(std::string_view pattern, std::string_view name) {
  if (pattern.empty() || pattern.back() != '*') return pattern == name;
  pattern.remove_suffix(1);
  return name.substr(0, pattern.size()) == pattern;
}

void each_part(std::string_view text, char separator,
               const std::function<void(std::string_view)>& f) {
  while (!text.empty()) {
    const size_t at = text.find(separator);
    if (const auto part = text.substr(0, at); !part.empty()) f(part);
    if (at == std::string_view::npos) return;
    text.remove_prefix(at + 1);
  }
}

void add_toolchains(const Caller& c, const Inside& who, const Host& host, std::vector<Mount>& out) {
  const auto path = c.env.find("PATH");
  if (path == c.env.end() || c.home.empty() || c.home == "/") return;
  Toolchains tools(c, who, host);
  each_part(path->second, ':', [&](std::string_view entry) {
    if (entry[0] != '/') return;
    tools.add_path_entry(normal_path(entry));
    // fnm's folder in /run, a home spelt by a link, ...
    if (PathFact fact; host.lookup(std::string(entry), fact)) tools.add_path_entry(fact.path);
  });
  tools.emit(out);
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// An agent as data: where its program is found, how it is called, what of its home is kept, how it
// authenticates and how its output is read. Ours are daemon/agents/presets/*.yaml, compiled in;
// the user's own are $XDG_CONFIG_HOME/codexos/agents/*.yaml, and a path works as well as a name.
// A user's preset takes the place of ours with the same name.
//
// In command lines {program}, {prompt}, {session}, {home} and {login} are replaced; an element that
// is "{extra}" becomes the arguments behind `--`, one that is "{prompt}" goes when there is none.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/fields.h"

namespace codexos::daemon {

enum class InnerSandbox : int { off, nested };
constexpr auto enum_names(InnerSandbox) {
  return std::array{EnumName{InnerSandbox::off, "off"}, EnumName{InnerSandbox::nested, "nested"}};
}

/// Where a key or token may go. A task holds a placeholder of it, and the egress puts the value
/// into this header on the way to these hosts.
struct PresetUse {
  std::vector<std::string> hosts;  // rules as of --allow; none: into no header
  std::string header = "authorization";
  std::optional<bool> subscription = std::nullopt;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("hosts", s.hosts, "hosts that get it, in TLS");
    v("header", s.header, "the header that it stands in");
    v("subscription", s.subscription, "true: no request costs; left out: of a login's tokens so");
  }
};

/// Where new tokens are given for the one that is sent (RFC 6749, section 6).
struct PresetRefresh {
  std::vector<std::string> hosts;
  std::string path;
  std::string sends;                         // the token, "a.b", in the body
  std::map<std::string, std::string> gives;  // member of the answer -> token
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("hosts", s.hosts, "hosts that do so");
    v("path", s.path, "path of the request");
    v("sends", s.sends, "the token that is sent");
    v("gives", s.gives, "which member of the answer is which token");
  }
};

/// The agent's own credential file. Of it only `keys` are shared, and only they are written back.
struct PresetLogin {
  std::string file;  // the user's own, below ~/
  std::string link;  // below HOME: where the agent looks, a link to the shared one
  std::map<std::string, std::string> env;   // instead of a link: where the agent is told to look
  std::vector<std::string> keys;            // members that are shared; "*": all
  std::string needs;                        // "a.b": text that must be there
  std::string newer;                        // "a.b": a number or time that grows with each refresh
  std::map<std::string, PresetUse> tokens;  // "a.b": a token, of which tasks have a placeholder
  std::vector<PresetRefresh> refresh;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("file", s.file, "the user's own credential file");
    v("link", s.link, "where the agent finds it, below HOME");
    v("env", s.env, "variables that tell the agent where it is");
    v("keys", s.keys, "members of it that are shared; \"*\": all");
    v("needs", s.needs, "member without which it is no login");
    v("newer", s.newer, "member that grows with each refresh");
    v("tokens", s.tokens, "members that tasks have placeholders of, and where they may go");
    v("refresh", s.refresh, "where new tokens are given for one of them");
  }
};

struct Preset {
  std::string name;
  std::string about;
  std::string program;              // name on PATH
  std::vector<std::string> places;  // folders to look in after PATH; ~/ and one * a component
  std::vector<std::string> job;
  std::vector<std::string> resume;  // goes on with {session}; empty: it cannot
  std::vector<std::string> interactive;
  std::vector<std::string> version;
  std::map<std::string, std::string> env;
  std::vector<std::string> folders;          // below HOME, kept for each workspace
  std::map<std::string, std::string> seed;   // files below HOME that a new folder begins with
  std::string events;                        // claude, codex, opencode, gemini; empty: text
  std::map<std::string, std::string> exits;  // exit code -> what it means
  std::vector<std::string> hosts;
  std::vector<std::string> keys;          // variables that can hold a key
  std::map<std::string, PresetUse> held;  // of those: what tasks have a placeholder of
  std::optional<PresetLogin> login;
  InnerSandbox inner_sandbox = InnerSandbox::off;
  uint64_t idle_timeout_s = 900;

  std::string source;  // not a field: "built in" or the file
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("name", s.name, "name of the agent");
    v("about", s.about, "what it is, in a line");
    v("program", s.program, "name of its program");
    v("places", s.places, "folders to look in after PATH");
    v("job", s.job, "command line for a job without a terminal");
    v("resume", s.resume, "command line that goes on with an earlier conversation");
    v("interactive", s.interactive, "command line at a terminal");
    v("version", s.version, "command line that prints its version");
    v("env", s.env, "variables that it gets");
    v("folders", s.folders, "folders below HOME that are kept for each workspace");
    v("seed", s.seed, "files below HOME that a new folder begins with");
    v("events", s.events, "how its output is read; empty: as text");
    v("exits", s.exits, "what its exit codes mean");
    v("hosts", s.hosts, "hosts that it needs");
    v("keys", s.keys, "variables that can hold its key");
    v("held", s.held, "those that tasks have placeholders of, and where they may go");
    v("login", s.login, "its login");
    v("inner_sandbox", s.inner_sandbox, "off: switched off; nested: it makes one inside ours");
    v("idle_timeout_s", s.idle_timeout_s, "seconds without output after which a job is ended");
  }
};

/// Strict; error invalid begins with file:line.
Result<Preset> read_preset(std::string_view text, const std::string& file);

/// Those that are compiled in, by name. Their text is checked by a unit test.
struct BuiltInPreset {
  std::string_view name;
  std::string_view text;
};
const std::vector<BuiltInPreset>& built_in_presets();

/// Where a user's own presets are: `config_home` (XDG_CONFIG_HOME) or ~/.config.
std::string preset_folder(const std::string& config_home, const std::string& home);
/// A name, or a path (it holds a '/'). Error not_found lists what there is.
Result<Preset> load_preset(const std::string& name_or_path, const std::string& folder);
/// All names, sorted: ours and those of `folder`.
std::vector<std::string> preset_names(const std::string& folder);

/// What stands in for the braces of a command line.
struct Blanks {
  std::string program, prompt, session, home, login;
  std::vector<std::string> extra;
};
std::vector<std::string> fill_argv(const std::vector<std::string>& words, const Blanks& b);
std::string fill_text(const std::string& text, const Blanks& b);

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
#include "cli/completion.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <vector>

#include "cli/commands.h"
#include "core/base/text.h"

namespace codexos::cli {
namespace {

using Names = std::vector<std::string_view>;

constexpr std::string_view kNotice =
    "# SPDX-License-Identifier: Apache-2.0\n"
    "# Printed by `codexos completion {}` from the table of commands; do not edit.\n";

std::string notice(std::string_view shell) {
  std::string out(kNotice);
  return out.replace(out.find("{}"), 2, shell);
}

std::vector<const Command*> visible() {
  std::vector<const Command*> out;
  for (const Command& c : commands())
    if (c.landed == Landed::now && c.group != Group::hidden) out.push_back(&c);
  return out;
}

std::vector<const Option*> options_of(const Command* c) {
  std::vector<const Option*> out;
  if (c != nullptr)
    for (const Option& o : c->options)
      if (o.landed == Landed::now) out.push_back(&o);
  for (const Option& o : global_options())
    if (o.landed == Landed::now) out.push_back(&o);
  return out;
}

/// Of the global options that take a value.
Names global_names_with_value() {
  Names out;
  for (const Option& o : global_options())
    if (!o.value.empty())
      for (const std::string_view n : names_of(o)) out.push_back(n);
  return out;
}

std::string_view first_word(const Command& c) { return c.name.substr(0, c.name.find(' ')); }

/// "run", "ps", ..., "daemon": each once.
Names first_words() {
  Names out;
  for (const Command* c : visible())
    if (std::find(out.begin(), out.end(), first_word(*c)) == out.end())
      out.push_back(first_word(*c));
  return out;
}

Names nouns() {
  Names out;
  for (const std::string_view w : first_words())
    if (find_command(w) == nullptr) out.push_back(w);
  return out;
}

std::string second_words(std::string_view noun) {
  std::string out;
  for (const Command* c : verbs_of(noun)) {
    if (c->landed != Landed::now) continue;
    if (!out.empty()) out += ' ';
    out += c->name.substr(noun.size() + 1);
  }
  return out;
}

std::string spaced(std::string_view choices) { return join_words(split_choices(choices), " "); }

/// Text inside single quotes of any of the shells.
std::string quoted(std::string_view s) {
  std::string out;
  for (const char c : s) {
    if (c == '\'') {
      out += "’";
    } else {
      out += c;
    }
  }
  return out;
}

// ---- bash

struct BashKind {
  Kind kind;
  std::string_view body;
};
constexpr std::array kBashKinds{
    BashKind{Kind::task, "_codexos_ids"},
    BashKind{Kind::agent, "_codexos_agents"},
    BashKind{Kind::dir, "COMPREPLY=($(compgen -d -- \"$cur\"))"},
    BashKind{Kind::file, "COMPREPLY=($(compgen -f -- \"$cur\"))"},
    BashKind{Kind::signal,
             "COMPREPLY=($(compgen -W 'HUP INT QUIT KILL USR1 USR2 TERM CONT STOP' "
             "-- \"$cur\"))"},
    BashKind{Kind::command, "COMPREPLY=($(compgen -W \"$verbs\" -- \"$cur\"))"},
    BashKind{Kind::shell, "COMPREPLY=($(compgen -W 'bash zsh fish' -- \"$cur\"))"},
};

std::string bash_body(Kind kind) {
  for (const BashKind& k : kBashKinds)
    if (k.kind == kind) return std::string(k.body);
  return ":";
}

std::string bash_verbs() { return bash_body(Kind::command); }

std::string bash_value(const Option& o) {
  if (o.choices.empty()) return bash_body(o.kind);
  return fmt::format("COMPREPLY=($(compgen -W '{}' -- \"$cur\"))", spaced(o.choices));
}

std::string bash_case(std::string_view label, const Command* c) {
  std::string flags;
  std::string values;
  for (const Option* o : options_of(c)) {
    const Names names = names_of(*o);
    for (const std::string_view n : names)
      flags += fmt::format("{}{}", flags.empty() ? "" : " ", n);
    if (o->value.empty()) continue;
    values += fmt::format("        {}) {}; return ;;\n", join_words(names, " | "), bash_value(*o));
  }
  std::string out = fmt::format("    {})\n", label);
  if (!values.empty()) out += fmt::format("      case $prev in\n{}      esac\n", values);
  out += fmt::format("      flags='{}'\n", flags);
  const std::string words = c == nullptr ? bash_verbs() : bash_body(c->word_kind);
  if (words != ":") out += fmt::format("      [[ $cur == -* ]] || {}\n", words);
  return out + "      ;;\n";
}

constexpr std::string_view kBashHead = R"sh(
_codexos_ids() {
  COMPREPLY=($(compgen -W "$(codexos __ids 2>/dev/null)" -- "$cur"))
}

# By name, or a file of one's own.
_codexos_agents() {
  COMPREPLY=($(compgen -W "$(codexos __ids agents 2>/dev/null)" -- "$cur") $(compgen -f -- "$cur"))
}

# What follows `--` is the task's own command line: completed as if it stood alone.
_codexos_payload() {
  local at=$1
  if declare -F _command_offset >/dev/null; then
    _command_offset "$at"
  elif ((COMP_CWORD == at)); then
    COMPREPLY=($(compgen -c -- "$cur"))
  else
    COMPREPLY=($(compgen -f -- "$cur"))
  fi
}

_codexos() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
  local verb='' flags='' verbs i
  COMPREPLY=()
)sh";

constexpr std::string_view kBashTail = R"sh(  esac
  [[ $cur == -* ]] && COMPREPLY=($(compgen -W "$flags" -- "$cur"))
}
complete -o bashdefault -F _codexos codexos
)sh";

std::string bash_script() {
  std::string out = notice("bash");
  out += kBashHead;
  out += fmt::format("  verbs='{}'\n", join_words(first_words(), " "));
  out += fmt::format(
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case ${{COMP_WORDS[i]}} in\n"
      "      --)\n"
      "        _codexos_payload $((i + 1))\n"
      "        return\n"
      "        ;;\n"
      "      {}) [[ $verb ]] || ((i++)) ;;\n"
      "      -*) ;;\n"
      "      *)\n"
      "        if [[ -z $verb ]]; then\n"
      "          verb=${{COMP_WORDS[i]}}\n",
      join_words(global_names_with_value(), " | "));
  for (const std::string_view n : nouns())
    out += fmt::format(
        "        elif [[ $verb == {0} ]]; then\n"
        "          verb='{0} '${{COMP_WORDS[i]}}\n",
        n);
  out +=
      "        fi\n"
      "        ;;\n"
      "    esac\n"
      "  done\n"
      "  case $verb in\n";
  out += bash_case("''", nullptr);
  for (const std::string_view n : nouns())
    out +=
        fmt::format("    {}) COMPREPLY=($(compgen -W '{}' -- \"$cur\")) ;;\n", n, second_words(n));
  for (const Command* c : visible())
    out += bash_case(
        c->name.find(' ') == c->name.npos ? std::string(c->name) : fmt::format("'{}'", c->name), c);
  return out + std::string(kBashTail);
}

// ---- zsh

struct ZshKind {
  Kind kind;
  std::string_view action;
};
constexpr std::array kZshKinds{
    ZshKind{Kind::agent, "_codexos_agents"},  ZshKind{Kind::task, "_codexos_ids"},
    ZshKind{Kind::dir, "_files -/"},          ZshKind{Kind::file, "_files"},
    ZshKind{Kind::signal, "_signals -s"},     ZshKind{Kind::shell, "(bash zsh fish)"},
    ZshKind{Kind::command, "_codexos_verbs"},
};

std::string zsh_action(Kind kind) {
  for (const ZshKind& k : kZshKinds)
    if (k.kind == kind) return std::string(k.action);
  return " ";
}

/// Brackets and colons have a meaning in _arguments' specs.
std::string zsh_text(std::string_view s) {
  std::string out;
  for (const char c : quoted(s)) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_option(const Option& o) {
  const Names names = names_of(o);
  std::string spec;
  if (o.repeats) {
    spec = "'*'";
  } else if (names.size() > 1) {
    spec = fmt::format("'({})'", join_words(names, " "));
  }
  spec += names.size() > 1 ? fmt::format("{{{}}}", join_words(names, ",")) : std::string(names[0]);
  std::string value;
  if (!o.value.empty())
    value = fmt::format(
        ":{}:{}", zsh_text(o.value),
        o.choices.empty() ? zsh_action(o.kind) : fmt::format("({})", spaced(o.choices)));
  return fmt::format("{}'[{}]{}'", spec, zsh_text(o.help), value);
}

std::string zsh_case(const Command& c) {
  std::string out = fmt::format("    '{}')\n      _arguments -s -S", c.name);
  for (const Option* o : options_of(&c)) out += fmt::format(" \\\n        {}", zsh_option(*o));
  if (c.words == Words::payload && c.min_words > 0)
    out += fmt::format(" \\\n        '1:task:{}' \\\n        '*:::command:_codexos_payload'",
                       zsh_action(c.word_kind));
  else if (c.words == Words::payload)
    out += " \\\n        '*:::command:_codexos_payload'";
  else if (c.words == Words::paths)
    out += fmt::format(" \\\n        '1:task:{}' \\\n        '*:path:_files'",
                       zsh_action(c.word_kind));
  else if (c.words == Words::any)
    out += fmt::format(" \\\n        '*:{}:{}'", zsh_text(c.args), zsh_action(c.word_kind));
  return out + "\n      ;;\n";
}

constexpr std::string_view kZshHead = R"sh(
_codexos_ids() {
  local -a ids
  ids=(${(f)"$(codexos __ids 2>/dev/null)"})
  compadd -a ids
}

_codexos_agents() {
  local -a agents
  agents=(${(f)"$(codexos __ids agents 2>/dev/null)"})
  compadd -a agents
  _files
}

# What follows `--` is the task's own command line.
_codexos_payload() {
  [[ $words[1] == -- ]] && shift words && ((CURRENT--))
  _normal
}

)sh";

constexpr std::string_view kZshMain = R"sh(
_codexos() {
  local curcontext=$curcontext state line
  typeset -A opt_args
)sh";

std::string zsh_script() {
  std::string out = "#compdef codexos\n" + notice("zsh");
  out += kZshHead;
  out += "_codexos_verbs() {\n  local -a verbs\n  verbs=(\n";
  for (const std::string_view w : first_words()) {
    const Command* c = find_command(w);
    const std::string help = c != nullptr ? std::string(c->summary) : second_words(w);
    out += fmt::format("    '{}:{}'\n", w, zsh_text(help));
  }
  out += "  )\n  _describe command verbs\n}\n";
  out += kZshMain;
  out += "  _arguments -C -s -S";
  for (const Option* o : options_of(nullptr)) out += fmt::format(" \\\n    {}", zsh_option(*o));
  out += " \\\n    '1:command:_codexos_verbs' \\\n    '*::argument:->rest'\n";
  out += "  [[ $state == rest ]] || return\n  local verb=$words[1]\n";
  for (const std::string_view n : nouns())
    out += fmt::format(
        "  if [[ $verb == {0} ]]; then\n"
        "    if ((CURRENT == 2)); then\n"
        "      compadd {1}\n"
        "      return\n"
        "    fi\n"
        "    shift words\n"
        "    ((CURRENT--))\n"
        "    verb=\"{0} $words[1]\"\n"
        "  fi\n",
        n, second_words(n));
  out += "  case $verb in\n";
  for (const Command* c : visible()) out += zsh_case(*c);
  return out + "  esac\n}\n\n_codexos \"$@\"\n";
}

// ---- fish

struct FishKind {
  Kind kind;
  std::string_view arguments;
};
constexpr std::array kFishKinds{
    FishKind{Kind::task, "-x -a '(__codexos_ids)'"},
    FishKind{Kind::agent, "-r -a '(__codexos_ids agents)'"},
    FishKind{Kind::dir, "-x -a '(__fish_complete_directories)'"},
    FishKind{Kind::file, "-r -F"},
    FishKind{Kind::signal, "-x -a 'HUP INT QUIT KILL USR1 USR2 TERM CONT STOP'"},
    FishKind{Kind::shell, "-x -a 'bash zsh fish'"},
};

std::string fish_arguments(Kind kind) {
  for (const FishKind& k : kFishKinds)
    if (k.kind == kind) return std::string(k.arguments);
  return "-x";
}

std::string fish_option(std::string_view condition, const Option& o) {
  std::string out = fmt::format("complete -c codexos -n '{}'", condition);
  for (const std::string_view n : names_of(o))
    out += n.starts_with("--") ? fmt::format(" -l {}", n.substr(2))
                               : fmt::format(" -s {}", n.substr(1));
  if (!o.value.empty())
    out += " " + (o.choices.empty() ? fish_arguments(o.kind)
                                    : fmt::format("-x -a '{}'", spaced(o.choices)));
  return out + fmt::format(" -d '{}'\n", quoted(o.help));
}

std::string fish_command(const Command& c) {
  const std::string condition = fmt::format("__codexos_at \"{}\"", c.name);
  std::string out = fmt::format("\n# {}\n", c.name);
  for (const Option& o : c.options)
    if (o.landed == Landed::now) out += fish_option(condition, o);
  if (c.word_kind == Kind::command)
    out += fmt::format("complete -c codexos -n '{}' -x -a '{}'\n", condition,
                       join_words(first_words(), " "));
  else if (c.words != Words::none && c.word_kind != Kind::text)
    out += fmt::format("complete -c codexos -n '{}' {}\n", condition, fish_arguments(c.word_kind));
  return out;
}

constexpr std::string_view kFishHead = R"sh(
# The words so far without options: "daemon start abc". Fails after `--`.
function __codexos_words
    set -l words
    set -l value 0
    for w in (commandline -opc)[2..-1]
        if test $value = 1
            set value 0
            continue
        end
        switch $w
            case --
                return 1
            case {}
                set -q words[1]; or set value 1
            case '-*'
            case '*'
                set -a words $w
        end
    end
    # Its status says how often it joined.
    string join ' ' -- $words
    return 0
end

# They are these.
function __codexos_is
    set -l line (__codexos_words); and test "$line" = "$argv[1]"
end

# They are these, and perhaps more.
function __codexos_at
    set -l line (__codexos_words); or return 1
    string match -q -- "$argv[1]" "$line"; or string match -q -- "$argv[1] *" "$line"
end

function __codexos_ids
    command -q codexos; and codexos __ids $argv 2>/dev/null
end

# What follows `--` is the task's own command line.
function __codexos_payload
    set -l words (commandline -opc)
    contains -- -- $words
end

function __codexos_subcommand
    set -l words (commandline -opc) (commandline -ct)
    set -l at (contains -i -- -- $words)
    complete -C (string join ' ' -- $words[(math $at + 1)..-1])
end

complete -c codexos -f
complete -c codexos -n __codexos_payload -x -a '(__codexos_subcommand)'
)sh";

std::string fish_script() {
  std::string out = notice("fish");
  std::string head(kFishHead);
  out += head.replace(head.find("{}"), 2, join_words(global_names_with_value(), " "));
  for (const Option& o : global_options())
    if (o.landed == Landed::now) out += fish_option("not __codexos_payload", o);
  for (const std::string_view w : first_words()) {
    const Command* c = find_command(w);
    out += fmt::format("complete -c codexos -n '__codexos_is \"\"' -a {} -d '{}'\n", w,
                       quoted(c != nullptr ? c->summary : std::string_view("more commands")));
  }
  for (const std::string_view n : nouns())
    out += fmt::format("complete -c codexos -n '__codexos_is {}' -x -a '{}'\n", n, second_words(n));
  for (const Command* c : visible()) out += fish_command(*c);
  return out;
}

struct Shell {
  std::string_view name;
  std::string (*script)();
};
constexpr std::array kShells{Shell{"bash", bash_script}, Shell{"zsh", zsh_script},
                             Shell{"fish", fish_script}};

}  // namespace

std::string completion_script(std::string_view shell) {
  for (const Shell& s : kShells)
    if (s.name == shell) return s.script();
  return {};
}

}  // namespace codexos::cli

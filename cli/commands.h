// SPDX-License-Identifier: Apache-2.0
// The table of commands: one row a command, one row an option. Parser, help, man page and shell
// completions are all drawn from it, so adding a command or an option touches this table and the
// command's own file only. Rows marked `later` are known and refused by name: never accepted and
// ignored, never reported as a typing mistake.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace codexos::cli {

struct Context;
struct Invocation;

enum class Landed { now, later };

/// What a value or a word stands for: decides what the shell completes.
enum class Kind { none, text, task, agent, dir, file, command, shell, number, duration, signal };

struct Option {
  std::string_view names;  // "-d, --detach"; its first long name is the key in Invocation
  std::string_view value;  // "DIR"; empty: a flag
  std::string_view help;
  Kind kind = Kind::none;
  Landed landed = Landed::now;
  bool repeats = false;
  std::string_view choices = {};        // "overlay|direct": other values are refused
  std::string_view later_choices = {};  // known values whose feature has not landed
  bool rare = false;                    // --help only names it; the man page says more
};

enum class Group { tasks, control, changes, history, nouns, admin, system, hidden };

/// What a command takes beside options.
enum class Words {
  none,
  any,      // `min` to `max` words, options may stand between them
  paths,    // as any; what follows `--` are paths (Invocation::payload)
  payload,  // words, then `--` and a command line that is not looked at; options end at the first
            // word
};

/// Which exit code an error has: its own (wire::kCodes), or 125, which a program's code is told
/// from.
enum class Fails { by_code, with_125 };

struct Example {
  std::string_view line;
  std::string_view does;
};

struct Command {
  std::string_view name;  // "run", "daemon start"
  Group group = Group::tasks;
  std::string_view args;     // "[TASK...]", for the usage line
  std::string_view summary;  // one line, without a full stop
  std::string_view details;  // for the man page: plain sentences, or empty
  std::span<const Option> options;
  Words words = Words::none;
  Kind word_kind = Kind::none;
  size_t min_words = 0;
  size_t max_words = 0;
  Fails fails = Fails::by_code;
  std::array<Example, 2> examples = {};
  Landed landed = Landed::now;
  Result<int> (*run)(Context&, const Invocation&) = nullptr;
};

std::span<const Command> commands();
/// Options that every command takes, before or after its name.
std::span<const Option> global_options();

/// The row of "run" or "daemon start"; null when there is none.
const Command* find_command(std::string_view name);
/// The verbs of a noun ("daemon": start, stop, ...), empty when `name` is not a noun with rows.
std::vector<const Command*> verbs_of(std::string_view noun);

/// "-d, --detach" -> {"-d", "--detach"}.
std::vector<std::string_view> names_of(const Option& o);
/// "-d, --detach" -> "detach": how Invocation names it.
std::string_view key_of(const Option& o);
/// "a|b" -> {"a", "b"}.
std::vector<std::string_view> split_choices(std::string_view choices);

}  // namespace codexos::cli

// SPDX-License-Identifier: Apache-2.0
// From argv to an Invocation, by the table of commands. CLI11 lives in args.cc only; options are
// built for the chosen command alone, since building them all costs more than the rest of a start.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cli/commands.h"
#include "core/base/error.h"

namespace codexos::cli {

enum class Color { automatic, always, never };

struct Globals {
  bool json = false;
  bool quiet = false;
  bool verbose = false;
  std::string socket;
  Color color = Color::automatic;
};

struct Invocation {
  const Command* command = nullptr;
  std::map<std::string, std::vector<std::string>, std::less<>> options;  // by key_of()
  std::vector<std::string> words;
  bool dashes = false;               // there was a `--`
  std::vector<std::string> payload;  // what follows `--` (Words::payload and Words::paths only)
  std::vector<std::string> before;   // argv up to the first word: for corrected command lines

  bool has(std::string_view key) const { return options.find(key) != options.end(); }
  /// The last value given, or `otherwise`.
  std::string value(std::string_view key, std::string_view otherwise = "") const;
  std::vector<std::string> values(std::string_view key) const;
};

struct WantsHelp {
  const Command* command = nullptr;  // null: the overview
  std::string noun;                  // "daemon": its verbs
};

/// What argv asks for. `globals` and `fails` are filled as far as parsing got, also on an error, so
/// that the error can be told in the right way.
struct Parsed {
  Globals globals;
  Fails fails = Fails::by_code;
  std::variant<Invocation, WantsHelp> wants;
};

/// `args` without the program's name. Errors: invalid (usage), unsupported (known, not landed).
Status parse_args(const std::vector<std::string>& args, Parsed& out);

}  // namespace codexos::cli

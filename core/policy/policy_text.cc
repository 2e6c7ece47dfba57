// SPDX-License-Identifier: Apache-2.0
#include "core/policy/policy_text.h"

#include <array>
#include <utility>

namespace codexos::policy {
namespace {

enum class Form { value, list, limit };
struct Row {
  std::string_view key;
  Form form;
};
constexpr std::array kRows{
    Row{"net", Form::value},     Row{"allow", Form::list},    Row{"show", Form::list},
    Row{"hide", Form::list},     Row{"env", Form::list},      Row{"isolation", Form::value},
    Row{"seccomp", Form::value}, Row{"timeout", Form::limit}, Row{"idle_timeout", Form::limit},
    Row{"memory", Form::limit},  Row{"cpus", Form::limit},    Row{"cpu_time", Form::limit},
    Row{"pids", Form::limit},    Row{"disk", Form::limit},    Row{"open_files", Form::limit},
    Row{"log", Form::limit},     Row{"driver", Form::limit},  Row{"protect", Form::list},
};

constexpr std::string_view kPlain =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+";

std::string line(const std::string& text, const std::string& from) {
  constexpr size_t kColumn = 40;
  if (from.empty()) return text + "\n";
  return text + std::string(text.size() + 2 < kColumn ? kColumn - text.size() : 2, ' ') + "# " +
         from + "\n";
}

}  // namespace

std::string yaml_scalar(const std::string& text) {
  const bool letter =
      !text.empty() && ((text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z') ||
                        text[0] == '/' || text[0] == '_');
  const bool word = text == "true" || text == "false" || text == "null";
  if (letter && !word && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}

std::string policy_text(const std::vector<Source>& sources) {
  std::string out;
  bool limits = false;
  for (const Row& row : kRows) {
    bool begun = false;
    for (const Source& s : sources) {
      if (s.key != row.key) continue;
      const std::string value = yaml_scalar(s.value);
      if (row.form == Form::limit && !std::exchange(limits, true)) out += "limits:\n";
      if (row.form == Form::list && !std::exchange(begun, true)) out += s.key + ":\n";
      if (row.form == Form::list)
        out += line("  - " + value, s.from);
      else
        out += line((row.form == Form::limit ? "  " : "") + s.key + ": " + value, s.from);
    }
  }
  return out;
}

}  // namespace codexos::policy

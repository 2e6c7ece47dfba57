// SPDX-License-Identifier: Apache-2.0
#include "core/policy/policy_text.h"

#include <array>
#include <utility>

namespace codexos::policy {
namespace {

enum class Form { value, list, limit };
struct PolicyKey {
  std::string_view key;
  Form form;
};
constexpr std::array kPolicyKeys{
    PolicyKey{"net", Form::value},          PolicyKey{"allow", Form::list},
    PolicyKey{"show", Form::list},          PolicyKey{"hide", Form::list},
    PolicyKey{"env", Form::list},           PolicyKey{"isolation", Form::value},
    PolicyKey{"seccomp", Form::value},      PolicyKey{"timeout", Form::limit},
    PolicyKey{"idle_timeout", Form::limit}, PolicyKey{"memory", Form::limit},
    PolicyKey{"cpus", Form::limit},         PolicyKey{"cpu_time", Form::limit},
    PolicyKey{"pids", Form::limit},         PolicyKey{"disk", Form::limit},
    PolicyKey{"open_files", Form::limit},   PolicyKey{"log", Form::limit},
    PolicyKey{"driver", Form::limit},       PolicyKey{"protect", Form::list},
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
  for (const PolicyKey& row : kPolicyKeys) {
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

// SPDX-License-Identifier: Apache-2.0
#include "cli/values.h"

#include <fmt/core.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "cli/suggest.h"
#include "core/base/quote.h"
#include "core/base/text.h"

namespace codexos::cli {
namespace {

struct SignalName {
  int number;
  std::string_view name;
};
constexpr std::array kSignals{
    SignalName{SIGHUP, "HUP"},       SignalName{SIGINT, "INT"},       SignalName{SIGQUIT, "QUIT"},
    SignalName{SIGILL, "ILL"},       SignalName{SIGTRAP, "TRAP"},     SignalName{SIGABRT, "ABRT"},
    SignalName{SIGBUS, "BUS"},       SignalName{SIGFPE, "FPE"},       SignalName{SIGKILL, "KILL"},
    SignalName{SIGUSR1, "USR1"},     SignalName{SIGSEGV, "SEGV"},     SignalName{SIGUSR2, "USR2"},
    SignalName{SIGPIPE, "PIPE"},     SignalName{SIGALRM, "ALRM"},     SignalName{SIGTERM, "TERM"},
    SignalName{SIGSTKFLT, "STKFLT"}, SignalName{SIGCHLD, "CHLD"},     SignalName{SIGCONT, "CONT"},
    SignalName{SIGSTOP, "STOP"},     SignalName{SIGTSTP, "TSTP"},     SignalName{SIGTTIN, "TTIN"},
    SignalName{SIGTTOU, "TTOU"},     SignalName{SIGURG, "URG"},       SignalName{SIGXCPU, "XCPU"},
    SignalName{SIGXFSZ, "XFSZ"},     SignalName{SIGVTALRM, "VTALRM"}, SignalName{SIGPROF, "PROF"},
    SignalName{SIGWINCH, "WINCH"},   SignalName{SIGIO, "IO"},         SignalName{SIGPWR, "PWR"},
    SignalName{SIGSYS, "SYS"}};
constexpr int kMaxSignal = 64;

}  // namespace

Result<int> parse_signal(std::string_view text) {
  if (const auto n = parse_number(text); n.ok() && *n >= 1 && *n <= kMaxSignal)
    return static_cast<int>(*n);
  std::string name = to_upper(text);
  if (name.starts_with("SIG")) name.erase(0, 3);
  std::vector<std::string_view> known;
  for (const SignalName& s : kSignals) {
    if (s.name == name) return s.number;
    known.push_back(s.name);
  }
  std::string hint = "names as in signal(7), or 1 to 64";
  if (const auto near = suggest(name, known); !near.empty())
    hint = fmt::format("did you mean {}?", near);
  return Error{Code::invalid, fmt::format("{} is not a signal", quote_word(text)), std::move(hint)};
}

std::string signal_name(int signal) {
  for (const SignalName& s : kSignals)
    if (s.number == signal) return std::string(s.name);
  return std::to_string(signal);
}

Result<uint64_t> parse_number(std::string_view text) {
  uint64_t n = 0;
  const char* end = text.data() + text.size();
  const auto [stop, err] = std::from_chars(text.data(), end, n);
  if (text.empty() || err != std::errc() || stop != end)
    return Error{Code::invalid, fmt::format("{} is not a number", quote_word(text)), {}};
  return n;
}

Result<std::pair<std::string, std::string>> parse_pair(std::string_view text) {
  const size_t eq = text.find('=');
  if (eq == std::string_view::npos || eq == 0)
    return Error{
        Code::invalid, fmt::format("{} is not of the form KEY=VALUE", quote_word(text)), {}};
  return std::pair(std::string(text.substr(0, eq)), std::string(text.substr(eq + 1)));
}

std::string quote_word(std::string_view word) { return quote_shell(word); }

std::string quote_words(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& w : words) {
    if (!out.empty()) out += ' ';
    out += quote_word(w);
  }
  return out;
}

std::string absolute_path(std::string_view path, std::string_view base, std::string_view home) {
  if (path.starts_with('/')) return std::string(path);
  if (!home.empty() && (path == "~" || path.starts_with("~/")))
    return std::string(home) + std::string(path.substr(1));
  if (path == "." || path.empty()) return std::string(base);
  while (path.starts_with("./")) path.remove_prefix(2);
  if (path.empty()) return std::string(base);
  std::string out(base);
  if (!out.ends_with('/')) out += '/';
  return out.append(path);
}

}  // namespace codexos::cli

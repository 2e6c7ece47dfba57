// SPDX-License-Identifier: Apache-2.0
// codexos secret: what tasks may use and must not have. Values come by stdin or from a file, never
// by an argument: those are seen in /proc and stay in the shell's history.
#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/escape.h"
#include "cli/render.h"
#include "cli/tasks.h"
#include "cli/values.h"
#include "core/base/clock.h"
#include "core/base/secret.h"
#include "core/base/text.h"
#include "core/os/file.h"
#include "core/wire/secret.h"

namespace codexos::cli {
namespace {

constexpr size_t kMaxValue = 64 << 10;
constexpr size_t kMaxLine = 4095;  // of a terminal, which drops what follows (termios(3))

volatile sig_atomic_t got_signal = 0;
void note_signal(int signal) { got_signal = signal; }

/// The terminal shows nothing of what is typed, while it lives. A signal that ends us meanwhile
/// waits until the terminal is again as it was.
class NoEcho {
 public:
  explicit NoEcho(int fd) : fd_(fd), on_(tcgetattr(fd, &before_) == 0) {
    if (!on_) return;
    sigset_t mine;
    sigemptyset(&mine);
    for (const int s : kSignals) sigaddset(&mine, s);
    sigprocmask(SIG_BLOCK, &mine, &mask_);
    struct sigaction note {};
    note.sa_handler = note_signal;
    for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &note, &actions_[i]);
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(fd_, TCSAFLUSH, &quiet);
  }
  ~NoEcho() {
    if (!on_) return;
    tcsetattr(fd_, TCSAFLUSH, &before_);
    for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &actions_[i], nullptr);
    sigprocmask(SIG_SETMASK, &mask_, nullptr);
    if (got_signal != 0) (void)raise(got_signal);
  }
  /// Until there is something to read. False: a signal came, also one from before.
  bool wait() const {
    pollfd p{fd_, POLLIN, 0};
    while (ppoll(&p, 1, nullptr, &mask_) < 0)
      if (errno != EINTR || got_signal != 0) return false;
    return true;
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;

 private:
  static constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};
  std::array<struct sigaction, kSignals.size()> actions_{};
  int fd_;
  termios before_{};
  sigset_t mask_{};
  bool on_;
};

/// Who reads or prints a value leaves no core file with it. (PR_SET_DUMPABLE would hide our
/// namespaces from the daemon, which looks who calls.) A limit of 1 also holds where core(5) pipes
/// to a program.
void leave_no_core() {
  rlimit core{};
  if (getrlimit(RLIMIT_CORE, &core) != 0) return;
  core.rlim_cur = std::min<rlim_t>(1, core.rlim_max);
  setrlimit(RLIMIT_CORE, &core);
}

/// A line of a terminal, or all of a file. The last line's end is not part of it.
Result<Secret> read_secret(const Invocation& inv, const Context& ctx, const char* prompt) {
  const std::string path = inv.value("file", "-");
  Fd file;
  if (path != "-") {
    CODEXOS_ASSIGN(file, open_file(path, O_RDONLY | O_CLOEXEC));
  } else if (!ctx.open_at_start[0]) {
    return Error{Code::invalid, "stdin is closed: no value can be read", "--file FILE"};
  }
  leave_no_core();
  const int fd = file ? file.get() : STDIN_FILENO;
  const bool terminal = isatty(fd) == 1;
  std::optional<NoEcho> quiet;
  if (terminal) {
    quiet.emplace(fd);  // before the prompt: what is typed at once is neither shown nor dropped
    (void)!write(STDERR_FILENO, prompt, strlen(prompt));
  }
  std::string text(kMaxValue + 2, '\0');
  size_t size = 0;
  while (size < text.size()) {
    if (quiet && !quiet->wait()) {
      wipe(text);
      return errno_error("read " + path, EINTR);  // the signal itself ends us
    }
    const ssize_t n = read(fd, text.data() + size, text.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int error = errno;
      wipe(text);
      return errno_error("read " + path, error);
    }
    size += static_cast<size_t>(n);
    if (n == 0 || (terminal && text[size - 1] == '\n')) break;
  }
  if (terminal) (void)!write(STDERR_FILENO, "\n", 1);
  const bool cut = terminal && size >= kMaxLine;
  if (size > 0 && text[size - 1] == '\n') --size;
  Secret out(std::string_view(text).substr(0, size));
  wipe(text);
  if (cut)
    return Error{Code::invalid, "a terminal takes no line of more than 4095 characters",
                 "--file FILE, or a pipe"};
  if (out.view().size() > kMaxValue)
    return Error{Code::invalid, "the value is longer than 64 KiB", {}};
  if (out.empty()) return Error{Code::invalid, "no value was given", "codexos secret --help"};
  return out;
}

/// A new one. On a terminal twice: who mistypes it unseen would never get at his secrets again.
Result<Secret> read_passphrase(const Invocation& inv, const Context& ctx) {
  CODEXOS_ASSIGN(Secret value, read_secret(inv, ctx, "new passphrase (not shown): "));
  if (inv.value("file", "-") != "-" || isatty(STDIN_FILENO) != 1) return value;
  CODEXOS_ASSIGN(const Secret again, read_secret(inv, ctx, "the same again: "));
  if (again.view() != value.view())
    return Error{Code::invalid, "these are two different passphrases: nothing was changed", {}};
  return value;
}

std::string secret_path(const std::string& name, std::string_view verb = "") {
  return "/v1/secrets/" + http::percent_encode(name) + std::string(verb);
}

template <class T>
Result<std::string> send(Context& ctx, const char* method, const std::string& path, T& body) {
  Request request{method, path, {}, json::encode(body, json::Defaults::omit)};
  auto reply = Client(ctx).call(request);
  wipe(request.body);
  return reply;
}

std::string use_of(const wire::SecretBinding& b) {
  std::string out = b.hosts.empty() ? "-" : join_words(b.hosts, " ");
  if (!b.hosts.empty()) out += " " + b.header;
  if (!b.methods.empty()) out += " " + join_words(b.methods, ",");
  if (!b.path_prefix.empty()) out += " " + b.path_prefix + "*";
  return out;
}

Result<int> say_secret(const Context& ctx, const std::string& reply, const char* what) {
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(reply));
    return 0;
  }
  CODEXOS_ASSIGN(const auto s, json::decode<wire::Secret>(reply, json::Unknown::ignore));
  if (ctx.globals.quiet) {
    CODEXOS_TRY(print_line(s.name));
    return 0;
  }
  CODEXOS_TRY(print(fmt::format("{} {}, version {}: {}\n", s.name, what, s.version,
                                printable(use_of(s.binding)))));
  return 0;
}

Result<int> say_vault(const Context& ctx, const std::string& reply) {
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(reply));
    return 0;
  }
  CODEXOS_ASSIGN(const auto v, json::decode<wire::Vault>(reply, json::Unknown::ignore));
  std::string out = fmt::format("vault:   {}\n", name_of(v.state));
  if (!v.detail.empty()) out += fmt::format("why:     {}\n", printable(v.detail));
  out += fmt::format("secrets: {}\nkept by: {}\n", v.secrets, name_of(v.source));
  if (!v.key_id.empty())
    out += fmt::format("key:     {}, made {} ago\n", v.key_id, age(v.key_created_at, now_us()));
  CODEXOS_TRY(print(out));
  return v.state == wire::VaultState::broken ? kFoundProblems : 0;
}

Result<int> ask_vault(Context& ctx, const char* verb) {
  CODEXOS_ASSIGN(const std::string reply,
                 Client(ctx).call(Request{"POST", std::string("/v1/vault/") + verb, {}, {}}));
  return say_vault(ctx, reply);
}

}  // namespace

Result<int> set_secret(Context& ctx, const Invocation& inv) {
  wire::SecretPut body;
  body.binding.hosts = inv.values("host");
  body.binding.header = inv.value("header", body.binding.header);
  body.binding.methods = inv.values("method");
  body.binding.path_prefix = inv.value("path", "");
  body.binding.env = inv.value("env", "");
  CODEXOS_ASSIGN(const Secret value, read_secret(inv, ctx, "value (not shown): "));
  body.value = value.view();
  auto reply = send(ctx, "PUT", secret_path(inv.words[0]), body);
  wipe(body.value);
  if (!reply.ok()) return std::move(reply).error();
  return say_secret(ctx, *reply, "is stored");
}

Result<int> rotate_secret(Context& ctx, const Invocation& inv) {
  CODEXOS_ASSIGN(const Secret value, read_secret(inv, ctx, "new value (not shown): "));
  wire::SecretValue body{std::string(value.view())};
  auto reply = send(ctx, "POST", secret_path(inv.words[0], "/rotate"), body);
  wipe(body.value);
  if (!reply.ok()) return std::move(reply).error();
  return say_secret(ctx, *reply, "has a new value");
}

Result<int> list_secrets(Context& ctx, const Invocation&) {
  CODEXOS_ASSIGN(const std::string reply, Client(ctx).call(Request{"GET", "/v1/secrets", {}, {}}));
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(reply));
    return 0;
  }
  CODEXOS_ASSIGN(const auto list, json::decode<wire::SecretList>(reply, json::Unknown::ignore));
  if (ctx.globals.quiet) {
    for (const auto& s : list.secrets) CODEXOS_TRY(print_line(s.name));
    return 0;
  }
  if (list.secrets.empty()) return 0;
  Table table({"NAME", "VERSION", "CHANGED", "ENV", "FOR"});
  for (const auto& s : list.secrets)
    table.add({s.name, std::to_string(s.version), age(s.changed_at, now_us()),
               s.binding.env.empty() ? "-" : s.binding.env, use_of(s.binding)});
  CODEXOS_TRY(print(table.text(0, wants_color(ctx, STDOUT_FILENO))));
  return 0;
}

Result<int> show_secret(Context& ctx, const Invocation& inv) {
  Client client(ctx);
  leave_no_core();
  if (!inv.has("reveal")) {
    CODEXOS_ASSIGN(const auto list,
                   client.fetch<wire::SecretList>(Request{"GET", "/v1/secrets", {}, {}}));
    for (const auto& s : list.secrets)
      if (s.name == inv.words[0]) return say_secret(ctx, json::encode(s), "is stored");
    return Error{Code::not_found, "there is no secret " + inv.words[0], "codexos secret list"};
  }
  CODEXOS_ASSIGN(std::string reply,
                 client.call(Request{"POST", secret_path(inv.words[0], "/reveal"), {}, {}}));
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(reply));
    wipe(reply);
    return 0;
  }
  CODEXOS_ASSIGN(auto s, json::decode<wire::SecretValue>(reply, json::Unknown::ignore));
  wipe(reply);
  auto printed = print_line(s.value);
  wipe(s.value);
  if (!printed.ok()) return std::move(printed).error();
  return 0;
}

Result<int> remove_secrets(Context& ctx, const Invocation& inv) {
  for (const auto& name : inv.words) {
    CODEXOS_ASSIGN(const std::string reply,
                   Client(ctx).call(Request{"DELETE", secret_path(name), {}, {}}));
    CODEXOS_TRY(say_secret(ctx, reply, "is forgotten"));
  }
  return 0;
}

Result<int> show_vault(Context& ctx, const Invocation&) {
  CODEXOS_ASSIGN(const std::string reply, Client(ctx).call(Request{"GET", "/v1/vault", {}, {}}));
  return say_vault(ctx, reply);
}

Result<int> unlock_vault(Context& ctx, const Invocation& inv) {
  CODEXOS_ASSIGN(const Secret value, read_secret(inv, ctx, "passphrase (not shown): "));
  wire::VaultUnlock body{std::string(value.view())};
  auto reply = send(ctx, "POST", "/v1/vault/unlock", body);
  wipe(body.passphrase);
  if (!reply.ok()) return std::move(reply).error();
  return say_vault(ctx, *reply);
}

Result<int> protect_vault(Context& ctx, const Invocation& inv) {
  wire::VaultProtect body;
  size_t given = 0;
  for (const auto source :
       {wire::KeySource::passphrase, wire::KeySource::file, wire::KeySource::credential}) {
    const bool asked = inv.has(source == wire::KeySource::file ? "key-file" : name_of(source));
    if (!asked) continue;
    ++given;
    body.source = source;
  }
  if (given != 1)
    return Error{Code::invalid, "one of --passphrase, --key-file and --credential is needed", {}};
  Secret value;
  if (body.source == wire::KeySource::passphrase) {
    CODEXOS_ASSIGN(value, read_passphrase(inv, ctx));
    body.passphrase = value.view();
  }
  auto reply = send(ctx, "POST", "/v1/vault/protect", body);
  wipe(body.passphrase);
  if (!reply.ok()) return std::move(reply).error();
  return say_vault(ctx, *reply);
}

Result<int> lock_vault(Context& ctx, const Invocation&) { return ask_vault(ctx, "lock"); }
Result<int> rekey_vault(Context& ctx, const Invocation&) { return ask_vault(ctx, "rekey"); }
Result<int> accept_vault(Context& ctx, const Invocation&) { return ask_vault(ctx, "accept"); }

}  // namespace codexos::cli

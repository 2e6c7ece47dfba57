// SPDX-License-Identifier: Apache-2.0
// codexos doctor: does this machine give what tasks need? The daemon is asked, since tasks get its
// environment; where none answers, its program checks without it, and the report says why.
#include <fmt/core.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "cli/agent_query.h"
#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/commands/daemon_text.h"
#include "cli/doctor_checks.h"
#include "cli/doctor_fix.h"
#include "cli/doctor_text.h"
#include "cli/program.h"
#include "cli/render.h"
#include "cli/start.h"
#include "core/base/version.h"
#include "core/os/socket.h"
#include "core/wire/doctor.h"

namespace codexos::cli {
namespace {

constexpr int kAnswerS = 10;  // it may be busy with a large apply
constexpr int kReportS = 20;
constexpr int64_t kProgramMs = 20000;

/// Who listens on the socket, answering or not; 0: nobody.
int listener_of(const Place& place) {
  const auto fd = connect_unix(place.socket, SocketType::stream);
  ucred peer{};
  socklen_t size = sizeof peer;
  if (!fd.ok() || getsockopt(fd->get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return 0;
  return peer.pid;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

void look_for_git(ClientFacts& f) {
  const char* path = getenv("PATH");
  f.git = find_on_path("git", path == nullptr ? "" : path);
  if (f.git.empty()) return;
  SpawnOptions o;
  o.path = f.git;
  o.argv = {"git", "--version"};
  o.env = {"LC_ALL=C"};
  const auto printed = read_program(std::move(o), kProgramMs);
  f.git_version = printed.ok() ? first_line(printed->text) : printed.error().message;
}

/// What its program says without a daemon.
Result<wire::DoctorReport> report_of_program() {
  CODEXOS_ASSIGN(SpawnOptions o, daemon_spawn({"codexosd", "doctor"}));
  const std::string program = o.path;
  CODEXOS_ASSIGN(const Printed printed, read_program(std::move(o), kProgramMs));
  if (printed.exit_code == 0)
    return json::decode<wire::DoctorReport>(printed.text, json::Unknown::ignore);
  return Error{
      Code::unavailable,
      fmt::format("{} ends with {}: {}", program, printed.exit_code, first_line(printed.text)),
      {}};
}

class Doctor {
 public:
  explicit Doctor(Context& ctx) : ctx_(ctx) {}

  wire::DoctorReport look() {
    ClientFacts f;
    f.version = kVersion;
    f.build_id = kBuildId;
    wire::DoctorReport machine = look_at_machine(f);
    look_for_git(f);
    wire::DoctorReport out;
    for (auto& c : machine.checks) out.add(std::move(c));
    for (const ClientCheck& c : client_checks())
      out.add(wire::check_of(c.name, c.about, c.judge(f)));
    return out;
  }

 private:
  wire::DoctorReport look_at_machine(ClientFacts& f) {
    Client client(ctx_);
    client.patience(kAnswerS);
    auto status = client.fetch<wire::DaemonStatus>(Request{"GET", "/v1/status", {}, {}});
    if (!status.ok()) return look_without_daemon(f, std::move(status).error());
    f.daemon = *std::move(status);
    if (auto agents = find_agents(client, ""); agents.ok()) f.agents = *std::move(agents);
    client.patience(kReportS);
    auto report = client.fetch<wire::DoctorReport>(Request{"GET", "/v1/doctor", {}, {}});
    if (report.ok()) return *std::move(report);
    auto own = report_of_program();  // a daemon that is older than its program
    return own.ok() ? *std::move(own) : wire::DoctorReport();
  }

  wire::DoctorReport look_without_daemon(ClientFacts& f, Error why) {
    const char* forbidden = getenv("CODEXOS_NO_AUTOSTART");
    f.autostart_forbidden = why.code == Code::unavailable && forbidden != nullptr &&
                            *forbidden != '\0' && std::string_view(forbidden) != "0" &&
                            ctx_.globals.socket.empty();
    if (const auto place = Client(ctx_).place(); place.ok() && why.code == Code::timeout)
      f.daemon_pid = listener_of(*place);
    f.why = std::move(why);
    if (!ctx_.globals.socket.empty()) return {};  // whose state folder is not known
    auto report = report_of_program();
    if (report.ok()) return *std::move(report);
    f.why = std::move(report).error();
    f.autostart_forbidden = false;
    return {};
  }

  Context& ctx_;
};

}  // namespace

Result<int> examine(Context& ctx, const Invocation& inv) {
  Doctor doctor(ctx);
  wire::DoctorReport report = doctor.look();
  if (inv.has("fix")) {
    CODEXOS_ASSIGN(const Place place, Client(ctx).place());
    CODEXOS_ASSIGN(const auto fixed, fix_checks(report, place));
    if (!fixed.empty()) report = doctor.look();
    report.fixed = fixed;
    for (const std::string& what : fixed) say("fixed: " + what);
  }
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(json::encode(report)));
  } else if (ctx.globals.quiet) {
    for (const auto& c : report.checks)
      if (c.verdict == wire::Verdict::problem) CODEXOS_TRY(print_line(c.name));
  } else {
    CODEXOS_TRY(print(doctor_text(report, wants_color(ctx, STDOUT_FILENO))));
  }
  return report.problems == 0 ? 0 : kFoundProblems;
}

}  // namespace codexos::cli

// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor_checks.h"

#include <fmt/core.h>

#include <array>

#include "core/base/text.h"

namespace codexos::cli {
namespace {

using wire::Finding;
using wire::is_ok;
using wire::not_applicable;
using wire::problem_of;
using wire::warn_of;

constexpr std::array kChecks{
    ClientCheck{"daemon", "it answers, and is of this build", judge_daemon},
    ClientCheck{"agents", "which of those that are known are installed", judge_agents},
    ClientCheck{"git", "agents and build tools want one in tasks", judge_git},
};

Finding judge_silence(const ClientFacts& f) {
  if (f.daemon_pid != 0)
    return problem_of(
        fmt::format("pid {} listens, and does not answer", f.daemon_pid),
        "it is stopped, or hangs; tasks that run are not touched by its end",
        {fmt::format("kill -CONT {}", f.daemon_pid),
         fmt::format("kill -KILL {}  # if that does not help; the next command starts "
                     "another one",
                     f.daemon_pid)});
  if (f.autostart_forbidden)
    return warn_of("none runs", "CODEXOS_NO_AUTOSTART forbids to start one",
                   {"codexos daemon start"});
  return problem_of("none answers", f.why.message,
                    {f.why.hint.empty() ? std::string("codexos daemon start") : f.why.hint});
}

}  // namespace

Finding judge_daemon(const ClientFacts& f) {
  if (!f.daemon) return judge_silence(f);
  const wire::DaemonStatus& d = *f.daemon;
  const std::string found =
      fmt::format("version {}, build {}, pid {}", d.version, d.build_id, d.pid);
  if (d.build_id == f.build_id) return is_ok(found);
  const std::string ours =
      fmt::format("this program is version {}, build {}", f.version, f.build_id);
  return warn_of(
      found, ours + (d.version == f.version ? "" : "; what one of them lacks is refused by name"),
      {"codexos daemon stop  # tasks go on; the next command starts the new one"});
}

Finding judge_agents(const ClientFacts& f) {
  if (!f.agents) return not_applicable("only a daemon looks for agents");
  std::vector<std::string> found, missing, broken;
  constexpr std::string_view kAnyProgram = "command";  // this preset is there on every machine
  for (const wire::AgentView& a : f.agents->agents)
    if (a.name != kAnyProgram)
      (!a.error.empty() ? broken : a.program.empty() ? missing : found).push_back(a.name);
  const std::string installed = found.empty() ? fmt::format("none of {}", join_words(missing, ", "))
                                              : join_words(found, ", ");
  if (!broken.empty()) {
    Finding out =
        warn_of(installed, "these presets cannot be read: " + join_words(broken, ", "), {});
    for (const std::string& name : broken) out.fix.push_back("codexos agent show " + name);
    return out;
  }
  if (found.empty()) return not_applicable(installed);
  return is_ok(installed + "; versions and logins: codexos agent check NAME");
}

Finding judge_git(const ClientFacts& f) {
  if (f.git.empty())
    return warn_of("not on PATH", "agents and build tools do not find one in tasks either",
                   {"sudo apt-get install git"});
  constexpr std::string_view kPrefix = "git version ";
  if (!f.git_version.starts_with(kPrefix))
    return warn_of(f.git, "it does not run: " + f.git_version,
                   {"sudo apt-get install --reinstall git"});
  return is_ok(fmt::format("{}, {}", f.git_version.substr(kPrefix.size()), f.git));
}

std::span<const ClientCheck> client_checks() { return kChecks; }

}  // namespace codexos::cli

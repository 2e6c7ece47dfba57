// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "cli/doctor_checks.h"
#include "cli/doctor_fix.h"
#include "cli/doctor_text.h"
#include "tests/unit/temp_dir.h"

namespace codexos::cli {
namespace {

using wire::Verdict;

ClientFacts facts() {
  ClientFacts f;
  f.version = "1.2.0";
  f.build_id = "abc";
  f.daemon.emplace();
  f.daemon->version = f.version;
  f.daemon->build_id = f.build_id;
  f.daemon->pid = 12;
  return f;
}

TEST_CASE("a daemon that answers, of this build or another") {
  ClientFacts f = facts();
  CHECK(judge_daemon(f).verdict == Verdict::ok);
  f.daemon->build_id = "def";
  CHECK(judge_daemon(f).verdict == Verdict::warning);
  CHECK(judge_daemon(f).fix.front().starts_with("codexos daemon stop"));
}

TEST_CASE("a daemon that does not answer, and why") {
  ClientFacts f = facts();
  f.daemon.reset();
  f.why = Error{Code::unavailable, "start the daemon: no space", "df -h"};
  CHECK(judge_daemon(f).verdict == Verdict::problem);
  CHECK(judge_daemon(f).cause == "start the daemon: no space");
  CHECK(judge_daemon(f).fix == std::vector<std::string>{"df -h"});
  f.autostart_forbidden = true;
  CHECK(judge_daemon(f).verdict == Verdict::warning);
  f.daemon_pid = 77;
  CHECK(judge_daemon(f).verdict == Verdict::problem);
  CHECK(judge_daemon(f).fix.front() == "kill -CONT 77");
}

TEST_CASE("agents that are installed, missing, or described wrongly") {
  ClientFacts f = facts();
  CHECK(judge_agents(f).verdict == Verdict::not_applicable);
  f.agents.emplace();
  f.agents->agents.emplace_back().name = "claude";
  CHECK(judge_agents(f).verdict == Verdict::not_applicable);
  f.agents->agents[0].program = "/usr/bin/claude";
  CHECK(judge_agents(f).verdict == Verdict::ok);
  f.agents->agents.emplace_back().name = "mine";
  f.agents->agents[1].error = "line 3: what is that";
  CHECK(judge_agents(f).verdict == Verdict::warning);
  CHECK(judge_agents(f).fix == std::vector<std::string>{"codexos agent show mine"});
}

TEST_CASE("git") {
  ClientFacts f = facts();
  CHECK(judge_git(f).verdict == Verdict::warning);
  f.git = "/usr/bin/git";
  f.git_version = "git version 2.39.5";
  CHECK(judge_git(f).found == "2.39.5, /usr/bin/git");
  f.git_version = "git: cannot open shared object file";
  CHECK(judge_git(f).verdict == Verdict::warning);
}

TEST_CASE("a line a check; why and what helps below those that are not ok") {
  wire::DoctorReport r;
  r.add(wire::check_of("one", "", wire::is_ok("fine")));
  r.add(wire::check_of("number-two", "",
                       wire::warn_of("so-so", "because", {"do this", "then that"})));
  CHECK(doctor_text(r, false) ==
        "ok       one         fine\n"
        "warning  number-two  so-so\n"
        "         why: because\n"
        "         fix: do this\n"
        "              then that\n"
        "2 checks: 0 problems, 1 warning\n");
  CHECK(doctor_text(r, true).find("\x1b[33mwarning\x1b[0m  number-two") != std::string::npos);
}

TEST_CASE("only what the report calls fixable is touched") {
  const TempDir dir;
  const Place place{dir.path, dir.path + "/codexosd.sock"};
  const auto mode = [&place] {
    struct stat st {};
    REQUIRE(stat(place.home.c_str(), &st) == 0);
    return st.st_mode & 0777U;
  };
  REQUIRE(chmod(place.home.c_str(), 0755) == 0);
  wire::DoctorReport r;
  r.add(wire::check_of("state-folder", "", wire::problem_of("", "", {})));
  auto done = fix_checks(r, place);
  REQUIRE(done.ok());
  CHECK(done->empty());
  CHECK(mode() == 0755);
  r.checks[0].fixable = true;
  done = fix_checks(r, place);
  REQUIRE(done.ok());
  CHECK(*done == std::vector<std::string>{"chmod 700 " + place.home});
  CHECK(mode() == 0700);
}

}  // namespace
}  // namespace codexos::cli

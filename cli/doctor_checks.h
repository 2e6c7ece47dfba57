// SPDX-License-Identifier: Apache-2.0
// The checks that only the caller can make: its daemon, its agents, its git. The others are the
// daemon's (daemon/doctor/checks.h), made in the environment that tasks get. Judgements are pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/wire/agent.h"
#include "core/wire/daemon.h"
#include "core/wire/doctor.h"

namespace codexos::cli {

struct ClientFacts {
  std::string version, build_id;
  std::optional<wire::DaemonStatus> daemon;  // nothing: none answers, since
  Error why;
  bool autostart_forbidden = false;
  int daemon_pid = 0;  // of one that listens and does not answer
  std::optional<wire::AgentList> agents;
  std::string git;          // its program; empty: not found
  std::string git_version;  // what `git --version` prints
};

wire::Finding judge_daemon(const ClientFacts& f);
wire::Finding judge_agents(const ClientFacts& f);
wire::Finding judge_git(const ClientFacts& f);

struct ClientCheck {
  std::string_view name;
  std::string_view about;
  wire::Finding (*judge)(const ClientFacts&);
};
std::span<const ClientCheck> client_checks();

}  // namespace codexos::cli

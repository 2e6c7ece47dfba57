// SPDX-License-Identifier: Apache-2.0
#include "daemon/doctor/command.h"

#include <signal.h>
#include <unistd.h>

#include "core/json/json.h"
#include "core/os/file.h"
#include "daemon/doctor/checks.h"

namespace codexos::daemon {

Status write_report(const GatherOptions& o) {
  signal(SIGPIPE, SIG_IGN);
  return write_all(STDOUT_FILENO, json::encode(judge_host(gather_facts(o))) + "\n");
}

}  // namespace codexos::daemon

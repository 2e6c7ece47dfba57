// SPDX-License-Identifier: Apache-2.0
// The binary codec (core/base/binary.h) on what travels between daemon, helpers and shim: damaged
// bytes are refused, others are read, written and read as the same.
#include "core/base/plan.h"

#include <array>

#include "core/base/frames.h"
#include "tests/fuzz/fuzz.h"

using namespace codexos;

namespace {

using Check = void (*)(std::string_view);
template <class... T>
constexpr std::array<Check, sizeof...(T)> checks_of{fuzz::check_binary<T>...};

constexpr auto kChecks =
    checks_of<Plan, View, Job, Overlay, ExitFrame, SpawnRequest, PidInfo, StepFailure, Started,
              Ended, EndAck, AttachClient, ExecRequest, ExecEnded, SignalRequest, StopRequest,
              PauseState, OwnerState, NetSockets, DialRequest, Dialled, Measure, NearLimit, Refused,
              Hello, ShimState>;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const auto which = in.ConsumeIntegralInRange<size_t>(0, kChecks.size() - 1);
  kChecks.at(which)(in.ConsumeRemainingBytesAsString());
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "core/os/landlock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/fd.h"

namespace codexos {
namespace {

// include/uapi/linux/landlock.h; spelled out since the headers of older systems stop at their ABI.
constexpr long kCreateRuleset = 444, kAddRule = 445, kRestrictSelf = 446;
constexpr uint64_t kExecute = 1 << 0, kWriteFile = 1 << 1, kReadFile = 1 << 2, kReadDir = 1 << 3,
                   kMakeChar = 1 << 6, kMakeBlock = 1 << 11, kRefer = 1 << 13, kTruncate = 1 << 14,
                   kIoctlDev = 1 << 15;
constexpr uint64_t kScopeAbstractUnix = 1 << 0, kScopeSignal = 1 << 1;
constexpr uint64_t kFileOnly = kExecute | kWriteFile | kReadFile | kTruncate | kIoctlDev;

struct RulesetAttr {
  uint64_t handled_fs, handled_net, scoped;
};
struct [[gnu::packed]] PathBeneath {
  uint64_t allowed;
  int32_t parent_fd;
};

uint64_t handled(int abi) {
  uint64_t all = (1ULL << 13) - 1;  // ABI 1
  if (abi >= 2) all |= kRefer;
  if (abi >= 3) all |= kTruncate;
  if (abi >= 5) all |= kIoctlDev;
  return all;
}

uint64_t rights(LandlockAccess a, uint64_t all) {
  const uint64_t read = kExecute | kReadFile | kReadDir;
  if (a == LandlockAccess::read) return read & all;
  if (a == LandlockAccess::devices) return (read | kWriteFile | kTruncate | kIoctlDev) & all;
  return all & ~(kMakeChar | kMakeBlock);
}

}  // namespace

int landlock_abi() {
  const long abi = syscall(kCreateRuleset, nullptr, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

Status enter_landlock(int abi, bool file_rules, const std::vector<LandlockRule>& rules) {
  if (abi < 2) return {};
  RulesetAttr attr{file_rules ? handled(abi) : 0, 0,
                   abi >= 6 ? kScopeAbstractUnix | kScopeSignal : 0};
  if (attr.handled_fs == 0 && attr.scoped == 0) return {};
  const size_t size = abi >= 6 ? sizeof attr : abi >= 4 ? 16 : 8;
  const Fd set(static_cast<int>(syscall(kCreateRuleset, &attr, size, 0)));
  if (!set) return errno_error("landlock_create_ruleset", errno);
  for (const auto& rule : rules) {
    if (!file_rules) break;
    const Fd at(open(rule.path.c_str(), O_PATH | O_CLOEXEC));
    if (!at) return errno_error("landlock rule " + rule.path, errno);
    struct stat st {};
    if (fstat(at.get(), &st) < 0) return errno_error("stat " + rule.path, errno);
    uint64_t allowed = rights(rule.access, attr.handled_fs);
    if (!S_ISDIR(st.st_mode)) allowed &= kFileOnly;
    const PathBeneath p{allowed, at.get()};
    if (syscall(kAddRule, set.get(), 1 /* LANDLOCK_RULE_PATH_BENEATH */, &p, 0) < 0)
      return errno_error("landlock_add_rule " + rule.path, errno);
  }
  if (syscall(kRestrictSelf, set.get(), 0) < 0) return errno_error("landlock_restrict_self", errno);
  return {};
}

}  // namespace codexos

// SPDX-License-Identifier: Apache-2.0
#include "core/os/landlock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

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

Result<LandlockRuleset> LandlockRuleset::make(int abi, bool file_rules) {
  LandlockRuleset out;
  if (abi < 2) return out;
  RulesetAttr attr{file_rules ? handled(abi) : 0, 0,
                   abi >= 6 ? kScopeAbstractUnix | kScopeSignal : 0};
  if (attr.handled_fs == 0 && attr.scoped == 0) return out;
  const size_t size = abi >= 6 ? sizeof attr : abi >= 4 ? 16 : 8;
  out.fd_.reset(static_cast<int>(syscall(kCreateRuleset, &attr, size, 0)));
  if (!out.fd_) return errno_error("landlock_create_ruleset", errno);
  out.handled_ = attr.handled_fs;
  return out;
}

Status LandlockRuleset::allow(int path_fd, LandlockAccess access, const std::string& what) {
  if (handled_ == 0) return {};
  struct stat st {};
  if (fstat(path_fd, &st) < 0) return errno_error("stat " + what, errno);
  uint64_t allowed = rights(access, handled_);
  if (!S_ISDIR(st.st_mode)) allowed &= kFileOnly;
  const PathBeneath p{allowed, path_fd};
  if (syscall(kAddRule, fd_.get(), 1 /* LANDLOCK_RULE_PATH_BENEATH */, &p, 0) < 0)
    return errno_error("landlock_add_rule " + what, errno);
  return {};
}

Status LandlockRuleset::enter() {
  if (!fd_) return {};
  if (syscall(kRestrictSelf, fd_.get(), 0) < 0) return errno_error("landlock_restrict_self", errno);
  fd_.reset();
  return {};
}

}  // namespace codexos

// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/task_trust.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "core/base/path.h"
#include "core/os/file.h"
#include "core/os/host.h"
#include "daemon/sandbox/view_trust.h"

namespace codexos::daemon {

namespace {

// Everybody's to read: what a task has of it is shown to it by its own mounts only.
constexpr mode_t kTrustFolder = 0755, kTrustFile = 0444;

/// Not synced: a task that outlives a loss of power has lost its sandbox with it.
Status put(const std::string& path, const std::string& text) {
  CODEXOS_ASSIGN(const Fd fd, open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kTrustFile));
  CODEXOS_TRY(write_all(fd.get(), text));
  return fchmod(fd.get(), kTrustFile) == 0 ? Status() : errno_error("chmod " + path, errno);
}

}  // namespace

Status write_trust(const std::string& folder, const TaskCa& ca, TrustStores& stores) {
  CODEXOS_TRY(make_dirs(folder, kTrustFolder));
  if (chmod(folder.c_str(), kTrustFolder) != 0) return errno_error("chmod " + folder, errno);
  const std::string bundle = host_bundle(real_host());
  CODEXOS_ASSIGN(const std::string java, stores.pkcs12(bundle, ca.certificate_pem()));
  const std::string all =
      bundle + (bundle.empty() || bundle.back() == '\n' ? "" : "\n") + ca.certificate_pem();
  CODEXOS_TRY(put(join_path(folder, kTrustCa), ca.certificate_pem()));
  CODEXOS_TRY(put(join_path(folder, kTrustBundle), all));
  return put(join_path(folder, kTrustJava), java);
}

}  // namespace codexos::daemon

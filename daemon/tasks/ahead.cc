// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/ahead.h"

#include <sys/stat.h>

#include "core/base/log.h"

namespace codexos::daemon {
namespace {

constexpr int64_t kOfferAfterMs = 20;  // not beside the start that told us
constexpr int64_t kForgetAfterMs = 60000;

/// Everything that an overlay depends on, as one name. A mode or owner that changed makes another.
/// Empty: there is no such folder.
std::string known_as(const Root& root) {
  struct stat st {};
  if (stat(root.path.c_str(), &st) != 0 || st.st_dev != root.dev || st.st_ino != root.ino)
    return {};
  return root.path + '\0' + std::to_string(st.st_dev) + ' ' + std::to_string(st.st_ino) + ' ' +
         std::to_string(st.st_uid) + ' ' + std::to_string(st.st_gid) + ' ' +
         std::to_string(st.st_mode);
}

/// One folder, held back in an overlay over nothing but itself.
bool is_plain(const Workspace& w) {
  return w.roots.size() == 1 && !w.roots[0].layer.empty() && !w.roots[0].copied &&
         w.roots[0].lowers.empty();
}

}  // namespace

Ahead::Ahead(Loop& loop, Helpers& helpers, Launcher& launcher, SpareFolders& spares)
    : loop_(loop), helpers_(helpers), launcher_(launcher), spares_(spares) {
  helpers_.on_parked([this](Helper& h) { offer(h); });
}

Result<TaskFds> Ahead::create(const TaskPaths& paths, const Start& start, std::string& name) {
  const auto& roots = start.workspace.roots;
  // With a disk limit the helper keeps the layer open, which one that is mounted has not.
  if (is_plain(start.workspace) && start.job.disk_bytes == 0) {
    name = known_as(roots[0]);
    const auto hold = launcher_.ready_for(*start.view, start.job, name);
    remember(roots[0]);
    if (hold)
      if (auto files = std::static_pointer_cast<SpareFolders::Lent>(hold)->move_to(paths.dir))
        return *std::move(files);
  }
  name.clear();
  return spares_.create(paths, roots);
}

void Ahead::remember(const Root& root) {
  const bool same =
      last_ && last_->path == root.path && last_->dev == root.dev && last_->ino == root.ino;
  last_ = root;
  if (forget_timer_ != 0) loop_.cancel(forget_timer_);
  forget_timer_ = loop_.after_ms(kForgetAfterMs, "forget overlays", [this] { forget(); });
  if (!same) loop_.after_ms(kOfferAfterMs, "overlays ahead", [this] { helpers_.offer_parked(); });
}

void Ahead::offer(Helper& h) {
  if (!last_) return;
  const std::string name = known_as(*last_);
  if (name.empty()) return;
  const auto lent = spares_.lend(*last_);
  spares_.refill();
  if (!lent) return;
  Overlay o;
  o.role = last_->role;
  o.target = last_->path;
  DirRef real;
  real.path = last_->path;
  real.dev = last_->dev;
  real.ino = last_->ino;
  o.lowers.push_back(std::move(real));
  o.layer.path = lent->layer();
  if (auto s = launcher_.mount_ahead(h, std::move(o), name, lent); !s.ok())
    log_line(LogLevel::warning, "helpers", "no overlay ahead: " + s.error().message);
}

void Ahead::forget() {
  forget_timer_ = 0;
  last_.reset();
  helpers_.drop_ahead();
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/git_base.h"

#include <sys/stat.h>

#include "core/base/clock.h"
#include "daemon/workspace/as_owner.h"
#include "daemon/workspace/merge.h"

namespace codexos::daemon {
namespace {

int64_t index_ns(const git_index_time& t) {
  return static_cast<int64_t>(t.seconds) * kNsPerS + t.nanoseconds;
}

}  // namespace

GitBase::GitBase(const Root& root) : root_(root) {
  use_libgit2();
  const AsOwner owner(root);
  struct stat st {};
  if (git_repository_open_ext(repo_.out(), root.path.c_str(), GIT_REPOSITORY_OPEN_NO_SEARCH,
                              nullptr) != 0 ||
      git_repository_is_bare(repo_.get()) != 0 ||
      git_repository_index(index_.out(), repo_.get()) != 0 ||
      stat(git_index_path(index_.get()), &st) != 0)
    return;
  written_ns_ = ns_of(st.st_mtim);
}

std::optional<GitBase::Found> GitBase::find(const std::string& path, const TaskTimes& times) const {
  if (written_ns_ == 0) return std::nullopt;
  const AsOwner owner(root_);
  const git_index_entry* e = git_index_get_bypath(index_.get(), path.c_str(), 0);
  if (e == nullptr || (e->mode & S_IFMT) != S_IFREG) return std::nullopt;
  Facts seen;
  seen.ctime_ns = index_ns(e->ctime);
  // Written as late as the index itself: git does not trust such an entry either.
  if (!is_older(seen, times) || index_ns(e->mtime) >= written_ns_) return std::nullopt;
  GitPtr<git_blob, git_blob_free> blob;
  if (git_blob_lookup(blob.out(), repo_.get(), &e->id) != 0) return std::nullopt;
  const auto size = static_cast<uint64_t>(git_blob_rawsize(blob.get()));
  if (size > kMergeLimit || size != e->file_size) return std::nullopt;
  Found out;
  out.text.assign(static_cast<const char*>(git_blob_rawcontent(blob.get())),
                  static_cast<size_t>(size));
  if (!is_mergeable_text(out.text)) return std::nullopt;
  out.executable = (e->mode & S_IXUSR) != 0;
  return out;
}

}  // namespace codexos::daemon

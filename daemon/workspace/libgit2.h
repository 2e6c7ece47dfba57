// SPDX-License-Identifier: Apache-2.0
// libgit2 is used for text: diffs, merges, similarity, hashes, parsing of buffers; and, after an
// apply, for the commit that the user asked for (commit.h). It opens no repository in a layer, and
// runs nothing.
#pragma once

#include <git2.h>

#include <string>

namespace codexos::daemon {

/// Makes libgit2 ready, once a process; every use of it comes after a call of this. Any thread.
void use_libgit2();
/// What libgit2 said about the last failed call of this thread.
std::string libgit2_error();

/// Owns what a libgit2 function made: GitPtr<git_patch, git_patch_free> p; git_patch_...(p.out(),
/// ...).
template <class T, void (*Free)(T*)>
class GitPtr {
 public:
  GitPtr() = default;
  GitPtr(const GitPtr&) = delete;
  GitPtr& operator=(const GitPtr&) = delete;
  GitPtr(GitPtr&& o) noexcept : p_(o.p_) { o.p_ = nullptr; }
  GitPtr& operator=(GitPtr&& o) noexcept {
    if (this != &o) {
      reset();
      p_ = o.p_;
      o.p_ = nullptr;
    }
    return *this;
  }
  ~GitPtr() { reset(); }
  T** out() {
    reset();
    return &p_;
  }
  T* get() const { return p_; }
  explicit operator bool() const { return p_ != nullptr; }

 private:
  void reset() {
    if (p_ != nullptr) Free(p_);
    p_ = nullptr;
  }
  T* p_ = nullptr;
};

}  // namespace codexos::daemon

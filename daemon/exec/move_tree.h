// SPDX-License-Identifier: Apache-2.0
// Renames a folder that the kernel will not rename (EXDEV of an overlay), as mv(1) does it: a
// second tree is made beside the target, takes the target's name, then the old one is removed.
// Files are hard-linked into it, so that the kernel's own copy-up keeps everything of them.
//
// Whoever is interrupted in between leaves the old tree, or the new one, or both; never half of
// one. What others put into the old tree meanwhile is taken along. Programs that stand in the
// folder stay in the old one: that is the one difference to a rename.
#pragma once

namespace codexos::exec {

struct TreeMove {
  int old_dir = -1;  // O_PATH is enough
  const char* old_name = nullptr;
  int new_dir = -1;
  const char* new_name = nullptr;
  unsigned flags = 0;  // 0 or RENAME_NOREPLACE
  /// Asked now and then: false gives up as long as nothing has happened to either name.
  bool (*wanted)(void*) = nullptr;
  /// Told where the second tree is being made, and null when it is one no more: what must be
  /// removed when we are killed in between.
  void (*making)(void*, const char* path) = nullptr;
  void* context = nullptr;
};

/// 0, or an errno for rename(2): EXDEV where it cannot be done this way, ECANCELED when it was not
/// wanted any more. After an error both names are as before.
int move_tree(const TreeMove& m);
/// Removes what a killed move_tree() had been making.
void remove_tree_copy(const char* path);

/// rename(2) and link(2) past the filter that would ask us about them (kUnwatched); 0 or errno.
int rename_unwatched(int old_dir, const char* old_name, int new_dir, const char* new_name,
                     unsigned flags);
int link_unwatched(int old_dir, const char* old_name, int new_dir, const char* new_name);

}  // namespace codexos::exec

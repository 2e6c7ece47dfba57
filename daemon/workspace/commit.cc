// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/commit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "daemon/workspace/as_owner.h"
#include "daemon/workspace/layers.h"
#include "daemon/workspace/libgit2.h"

namespace codexos::daemon {
namespace {

using Repository = GitPtr<git_repository, git_repository_free>;
using Index = GitPtr<git_index, git_index_free>;
using Tree = GitPtr<git_tree, git_tree_free>;
using TreeEntry = GitPtr<git_tree_entry, git_tree_entry_free>;
using Commit = GitPtr<git_commit, git_commit_free>;
using Reference = GitPtr<git_reference, git_reference_free>;
using Signature = GitPtr<git_signature, git_signature_free>;

Error git_failed(const std::string& what) {
  return Error{Code::internal, what + ": " + libgit2_error(), {}};
}
std::string text_of(const git_oid& id) {
  char hex[GIT_OID_HEXSZ + 1] = {};
  git_oid_tostr(hex, sizeof hex, &id);
  return hex;
}

Status open_repository(const Root& root, Repository& repo) {
  if (git_repository_open_ext(repo.out(), root.path.c_str(), GIT_REPOSITORY_OPEN_NO_SEARCH,
                              nullptr) != 0 ||
      git_repository_is_bare(repo.get()) != 0)
    return Error{Code::invalid, root.path + " is not the top of a git work tree", {}};
  return {};
}

/// The commit that HEAD names and its tree; neither where the branch has no commit yet.
Status read_head(const Repository& repo, Commit& commit, Tree& tree) {
  git_oid id;
  const int found = git_reference_name_to_id(&id, repo.get(), "HEAD");
  if (found == GIT_ENOTFOUND || found == GIT_EUNBORNBRANCH) return {};
  if (found != 0 || git_commit_lookup(commit.out(), repo.get(), &id) != 0 ||
      git_commit_tree(tree.out(), commit.get()) != 0)
    return git_failed("read HEAD");
  return {};
}

/// refs/heads/… that HEAD points to.
Result<std::string> branch_of(const Repository& repo) {
  Reference head;
  if (git_reference_lookup(head.out(), repo.get(), "HEAD") != 0) return git_failed("read HEAD");
  if (git_reference_type(head.get()) != GIT_REFERENCE_SYMBOLIC)
    return Error{Code::conflict, "HEAD is detached: there is no branch to commit to",
                 "git switch BRANCH"};
  return std::string(git_reference_symbolic_target(head.get()));
}

bool is_committed_path(const Root& root, uint32_t index, const Op& op) {
  return op.root == index && !in_git_dir(root.role, op.path) && op.path != ".git" &&
         !op.path.ends_with("/.git");
}

struct Blob {
  git_oid id{};
  uint32_t mode = 0;  // 0: none
  bool operator==(const Blob& o) const {
    return mode == o.mode && (mode == 0 || git_oid_equal(&id, &o.id) != 0);
  }
};
Blob blob_in(const Tree& tree, const std::string& path) {
  Blob b;
  TreeEntry e;
  if (!tree || git_tree_entry_bypath(e.out(), tree.get(), path.c_str()) != 0) return b;
  if (git_tree_entry_type(e.get()) != GIT_OBJECT_BLOB) return b;
  b.id = *git_tree_entry_id(e.get());
  b.mode = git_tree_entry_filemode(e.get());
  return b;
}
Blob blob_in(const Index& index, const std::string& path) {
  Blob b;
  const git_index_entry* e = git_index_get_bypath(index.get(), path.c_str(), 0);
  if (e == nullptr) return b;
  b.id = e->id;
  b.mode = e->mode;
  return b;
}

Result<std::string> content_of(int root, const Op& op) {
  if (op.post.kind == EntryKind::link) return op.post.target;
  const Fd fd = open_below(root, op.path, O_RDONLY);
  if (!fd) return errno_error("read " + op.path, errno);
  std::string out(op.post.size, '\0');
  size_t at = 0;
  while (at < out.size()) {
    const ssize_t n = pread(fd.get(), out.data() + at, out.size() - at, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("read " + op.path, errno);
    if (n == 0) break;
    at += static_cast<size_t>(n);
  }
  out.resize(at);
  return out;
}

/// The entry with what lstat(2) says, so that git does not have to read the file again.
void fill_times(int root, const Op& op, git_index_entry& e) {
  struct stat st {};
  const Fd fd = open_below(root, op.path, O_PATH);
  if (!fd || fstat(fd.get(), &st) != 0) return;
  e.ctime.seconds = static_cast<int32_t>(st.st_ctim.tv_sec);
  e.ctime.nanoseconds = static_cast<uint32_t>(st.st_ctim.tv_nsec);
  e.mtime.seconds = static_cast<int32_t>(st.st_mtim.tv_sec);
  e.mtime.nanoseconds = static_cast<uint32_t>(st.st_mtim.tv_nsec);
  e.dev = static_cast<uint32_t>(st.st_dev);
  e.ino = static_cast<uint32_t>(st.st_ino);
  e.uid = st.st_uid;
  e.gid = st.st_gid;
  e.file_size = static_cast<uint32_t>(st.st_size);
}

/// One path into both indexes: the one that becomes the tree, and the work tree's own.
Status add_path(const Repository& repo, int root, const Op& op, const Index& tree,
                const Index& own) {
  const char* path = op.path.c_str();
  if (!op.post.is_content()) {
    if (op.pre.is_content() || op.post.kind == EntryKind::folder) {
      (void)git_index_remove(tree.get(), path, 0);
      (void)git_index_remove(own.get(), path, 0);
    }
    return {};
  }
  int ignored = 0;
  if (blob_in(tree, op.path).mode == 0 &&
      git_ignore_path_is_ignored(&ignored, repo.get(), path) == 0 && ignored != 0)
    return {};
  CODEXOS_ASSIGN(const std::string content, content_of(root, op));
  git_index_entry e{};
  if (git_blob_create_from_buffer(&e.id, repo.get(), content.data(), content.size()) != 0)
    return git_failed("write " + op.path);
  e.path = path;
  e.mode = op.post.kind == EntryKind::link ? GIT_FILEMODE_LINK
           : (op.post.mode & S_IXUSR) != 0 ? GIT_FILEMODE_BLOB_EXECUTABLE
                                           : GIT_FILEMODE_BLOB;
  if (git_index_add(tree.get(), &e) != 0) return git_failed("add " + op.path);
  fill_times(root, op, e);
  if (git_index_add(own.get(), &e) != 0) return git_failed("add " + op.path);
  return {};
}

Result<Fd> open_root(const Root& root) {
  Fd fd(open(root.path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return errno_error("open " + root.path, errno);
  return fd;
}

}  // namespace

Status can_commit(const Root& root, uint32_t number, const std::vector<Op>& ops) {
  use_libgit2();
  const AsOwner owner(root);
  Repository repo;
  CODEXOS_TRY(open_repository(root, repo));
  if (git_repository_state(repo.get()) != GIT_REPOSITORY_STATE_NONE)
    return Error{Code::conflict, "a merge, rebase or the like is in progress in " + root.path,
                 "finish it, or apply without --commit"};
  CODEXOS_TRY(branch_of(repo));
  Signature me;
  if (git_signature_default(me.out(), repo.get()) != 0)
    return Error{Code::invalid, "git does not know who commits: user.name, user.email",
                 "git config user.name and user.email"};
  Commit head;
  Tree tree;
  CODEXOS_TRY(read_head(repo, head, tree));
  Index index;
  if (git_repository_index(index.out(), repo.get()) != 0) return git_failed("read the index");
  if (git_index_has_conflicts(index.get()) != 0)
    return Error{Code::conflict, "the index of " + root.path + " has conflicts", {}};
  for (const Op& op : ops)
    if (is_committed_path(root, number, op) && !(blob_in(index, op.path) == blob_in(tree, op.path)))
      return Error{Code::conflict, op.path + " has staged changes",
                   "commit or unstage them, or apply without --commit"};
  return {};
}

Result<CommitMade> commit_applied(const Root& root, uint32_t number, const std::vector<Op>& ops,
                                  const std::string& message) {
  use_libgit2();
  CODEXOS_ASSIGN(const Fd dir, open_root(root));
  const AsOwner owner(root);
  Repository repo;
  CODEXOS_TRY(open_repository(root, repo));
  CommitMade made;
  CODEXOS_ASSIGN(made.ref, branch_of(repo));
  Signature me;
  if (git_signature_default(me.out(), repo.get()) != 0) return git_failed("who commits");
  Commit head;
  Tree before;
  CODEXOS_TRY(read_head(repo, head, before));
  Index own, next;
  if (git_repository_index(own.out(), repo.get()) != 0 || git_index_new(next.out()) != 0 ||
      (before && git_index_read_tree(next.get(), before.get()) != 0))
    return git_failed("read the index");
  for (const Op& op : ops)
    if (is_committed_path(root, number, op)) CODEXOS_TRY(add_path(repo, dir.get(), op, next, own));
  git_oid tree_id, id;
  Tree tree;
  if (git_index_write_tree_to(&tree_id, next.get(), repo.get()) != 0 ||
      git_tree_lookup(tree.out(), repo.get(), &tree_id) != 0)
    return git_failed("write the tree");
  if (before && git_oid_equal(&tree_id, git_tree_id(before.get())) != 0) return CommitMade{};
  const git_commit* parents[] = {head.get()};
  git_buf text{};
  if (git_message_prettify(&text, message.c_str(), 0, 0) != 0) return git_failed("the message");
  const int created = git_commit_create(&id, repo.get(), "HEAD", me.get(), me.get(), nullptr,
                                        text.ptr, tree.get(), head ? 1 : 0, parents);
  git_buf_dispose(&text);
  if (created != 0) return git_failed("commit");
  made.id = text_of(id);
  if (head) made.parent = text_of(*git_commit_id(head.get()));
  if (git_index_write(own.get()) != 0) return git_failed("write the index");
  return made;
}

Result<bool> take_commit_back(const Root& root, uint32_t number, const std::vector<Op>& ops,
                              const CommitMade& made) {
  use_libgit2();
  const AsOwner owner(root);
  Repository repo;
  CODEXOS_TRY(open_repository(root, repo));
  Reference ref, moved;
  git_oid now, parent;
  if (git_reference_lookup(ref.out(), repo.get(), made.ref.c_str()) != 0 ||
      git_reference_name_to_id(&now, repo.get(), made.ref.c_str()) != 0 || text_of(now) != made.id)
    return false;
  const auto branch = branch_of(repo);
  if (!branch.ok() || *branch != made.ref) return false;  // another one is checked out
  Commit commit;
  Tree tree;
  if (made.parent.empty()) {
    if (git_reference_delete(ref.get()) != 0) return git_failed("take " + made.ref + " back");
  } else {
    if (git_oid_fromstr(&parent, made.parent.c_str()) != 0 ||
        git_commit_lookup(commit.out(), repo.get(), &parent) != 0 ||
        git_commit_tree(tree.out(), commit.get()) != 0 ||
        git_reference_create_matching(moved.out(), repo.get(), made.ref.c_str(), &parent, 1, &now,
                                      "codexos undo") != 0)
      return git_failed("take " + made.ref + " back");
  }
  Index index;
  if (git_repository_index(index.out(), repo.get()) != 0) return git_failed("read the index");
  for (const Op& op : ops) {
    if (!is_committed_path(root, number, op)) continue;
    const Blob blob = blob_in(tree, op.path);
    git_index_entry e{};
    e.id = blob.id;
    e.mode = blob.mode;
    e.path = op.path.c_str();
    if (blob.mode == 0)
      (void)git_index_remove(index.get(), op.path.c_str(), 0);
    else if (git_index_add(index.get(), &e) != 0)
      return git_failed("add " + op.path);
  }
  if (git_index_write(index.get()) != 0) return git_failed("write the index");
  return true;
}

bool is_clean_index(const Root& root, const std::string& file) {
  if (!file.ends_with("/index")) return false;  // most are not: no repository is opened for them
  use_libgit2();
  const AsOwner owner(root);
  Repository repo;
  Commit head;
  Tree tree;
  Index index;
  if (!open_repository(root, repo).ok() ||
      file != std::string(git_repository_path(repo.get())) + "index" ||
      !read_head(repo, head, tree).ok() || !tree ||
      git_repository_index(index.out(), repo.get()) != 0)
    return false;
  GitPtr<git_diff, git_diff_free> diff;
  git_diff_options options{};
  git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
  return git_diff_tree_to_index(diff.out(), repo.get(), tree.get(), index.get(), &options) == 0 &&
         git_diff_num_deltas(diff.get()) == 0;
}

namespace {

bool open_index(int fd, Index& index) {
  char magic[4] = {};
  return pread(fd, magic, sizeof magic, 0) == 4 && std::memcmp(magic, "DIRC", 4) == 0 &&
         git_index_open(index.out(), ("/proc/self/fd/" + std::to_string(fd)).c_str()) == 0;
}

}  // namespace

bool same_index(int a, int b) {
  use_libgit2();
  Index one, other;
  if (a < 0 || b < 0 || !open_index(a, one) || !open_index(b, other)) return false;
  const size_t n = git_index_entrycount(one.get());
  if (n != git_index_entrycount(other.get())) return false;
  constexpr uint16_t kSaid = GIT_INDEX_ENTRY_INTENT_TO_ADD | GIT_INDEX_ENTRY_SKIP_WORKTREE;
  for (size_t i = 0; i < n; ++i) {
    const git_index_entry* x = git_index_get_byindex(one.get(), i);
    const git_index_entry* y = git_index_get_byindex(other.get(), i);
    if (std::strcmp(x->path, y->path) != 0 || git_oid_equal(&x->id, &y->id) == 0 ||
        x->mode != y->mode || git_index_entry_stage(x) != git_index_entry_stage(y) ||
        ((x->flags ^ y->flags) & GIT_INDEX_ENTRY_VALID) != 0 ||
        ((x->flags_extended ^ y->flags_extended) & kSaid) != 0)
      return false;
  }
  return true;
}

}  // namespace codexos::daemon

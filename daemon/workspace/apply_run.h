// SPDX-License-Identifier: Apache-2.0
// The only code that writes into a user's folder. First everything new is laid beside the old, in a
// staging folder `.codexos-ID` at the top of the workspace (the same file system, mode 0700), and
// the old is kept as an image; then entries are exchanged one by one with renameat2(2), so that a
// path is at any moment wholly old or wholly new. What an exchange gave back is compared with what
// the plan was made for: the user's own editor does not ask us. When one is not as expected, all
// are exchanged back.
//
// swap() looks before each step at what is there and goes on from there: called again after a crash
// it finishes the work or takes it back. Folders are opened anew below the workspace by openat2(2):
// no link is followed, no mount crossed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "daemon/workspace/apply_plan.h"
#include "daemon/workspace/workspace.h"

namespace codexos::daemon {

/// Where contents are kept that an apply replaces.
class Images {
 public:
  virtual ~Images() = default;
  /// Keeps the content of the open file, from its start; returns its digest.
  virtual Result<std::string> keep(int fd) = 0;
  /// Only its digest.
  virtual Result<std::string> digest(int fd) = 0;
  virtual std::string digest_of(const std::string& bytes) = 0;
  virtual Result<Fd> open(const std::string& digest) = 0;
};

class ApplyRun {
 public:
  /// The content of an operation's file after it.
  using OpenContent = std::function<Result<Fd>(size_t op)>;
  /// Where the very inode is kept that an operation brings back; empty: nowhere.
  using KeptInode = std::function<std::string(size_t op)>;

  /// Error conflict: a root is another folder now.
  static Result<ApplyRun> open(const std::string& id, const std::vector<Root>& roots,
                               Images& images);

  /// Makes the staging folders and everything that the operations put; keeps what they replace.
  /// Fills in digests and which entries they are; adds operations for folders that have to be made
  /// writable meanwhile. Changes nothing of the user's. Error conflict: an entry is not any more
  /// what the plan was made for.
  Status stage(std::vector<Op>& ops, const OpenContent& content, const KeptInode& kept = nullptr);
  /// All of it, or nothing: on an error what was done is taken back, except left().
  Status swap(const std::vector<Op>& ops);
  /// Of which operation the error of stage() or swap() is.
  std::optional<size_t> failed() const { return failed_; }
  /// What an unsuccessful swap() could not take back, since the user wrote there meanwhile: path
  /// and what is the matter.
  const std::vector<std::string>& left() const { return left_; }
  /// Of files that had further names: the inode itself is linked to `folder`/INDEX, so that undo
  /// can make them one file again. Where that is another file system, the names come apart.
  void keep_inodes(const std::vector<Op>& ops, const std::string& folder) const;
  /// syncfs(2) of the workspace's file systems.
  Status sync() const;
  /// Removes the staging folders; of no use after a swap() that left something.
  void clean();
  /// Whether something that belongs to the user still lies in a staging folder.
  bool holds_old(const std::vector<Op>& ops) const;

 private:
  struct Place {  // a root, opened
    Fd dir;
    Fd staging;
    std::string path;
    MountRole role = MountRole::workspace;
    uint32_t owner_uid = 0, owner_gid = 0;
  };
  struct Found {
    bool there = false;
    Side side;
  };
  struct Parent {
    uint32_t root = 0;
    std::string folder;
    Fd fd;
  };
  ApplyRun(std::string id, Images& images) : name_(".codexos-" + std::move(id)), images_(&images) {}

  // stage
  Status stage_one(std::vector<Op>& ops, size_t i, const OpenContent& content,
                   const KeptInode& kept);
  bool link_kept(Op& op, size_t i, const std::string& inode) const;
  Status keep_old(Op& op);
  Status put_file(Op& op, size_t i, const OpenContent& content);
  Status link_to_group(std::vector<Op>& ops, size_t i, bool& linked);
  Status put_link(Op& op, size_t i);
  Status own(int dir, const std::string& name, const Op& op) const;
  Status open_up_folders(std::vector<Op>& ops);

  // swap
  Result<int> parent(const Op& op);
  bool is_gone_with_folder(const Op& op);
  static Found look(int dir, const std::string& name);
  Status make_writable(const std::vector<Op>& ops);
  Status step(const Op& op, size_t i, Act act);
  Status put(const Op& op, size_t i);
  void give_back(const Op& op, size_t i, int dir);
  bool is_as_staged(const Op& op, size_t i) const;
  Status take_out(const Op& op, size_t i);
  Status remove_folder(const Op& op, size_t i);
  Status make_folder(const Op& op, size_t i);
  Status set_mode(const Op& op, size_t i);
  Status check_old(const std::vector<Op>& ops);
  Status check_old_one(const Op& op, size_t i) const;

  // back
  void take_back(const std::vector<Op>& ops, const std::vector<Step>& steps);
  void undo_step(const Op& op, size_t i, Act act);
  void undo_put(const Op& op, size_t i, int dir);
  void undo_take_out(const Op& op, size_t i, int dir);
  void restore_modes(const std::vector<Op>& ops);
  void leave(const Op& op, const std::string& what);

  Place& place(const Op& op) { return places_.at(op.root); }
  const Place& place(const Op& op) const { return places_.at(op.root); }

  std::string name_;  // of the staging folders
  Images* images_;
  std::vector<Place> places_;
  Parent last_;
  std::map<std::tuple<uint32_t, uint64_t, uint64_t>, size_t> groups_;  // hard links: first of each
  std::set<std::pair<uint32_t, std::string>> replaced_;                // folders that become files
  int64_t staged_at_ns_ = 0;
  std::optional<size_t> failed_;
  std::vector<std::string> left_;
};

/// Removes the staging folders of an apply that never began to swap.
void remove_staging(const std::string& id, const std::vector<Root>& roots);

/// Whether a program has the file open for writing, or mapped so: F_SETLEASE, fcntl(2). Of a file
/// that belongs to another user, and where the file system knows no leases, it is not known: false.
bool is_open_for_writing(int fd);

/// Reads what a side's facts do not say: attributes and a link's target. `dir` and `name`: where.
void read_side(int dir, const std::string& name, Side& side);

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// Remembers what the host answered, and forgets an answer when inotify(7) tells that something it
// was made from has changed: each start of a task asks the same few hundred questions. Refreshing
// costs two system calls however many answers are kept.
//
// An answer depends on every folder that its path was resolved through (links included) and on the
// name that was looked for there, so a component that appears, goes, moves or is replaced is
// noticed. File systems that others change without this kernel knowing (NFS, FUSE, 9p ...) and
// folders that cannot be watched are asked anew each time; what answers of theirs a view was made
// from is compared by lstat(2). A change of the mount table forgets everything.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/fd.h"
#include "core/os/host.h"
#include "core/os/mount_table.h"

namespace codexos {

class HostCache : public Host {
 public:
  /// Both outlive it.
  HostCache(const Host& real, MountTable& mounts);

  /// Forgets what has changed since the last call; called before a set of questions that belong
  /// together. Answers that are given out are values and stay as they were.
  void refresh();

  /// One thing that an answer was made from: true as long as it is as it was.
  struct Fact {
    bool valid = true;
    std::string unwatched;  // asked by lstat: a path nobody tells about
    uint64_t dev = 0, ino = 0, mode = 0;
    int64_t ctime_ns = 0;
  };
  using Facts = std::vector<std::shared_ptr<const Fact>>;
  /// Collects the facts behind all answers from here until stop().
  void start_recording();
  Facts stop_recording();
  static bool hold(const Facts& facts);
  /// Grows whenever a watched fact ceases to hold: while it stays, only those that nobody tells
  /// about need to be asked.
  uint64_t changes() const { return changes_; }

  bool lookup(const std::string& path, PathFact& out) const override;
  bool read_link(const std::string& path, std::string& text) const override;
  std::vector<std::string> list(const std::string& dir) const override;
  bool read(const std::string& path, std::string& text) const override;
  bool owner(const std::string& path, uid_t& uid, gid_t& gid) const override;
  /// Not remembered: asked rarely, and owners and sockets come and go.
  std::vector<HostEntry> entries(const std::string& dir, size_t limit) const override {
    return real_.entries(dir, limit);
  }

 private:
  using FactPtr = std::shared_ptr<Fact>;
  struct Answer {
    bool found = false;
    PathFact path;
    std::string text;
    std::vector<std::string> names;
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<FactPtr> facts;
    uint64_t held_at = 0;  // changes() when all facts were last seen to hold, plus one
  };
  struct Folder {  // of one watch
    std::unordered_map<std::string, std::vector<std::weak_ptr<Fact>>> by_name;
    std::vector<std::weak_ptr<Fact>> all;  // of every name, and of the folder itself
  };
  template <class Ask>
  const Answer& answer(char kind, const std::string& path, Ask ask) const;
  void clear() const;
  void take_events() const;
  void depends_on(Answer& a, const std::string& path, char kind) const;
  void depends_on_name(Answer& a, const std::string& dir, const std::string& name,
                       bool contents) const;
  void depends_on_names(Answer& a, const std::string& dir) const;
  void unwatched(Answer& a, const std::string& path) const;
  int watch(const std::string& dir, bool contents) const;

  const Host& real_;
  MountTable& mounts_;
  mutable Fd inotify_;  // none: nothing is remembered
  mutable uint64_t generation_ = 0;
  mutable uint64_t changes_ = 0;
  mutable std::unordered_map<std::string, Answer> answers_;
  mutable std::unordered_map<int, Folder> folders_;
  mutable Answer last_;  // one that is not remembered
  mutable bool recording_ = false;
  mutable Facts recorded_;
};

}  // namespace codexos

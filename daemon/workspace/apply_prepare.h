// SPDX-License-Identifier: Apache-2.0
// Reads what an apply or an undo needs to know, and makes its operations: the walk over the layers,
// the judgement of each path, merges, the gate. Writes nothing. Runs in a worker.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/wire/apply.h"
#include "daemon/workspace/apply_plan.h"
#include "daemon/workspace/apply_run.h"
#include "daemon/workspace/base.h"
#include "daemon/workspace/layers.h"
#include "daemon/workspace/workspace.h"

namespace codexos::daemon {

/// What is known of a task whose layer is in the stack.
struct TaskKnowledge {
  TaskTimes times;
  std::vector<std::string> roots;  // paths, as the base counts them
  std::optional<Base> base;        // the real entries at its end; nothing: not recorded
};

/// What an earlier apply found at a path before it wrote there.
struct Replaced {
  int64_t at_us = 0;
  Side before;
};
using RootAndPath = std::pair<std::string, std::string>;

struct ApplyRequest {
  std::string task;
  std::vector<Root> roots;
  std::map<std::string, TaskKnowledge> tasks;             // by id
  std::map<RootAndPath, std::vector<Replaced>> replaced;  // by other applies, oldest first
  wire::ApplyBody body;
  std::vector<std::string> protect;  // names beside the gate's own
};

/// Where the content of an operation's file comes from.
struct Content {
  const LayerStack* layers = nullptr;
  Delta delta;         // in layers
  std::string digest;  // in the images
  std::string text;    // with has_text: merged
  bool has_text = false;
  std::string inode;  // path of the very inode, where it was kept
};

struct Prepared {
  std::vector<std::unique_ptr<LayerStack>> stacks;  // one for each root, or null
  std::vector<Op> ops;
  std::vector<Content> contents;  // of ops
  wire::ApplyResult result;
  bool whole = true;  // nothing of the task's changes remains after it
};

Result<Prepared> prepare_apply(const ApplyRequest& request, Images& images);

struct UndoRequest {
  std::string task;
  std::vector<Root> roots;
  std::vector<Op> ops;  // of the apply that is to be undone
  std::string inodes;   // the folder with the inodes that it kept
  wire::UndoBody body;
};
Result<Prepared> prepare_undo(const UndoRequest& request, Images& images);

/// Opens the content of an operation, and reads its attributes into it.
ApplyRun::OpenContent open_contents(Prepared& prepared, Images& images);

/// Which paths are meant: a path, a folder with all in it, or a glob (fnmatch(3)); none: all.
bool is_selected(const std::vector<std::string>& patterns, const std::string& root,
                 const std::string& path);

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// What `codexos-exec --probe` is asked and answers: whether this kernel, as this user, here, gives
// what a sandbox is made of. It is tried for real, in children that end at once. Both travel as
// to_binary(), the request on standard input and the answer on standard output.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/fields.h"
#include "core/base/plan.h"

namespace codexos {

struct ProbeRequest {
  std::string folder;  // where layers lie: the overlay is tried below it; empty: it is not tried
  IdMap uid, gid;      // of a task, as in View
  std::vector<NetlinkBatch> network;  // of a task with --allow; empty: it is not tried
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("folder", s.folder);
    v("uid", s.uid);
    v("gid", s.gid);
    v("network", s.network);
  }
};

/// One thing that was tried, step by step.
struct Attempt {
  bool tried = false;
  std::string step;   // the one that failed; empty: all went well
  int32_t error = 0;  // errno(3) of that step
  std::string text;
  bool ok() const { return tried && step.empty(); }
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("tried", s.tried);
    v("step", s.step);
    v("error", s.error);
    v("text", s.text);
  }
};

struct KernelProbe {
  Attempt user_namespace;  // made, its ids mapped, something mounted inside
  Attempt proc;            // a /proc of its own in a pid namespace of its own
  Attempt id_map;          // root: the folder shown under a task's user id
  Attempt overlay;         // mounted with userxattr; a file changed and one removed in it
  Attempt network;         // a task's rules in a network namespace of its own
  Attempt filter;          // seccomp(2)
  Attempt listener;        // SECCOMP_FILTER_FLAG_NEW_LISTENER
  int32_t landlock_abi = 0;
  std::string label;  // /proc/self/attr/current: codexos-exec's AppArmor profile; empty: none
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("user_namespace", s.user_namespace);
    v("proc", s.proc);
    v("id_map", s.id_map);
    v("overlay", s.overlay);
    v("network", s.network);
    v("filter", s.filter);
    v("listener", s.listener);
    v("landlock_abi", s.landlock_abi);
    v("label", s.label);
  }
};

}  // namespace codexos

// SPDX-License-Identifier: Apache-2.0
#include "daemon/sandbox/landlock.h"

#include <sys/stat.h>

#include <algorithm>

#include "core/base/path.h"

namespace codexos::daemon {
namespace {

constexpr int kLeastAbi = 6;  // scopes of signals and abstract sockets; Linux 6.12

constexpr const char* kNoNetwork =
    "sockets are refused to a task without namespaces: nothing else would keep it from those of "
    "the "
    "host";

struct Lacks {
  bool (*asked)(const wire::TaskCreate& c, bool root);
  const char* option;
  const char* why;
  const char* hint;
};
constexpr Lacks kLacks[] = {
    {[](const wire::TaskCreate& c, bool) { return !c.agent.empty() || !c.prompt.empty(); }, "-a",
     "an agent reaches its model over the network, and sockets are refused to a task without "
     "namespaces",
     ""},
    {[](const wire::TaskCreate& c, bool) { return !c.publish.empty(); }, "--publish", kNoNetwork,
     ""},
    {[](const wire::TaskCreate& c, bool) { return !c.reach.empty(); }, "--reach", kNoNetwork, ""},
    {[](const wire::TaskCreate& c, bool) { return c.seccomp != wire::SeccompProfile::default_; },
     "--seccomp nested", "there is no namespace that a sandbox could be nested in", ""},
    {[](const wire::TaskCreate& c, bool) { return c.learn; }, "--learn",
     "the only listener there is judges changes of modes and times", ""},
    {[](const wire::TaskCreate& c, bool) { return !c.write.empty(); }, "--write",
     "the workspace is a copy at another path, so that nothing of it can be written through",
     "--show PATH:rw lets it write to the real one"},
    {[](const wire::TaskCreate& c, bool root) {
       return root &&
              (c.mode == wire::WorkspaceMode::direct || c.mode == wire::WorkspaceMode::read_only);
     },
     "--mode", "tasks of root have a user of their own, to whom your files do not belong",
     "--mode overlay works on a copy that does"},
    {[](const wire::TaskCreate& c, bool) { return c.models; }, "--models", kNoNetwork, ""},
    {[](const wire::TaskCreate& c, bool) {
       return std::any_of(c.secrets.begin(), c.secrets.end(), [](const wire::SecretUse& use) {
         return use.form != wire::SecretForm::value;
       });
     },
     "--secret, --secret-file", "there is neither an egress nor a file system of its own",
     "--secret-value gives it the value itself"},
    {[](const wire::TaskCreate& c, bool) { return !c.ssh_keys.empty(); }, "--ssh-key", kNoNetwork,
     ""},
    // Last: options above imply it.
    {[](const wire::TaskCreate& c, bool) { return c.net != wire::Network::none; }, "--net, --allow",
     kNoNetwork, "--net none"},
};

bool is_rule(const Mount& m) {
  return m.kind == MountKind::bind || m.kind == MountKind::proc ||
         (m.role == MountRole::etc && (m.kind == MountKind::file || m.kind == MountKind::dir));
}

/// Of the host's identity nothing needs to be known, though everybody may read it.
bool is_left_out(const Mount& m) { return m.target == "/etc/machine-id"; }

PathRule rule_of(const Mount& m) {
  PathRule r;
  r.role = m.role;
  r.path = m.kind == MountKind::bind ? m.source : m.target;
  r.dev = m.dev;
  r.ino = m.ino;
  if (m.devices)
    r.access = RuleAccess::devices;
  else if (m.kind == MountKind::bind && !m.read_only)
    r.access = RuleAccess::write;
  r.required = m.role == MountRole::shown || m.role == MountRole::workspace;
  return r;
}

PathRule own_rule(MountRole role, std::string path, RuleAccess access) {
  PathRule r;
  r.role = role;
  r.path = std::move(path);
  r.access = access;
  r.required = true;
  return r;
}

/// The shim opens the terminals of its task; the task itself would find those of the user, too.
PathRule shim_rule(std::string path) {
  PathRule r = own_rule(MountRole::dev, std::move(path), RuleAccess::devices);
  r.shim_only = true;
  r.required = false;
  return r;
}

Error cannot_cover(const std::string& what, const std::string& why) {
  return Error{Code::denied, "--isolation landlock: " + what + ": " + why,
               "Landlock allows whole folders: show less, or leave it to --isolation full"};
}

/// What would be covered or put elsewhere in a view.
Status check_mount(const Mount& m, const Host& host) {
  if (m.role == MountRole::hidden)
    return cannot_cover(m.target, "it is hidden, and lies in a folder that the task may read");
  if (m.role != MountRole::shown) return {};
  PathFact fact;
  const bool there = host.lookup(m.target, fact);
  if (m.kind != MountKind::bind) {
    // What connects to nothing needs no cover.
    if (there && S_ISSOCK(fact.mode)) return {};
    return cannot_cover(m.target, "it is never shown, and lies in what --show names");
  }
  if (!there || fact.path != m.source)
    return Error{Code::denied,
                 "--isolation landlock: --show " + m.source + ":" + m.target +
                     ": without a mount namespace nothing can be shown at another place",
                 "--show " + m.source};
  return {};
}

bool is_within_another(const PathRule& r, const std::vector<PathRule>& rules) {
  return std::any_of(rules.begin(), rules.end(), [&](const PathRule& x) {
    return &x != &r && x.path != r.path && path_within(r.path, x.path) &&
           x.access == RuleAccess::read && r.access == RuleAccess::read && !x.shim_only;
  });
}

/// Fewer: what a folder's rule gives, those of its entries need not.
std::vector<PathRule> without_needless(std::vector<PathRule> rules) {
  std::vector<PathRule> out;
  for (const auto& r : rules)
    if (r.required || !is_within_another(r, rules)) out.push_back(r);
  return out;
}

}  // namespace

Status check_for_landlock(const wire::TaskCreate& c, bool root) {
  for (const auto& row : kLacks)
    if (row.asked(c, root))
      return Error{Code::invalid,
                   std::string("--isolation landlock: ") + row.option + ": " + row.why, row.hint};
  return {};
}

Status check_landlock_abi(int abi) {
  if (abi >= kLeastAbi) return {};
  return Error{Code::unavailable,
               "--isolation landlock: this kernel's Landlock has ABI " + std::to_string(abi) +
                   "; without namespaces a task can be kept from other processes only with ABI 6 "
                   "(Linux 6.12)",
               "codexos doctor"};
}

Result<std::vector<PathRule>> landlock_rules(const View& view, const std::vector<Mount>& mounts,
                                             const LandlockPlaces& places, const Host& host) {
  std::vector<PathRule> rules;
  rules.push_back(own_rule(MountRole::home, private_home(places), RuleAccess::write));
  rules.push_back(own_rule(MountRole::scratch, private_tmp(places), RuleAccess::write));
  for (const auto* list : {&view.mounts, &mounts})
    for (const auto& m : *list) {
      CODEXOS_TRY(check_mount(m, host));
      if (is_rule(m) && !is_left_out(m) && m.role != MountRole::cache) rules.push_back(rule_of(m));
    }
  for (const char* path : {"/dev/ptmx", "/dev/pts"}) rules.push_back(shim_rule(path));
  PathFact state;
  if (!places.state_home.empty() && host.lookup(places.state_home, state))
    for (const auto& r : rules)
      if (path_within(state.path, r.path))
        return cannot_cover(state.path, "the state folder of codexos lies in " + r.path +
                                            ", which the task may read");
  return without_needless(std::move(rules));
}

std::vector<Mount> landlock_home(const View& view, const LandlockPlaces& places) {
  std::vector<Mount> out;
  for (const auto& m : view.mounts) {
    if (m.target == places.home_inside || !path_within(m.target, places.home_inside)) continue;
    Mount entry;
    entry.target = m.target.substr(places.home_inside.size() + 1);
    if (m.kind == MountKind::file) {
      entry.kind = MountKind::file;
      entry.content = m.content;
    } else if (m.kind == MountKind::bind) {
      entry.kind = MountKind::symlink;
      entry.source = m.source;
    } else {
      continue;
    }
    out.push_back(std::move(entry));
  }
  return out;
}

std::vector<std::string> landlock_notes(const LandlockPlaces& places) {
  std::vector<std::string> out{
      "isolation landlock: no namespaces. The task sees the host's /proc and which other processes "
      "run, and which files exist; it can neither signal nor trace what is not its own, nor use "
      "sockets"};
  out.push_back("HOME and TMPDIR are the task's own, in " + places.private_dir +
                ", and go with it; package caches, /tmp, /dev/shm and terminals of its own are not "
                "there");
  return out;
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/explain.h"

#include <sys/stat.h>

#include <algorithm>

#include "core/base/path.h"
#include "core/json/json.h"
#include "core/policy/policy_text.h"
#include "core/policy/words.h"

namespace codexos::daemon {
namespace {

constexpr int kEventPage = 1000;
constexpr size_t kMaxMissing = 16;
constexpr int kNotFound = 127;

/// Everybody has one of their own.
bool is_own(const std::string& path) {
  for (const char* dir : {"/proc", "/dev", "/sys"})
    if (path_within(path, dir)) return true;
  return path == "/tmp" || path == "/var/tmp" || path == "/run" || path == "/";
}

std::string variable(const StoredCreate& stored, const char* name) {
  const auto it = stored.create.caller_env.find(name);
  return it == stored.create.caller_env.end() ? std::string() : it->second;
}

class Missing {
 public:
  explicit Missing(const InsideView& inside) : inside_(inside) {}

  /// True: it is there on the host and not inside.
  bool look(const std::string& path, bool is_program) {
    PathFact fact;
    if (is_own(path) || found_.size() >= kMaxMissing || !inside_.host().lookup(path, fact))
      return false;
    if (is_program && (fact.is_dir || (fact.mode & 0111) == 0)) return false;
    const bool hidden = inside_.is_hidden(path);
    if (!hidden && inside_.finds(path)) return false;
    const bool known =
        std::any_of(found_.begin(), found_.end(), [&](const auto& m) { return m.path == path; });
    if (!known) found_.push_back({path, is_program, hidden});
    return true;
  }
  std::vector<policy::MissingPath> take() { return std::move(found_); }

 private:
  const InsideView& inside_;
  std::vector<policy::MissingPath> found_;
};

/// What the command line of a failed task names, that is there on the host and was not inside:
/// told as what it is, a fact about the path. Whether the program looked for it nobody recorded.
std::vector<policy::MissingPath> missing_paths(const TaskRow& row, const StoredCreate& stored,
                                               const policy::Rights& rights, Planner& planner) {
  const wire::Task& task = row.task;
  const std::string program = task.argv.empty() ? std::string() : task.argv[0];
  const bool unknown = task.exit_code == kNotFound && program.find('/') == std::string::npos;
  const auto named = policy::paths_named(task.argv, variable(stored, "HOME"), task.cwd);
  if (named.empty() && !unknown) return {};  // `false` need not pay for a look at the host
  const auto inside =
      planner.inside(stored.create.caller_env, stored.uid, stored.gid, rights, task.workspace);
  if (!inside.ok()) return {};
  Missing missing(*inside);
  bool found = !unknown;
  const std::string path = variable(stored, "PATH");
  for (std::string_view rest = path; !rest.empty() && !found;) {
    const size_t colon = std::min(rest.find(':'), rest.size());
    if (colon > 0)
      found = missing.look(normal_path(join_path(rest.substr(0, colon), program)), true);
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  for (const auto& word : named) missing.look(word, word == program);
  return missing.take();
}

Result<policy::Known> gather(const TaskRow& row, Planner& planner) {
  CODEXOS_ASSIGN(const StoredCreate stored,
                 json::decode<StoredCreate>(row.create_json, json::Unknown::ignore));
  policy::Known k;
  k.task = row.task;
  k.rights = stored.policy.rights;
  k.sources = stored.policy.sources;
  k.left_out = stored.policy.left_out;
  k.widenings = stored.policy.widenings;
  if (k.sources.empty()) {
    k.sources = sources_of(stored.create);
    apply_options(stored.create, k.rights);
  }
  if (row.task.exit_code.value_or(0) != 0)
    k.missing = missing_paths(row, stored, k.rights, planner);
  return k;
}

Result<std::vector<policy::Reason>> denials(const std::string& task, Store& store, Depth depth) {
  std::vector<policy::Reason> out;
  for (int64_t since = 0;;) {
    CODEXOS_ASSIGN(const auto events, store.events(task, since, kEventPage));
    for (const auto& e : events) policy::add_denial(e.event, out);
    if (events.size() < static_cast<size_t>(kEventPage) || depth == Depth::first) return out;
    since = events.back().event.seq;
  }
}

}  // namespace

std::optional<policy::MissingPath> look_for(const std::string& path, const TaskRow& row,
                                            Planner& planner) {
  struct stat st {};
  const std::string plain = normal_path(path);
  if (is_own(plain) || stat(plain.c_str(), &st) != 0) return std::nullopt;
  const auto stored = json::decode<StoredCreate>(row.create_json, json::Unknown::ignore);
  if (!stored.ok()) return std::nullopt;
  const auto inside = planner.inside(stored->create.caller_env, stored->uid, stored->gid,
                                     stored->policy.rights, row.task.workspace);
  if (!inside.ok()) return std::nullopt;
  Missing missing(*inside);
  if (!missing.look(plain, false)) return std::nullopt;
  return missing.take().front();
}

Result<policy::Why> explain_task(const TaskRow& row, Store& store, Planner& planner, Depth depth) {
  CODEXOS_ASSIGN(const policy::Known known, gather(row, planner));
  CODEXOS_ASSIGN(auto refused, denials(row.task.id, store, depth));
  return policy::explain(known, std::move(refused));
}

Result<policy::PolicyView> suggest_policy(const TaskRow& row, Store& store, Planner& planner) {
  CODEXOS_ASSIGN(const policy::Known known, gather(row, planner));
  CODEXOS_ASSIGN(auto refused, denials(row.task.id, store, Depth::all));
  policy::PolicyView out;
  out.sources = policy::suggest(known, policy::explain(known, std::move(refused)));
  out.text = policy::policy_text(out.sources);
  return out;
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// Policies: what counts in a folder and for a task, what is wrong with a file, whom the user
// trusts.
#include "core/policy/policy_text.h"
#include "core/policy/report.h"
#include "daemon/api/api.h"
#include "daemon/tasks/explain.h"
#include "daemon/tasks/policy_answers.h"

namespace codexos::daemon {
namespace {

Result<PolicyPlace> place_of(ApiParts& parts, const Call& call, const policy::PolicyQuery& query) {
  if (query.cwd.empty() || query.cwd[0] != '/')
    return Error{Code::invalid, "cwd: must be an absolute path", {}};
  return parts.planner.policy_place(query, call.who().uid, call.who().gid);
}

Result<policy::PolicyView> view(ApiParts& parts, const Call& call) {
  CODEXOS_ASSIGN(const auto query, decode_body<policy::PolicyQuery>(call));
  CODEXOS_ASSIGN(const PolicyPlace place, place_of(parts, call, query));
  CODEXOS_ASSIGN(Decision d, parts.planner.policies().decide(place, query.ask, {}, {}));
  policy::PolicyView out;
  out.text = policy::policy_text(d.resolved.sources);
  out.rights = std::move(d.resolved.rights);
  out.sources = std::move(d.resolved.sources);
  out.notes = std::move(d.resolved.notes);
  out.widenings = std::move(d.resolved.widenings);
  out.files = std::move(d.files);
  return out;
}

void show(ApiParts& parts, const CallPtr& call) { answer(*call, view(parts, *call)); }

Result<policy::PolicyCheck> checked(ApiParts& parts, const Call& call) {
  CODEXOS_ASSIGN(const auto query, decode_body<policy::PolicyQuery>(call));
  CODEXOS_ASSIGN(const PolicyPlace place, place_of(parts, call, query));
  return parts.planner.policies().check(place, query.ask, query.files);
}

void check(ApiParts& parts, const CallPtr& call) { answer(*call, checked(parts, *call)); }

Result<policy::TestReport> tested(ApiParts& parts, const Call& call) {
  CODEXOS_ASSIGN(auto body, decode_body<policy::TestBody>(call));
  CODEXOS_ASSIGN(const PolicyPlace place, place_of(parts, call, body.query));
  auto& policies = parts.planner.policies();
  CODEXOS_ASSIGN(const Decision d, policies.decide(place, body.query.ask, {}, {}));
  if (body.cases.empty()) {
    CODEXOS_ASSIGN(body.cases, policies.tests(place, body.query.ask));
  }
  CODEXOS_ASSIGN(const InsideView inside,
                 parts.planner.inside(body.query.caller_env, call.who().uid, call.who().gid,
                                      d.resolved.rights, place.workspace));
  const Asked asked{d.resolved.rights, inside, place.home, place.workspace};
  policy::TestReport out;
  for (const policy::Case& c : body.cases) {
    out.cases.push_back(answer_case(c, asked));
    out.failed += out.cases.back().answer == out.cases.back().expect ? 0 : 1;
  }
  return out;
}

void test(ApiParts& parts, const CallPtr& call) { answer(*call, tested(parts, *call)); }

/// What policies came to when the task was started.
Result<policy::PolicyView> view_of_task(ApiParts& parts, const Call& call) {
  CODEXOS_ASSIGN(const TaskRow row, parts.supervisor.find(call.param(0)));
  CODEXOS_ASSIGN(const StoredCreate stored,
                 json::decode<StoredCreate>(row.create_json, json::Unknown::ignore));
  policy::PolicyView out;
  out.rights = stored.policy.rights;
  out.sources = stored.policy.sources;
  if (out.sources.empty()) {  // nobody but its options said anything
    out.sources = sources_of(stored.create);
    apply_options(stored.create, out.rights);
  }
  out.text = policy::policy_text(out.sources);
  return out;
}

void task_policy(ApiParts& parts, const CallPtr& call) {
  answer(*call, view_of_task(parts, *call));
}

Result<policy::Why> explained(ApiParts& parts, const Call& call) {
  CODEXOS_ASSIGN(const TaskRow row, parts.supervisor.find(call.param(0)));
  return explain_task(row, parts.store, parts.planner, Depth::all);
}

void why(ApiParts& parts, const CallPtr& call) { answer(*call, explained(parts, *call)); }

Result<policy::PolicyView> suggested(ApiParts& parts, const Call& call) {
  CODEXOS_ASSIGN(const TaskRow row, parts.supervisor.find(call.param(0)));
  return suggest_policy(row, parts.store, parts.planner);
}

void suggest(ApiParts& parts, const CallPtr& call) { answer(*call, suggested(parts, *call)); }

Result<policy::Trusted> trusted(ApiParts& parts, const Call& call) {
  CODEXOS_ASSIGN(const auto body, decode_body<policy::TrustBody>(call));
  policy::PolicyQuery query;
  query.cwd = body.dir;
  query.caller_env = body.caller_env;
  query.ask.config_home = body.config_home;
  CODEXOS_ASSIGN(const PolicyPlace place, place_of(parts, call, query));
  return parts.planner.policies().trust(place, query.ask, body.dry_run);
}

void trust(ApiParts& parts, const CallPtr& call) { answer(*call, trusted(parts, *call)); }

void list(ApiParts& parts, const CallPtr& call) {
  answer(*call, parts.planner.policies().trusted());
}

/// By the file's path, or by a folder of the project; the project may be gone.
Result<policy::Trusted> revoked(ApiParts& parts, const Call& call) {
  const std::string path(call.query("path"));
  if (path.empty() || path[0] != '/')
    return Error{Code::invalid, "path: must be an absolute path", {}};
  auto& policies = parts.planner.policies();
  if (auto r = policies.revoke(path); r.ok() || r.error().code != Code::not_found) return r;
  if (auto r = policies.revoke(path + "/" + kProjectPolicy); r.ok()) return r;
  policy::PolicyQuery query;
  query.cwd = path;
  CODEXOS_ASSIGN(const PolicyPlace place, place_of(parts, call, query));
  return policies.revoke(place.workspace + "/" + kProjectPolicy);
}

void revoke(ApiParts& parts, const CallPtr& call) { answer(*call, revoked(parts, *call)); }

}  // namespace

ApiRoutes policy_routes() {
  return {
      {"POST", "/v1/policy/show", "What a task in a folder may do, and who says so",
       json_of<policy::PolicyQuery>("PolicyQuery"), json_of<policy::PolicyView>("PolicyView"),
       show},
      {"POST", "/v1/policy/check", "What is wrong with policy files",
       json_of<policy::PolicyQuery>("PolicyQuery"), json_of<policy::PolicyCheck>("PolicyCheck"),
       check},
      {"POST", "/v1/policy/test", "Ask a policy questions", json_of<policy::TestBody>("TestBody"),
       json_of<policy::TestReport>("TestReport"), test},
      {"GET", "/v1/tasks/{id}/policy", "What the task may do, and who said so", kNone,
       json_of<policy::PolicyView>("PolicyView"), task_policy},
      {"GET", "/v1/tasks/{id}/why", "What was refused to the task, and what would allow it", kNone,
       json_of<policy::Why>("Why"), why},
      {"GET", "/v1/tasks/{id}/policy/suggest",
       "The smallest policy that gives the task what it had and what it was refused", kNone,
       json_of<policy::PolicyView>("PolicyView"), suggest},
      {"GET", "/v1/trust", "Projects that are trusted", kNone,
       json_of<policy::TrustedList>("TrustedList"), list},
      {"POST", "/v1/trust", "Trust a project's .codexos.yaml as it is now",
       json_of<policy::TrustBody>("TrustBody"), json_of<policy::Trusted>("Trusted"), trust},
      {"DELETE", "/v1/trust", "Trust a project no more", kNone, json_of<policy::Trusted>("Trusted"),
       revoke, "path"},
  };
}

}  // namespace codexos::daemon

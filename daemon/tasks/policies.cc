// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/policies.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "core/base/clock.h"
#include "core/base/path.h"
#include "core/base/text.h"
#include "core/policy/limit_keys.h"
#include "core/policy/settings.h"
#include "daemon/trust/digest.h"

namespace codexos::daemon {
namespace {

using policy::FileState;
using policy::Names;
using policy::Policy;
using policy::Rank;
using policy::Said;

constexpr size_t kMaxLoaded = 64;

struct RankRow {
  Rank rank;
  const char* name;
};
constexpr std::array kRanks{RankRow{Rank::system, "system"}, RankRow{Rank::user, "user"},
                            RankRow{Rank::project, "project"}, RankRow{Rank::given, "given"}};
const char* name_of_rank(Rank r) {
  for (const auto& row : kRanks)
    if (row.rank == r) return row.name;
  return "";
}

std::string user_policy(const PolicyPlace& place, const wire::PolicyAsk& ask) {
  // XDG Base Directory Specification: what is not absolute does not count.
  const bool set = !ask.config_home.empty() && ask.config_home[0] == '/';
  return join_path(set ? ask.config_home : join_path(place.home, ".config"), "codexos/config.yaml");
}

/// As it is written again, relative to nothing.
std::string absolute_file(const std::string& path, const PolicyPlace& place) {
  if (path.substr(0, 2) == "~/") return join_path(place.home, path.substr(2));
  if (!path.empty() && path[0] == '/') return normal_path(path);
  return normal_path(join_path(place.cwd, path));
}

bool says_anything(const policy::PolicyFile& f) {
  return f.ceiling || !f.profiles.empty() || !policy::said(f.settings).empty();
}

Error no_host() {
  return Error{Code::denied, "net host: no policy admits the network of the host",
               "--allow HOST names what the task needs; ceiling: {net: host} in "
               "~/.config/codexos/config.yaml admits all of it"};
}

/// Where the file of a rank goes.
policy::FileInput& slot_of(policy::Inputs& in, Rank rank) {
  struct Row {
    Rank rank;
    policy::FileInput policy::Inputs::*slot;
  };
  static constexpr std::array kSlots{
      Row{Rank::system, &policy::Inputs::system}, Row{Rank::user, &policy::Inputs::user},
      Row{Rank::project, &policy::Inputs::project}, Row{Rank::given, &policy::Inputs::given}};
  const auto row =
      std::find_if(kSlots.begin(), kSlots.end(), [rank](const Row& r) { return r.rank == rank; });
  return in.*(row->slot);
}

/// What a request and what a task may do have in common, under the same names.
template <class From, class To>
void copy_rights(const From& from, To& to) {
  to.show = from.show;
  to.net = from.net;
  to.allow = from.allow;
  to.isolation = from.isolation;
  to.seccomp = from.seccomp;
  to.limits = from.limits;
  to.limit_driver = from.limit_driver;
}

Said one(std::string from, Policy p) { return {std::move(from), std::move(p)}; }

}  // namespace

std::vector<Policies::Place> Policies::places(const PolicyPlace& place,
                                              const wire::PolicyAsk& ask) const {
  std::vector<Place> out{{kSystemPolicy, Rank::system}};
  if (!ask.file.empty()) {
    out.push_back({absolute_file(ask.file, place), Rank::given});
    return out;
  }
  out.push_back({user_policy(place, ask), Rank::user});
  if (!place.workspace.empty())
    out.push_back({join_path(place.workspace, kProjectPolicy), Rank::project});
  return out;
}

Status Policies::check_owner(const Place& p, uint32_t mode, uid_t caller) const {
  if (p.rank != Rank::system && p.rank != Rank::user) return {};
  uid_t uid = 0;
  gid_t gid = 0;
  if (!host_.owner(p.path, uid, gid))
    return Error{Code::unavailable, p.path + ": its owner cannot be found", {}};
  const bool own = uid == 0 || (p.rank == Rank::user && uid == caller);
  if (!own)
    return Error{
        Code::denied, p.path + ": belongs to another user (uid " + std::to_string(uid) + ")",
        p.rank == Rank::system ? "chown root " + p.path : "set XDG_CONFIG_HOME, or chown it"};
  const uint32_t others = p.rank == Rank::system ? 022 : 002;
  if ((mode & others) != 0)
    return Error{Code::denied, p.path + ": others can write to it", "chmod go-w " + p.path};
  return {};
}

void Policies::bound() {
  if (loaded_.size() > kMaxLoaded) loaded_.clear();
}

Result<Policies::Loaded*> Policies::load(const Place& p, uid_t caller) {
  PathFact fact;
  if (!host_.lookup(p.path, fact)) return static_cast<Loaded*>(nullptr);
  if (!S_ISREG(fact.mode)) return Error{Code::invalid, p.path + ": is no regular file", {}};
  // A link in a project could name any file of the user, whose lines messages would then show.
  if (p.rank == Rank::project && fact.path != p.path)
    return Error{Code::denied, p.path + ": is a link", "copy the file there"};
  CODEXOS_TRY(check_owner(p, fact.mode, caller));
  std::string text;
  if (fact.size > policy::kMaxPolicyBytes || !host_.read(p.path, text))
    return Error{Code::invalid, p.path + ": cannot be read, or is larger than 64 KiB", {}};
  const std::string key = std::string(name_of_rank(p.rank)) + ":" + p.path;
  const auto known = loaded_.find(key);
  if (known != loaded_.end() && known->second.text == text) return &known->second;
  Loaded& file = loaded_[key];
  file.read = policy::read_policy(text, p.path, p.rank);
  file.text = std::move(text);
  file.sha256.clear();
  return &file;
}

Result<Policies::Trust> Policies::trust_of(const PolicyPlace& place, const std::string& path,
                                           Loaded& file) {
  if (store_ == nullptr) return Trust::none;
  CODEXOS_ASSIGN(const auto row, store_->trust().find(path));
  if (!row) return Trust::none;
  if (file.sha256.empty()) file.sha256 = sha256_hex(file.text);
  const bool same = row->sha256 == file.sha256 && row->dev == place.dev && row->ino == place.ino;
  return same ? Trust::yes : Trust::changed;
}

Result<Decision> Policies::decide(const PolicyPlace& place, const wire::PolicyAsk& ask,
                                  std::vector<Said> options, const Names& set) {
  bound();
  CODEXOS_ASSIGN(policy::Settings settings, policy::read_settings(ask.settings));
  wire::PolicyAsk full;
  full.file = ask.file.empty() ? settings.file : ask.file;
  full.config_home = ask.config_home;
  Decision d;
  policy::Inputs in;
  in.profile = ask.profile.empty() ? settings.profile : ask.profile;
  in.home = place.home;
  in.workspace = place.workspace;
  Trust trust = Trust::none;
  d.said = !settings.said.empty() || !(in.profile.empty() || in.profile == "default");
  for (const Place& p : places(place, full)) {
    CODEXOS_ASSIGN(Loaded* const file, load(p, place.uid));
    FileState state{p.path, name_of_rank(p.rank), "absent", {}, {}};
    if (file != nullptr) {
      if (!file->read.problems.empty()) return file->read.problems.front();
      state.state = "in force";
      slot_of(in, p.rank) = {&file->read.file, p.path};
      if (p.rank == Rank::project) {
        CODEXOS_ASSIGN(trust, trust_of(place, p.path, *file));
        in.trusted = trust == Trust::yes;
        if (!in.trusted) state.state = trust == Trust::none ? "not trusted" : "changed";
      }
      d.said = d.said || says_anything(file->read.file) || p.rank == Rank::given;
    } else if (p.rank == Rank::given) {
      return Error{Code::not_found, "--policy " + p.path + ": there is no such file", {}};
    }
    d.files.push_back(std::move(state));
  }
  const auto wants_host = [](const Said& s) { return s.policy.net == wire::Network::host; };
  if (!d.said) {
    if (std::any_of(options.begin(), options.end(), wants_host)) return no_host();
    return d;
  }
  in.options = std::move(settings.said);
  std::move(options.begin(), options.end(), std::back_inserter(in.options));
  in.set = set;
  CODEXOS_ASSIGN(d.resolved, policy::resolve(in));
  if (d.resolved.rights.net == wire::Network::host && !policy::admits_host(in)) return no_host();
  if (!d.resolved.widenings.empty())
    d.remark = in.project.name +
               (trust == Trust::changed ? " has changed since it was trusted, so it cannot widen ("
                                        : " is not trusted, so it cannot widen (") +
               join_words(d.resolved.widenings, ", ") + "): codexos trust";
  return d;
}

Result<std::vector<policy::Case>> Policies::tests(const PolicyPlace& place,
                                                  const wire::PolicyAsk& ask) {
  bound();
  std::vector<policy::Case> out;
  for (const Place& p : places(place, ask)) {
    CODEXOS_ASSIGN(Loaded* const file, load(p, place.uid));
    if (file == nullptr) continue;
    if (!file->read.problems.empty()) return file->read.problems.front();
    const auto& more = file->read.file.tests;
    out.insert(out.end(), more.begin(), more.end());
  }
  return out;
}

policy::PolicyCheck Policies::check(const PolicyPlace& place, const wire::PolicyAsk& ask,
                                    const std::vector<std::string>& files) {
  bound();
  std::vector<Place> all;
  for (const auto& f : files) {
    const std::string path = absolute_file(f, place);
    const bool project = path.size() > 14 && path.substr(path.rfind('/') + 1) == kProjectPolicy;
    all.push_back({path, path == kSystemPolicy             ? Rank::system
                         : path == user_policy(place, ask) ? Rank::user
                         : project                         ? Rank::project
                                                           : Rank::given});
  }
  if (files.empty()) all = places(place, ask);
  policy::PolicyCheck out;
  for (const Place& p : all) {
    policy::CheckedFile c;
    c.path = p.path;
    c.rank = name_of_rank(p.rank);
    const auto file = load(p, place.uid);
    if (!file.ok()) {
      c.problems.push_back({file.error().message, file.error().hint});
    } else if (*file == nullptr) {
      c.found = false;
      if (!files.empty()) c.problems.push_back({p.path + ": there is no such file", {}});
    } else {
      for (const Error& e : (*file)->read.problems) c.problems.push_back({e.message, e.hint});
    }
    out.files.push_back(std::move(c));
  }
  return out;
}

Result<policy::Trusted> Policies::trust(const PolicyPlace& place, const wire::PolicyAsk& ask,
                                        bool dry_run) {
  bound();
  if (place.workspace.empty() || store_ == nullptr)
    return Error{Code::invalid, "there is no project here", {}};
  const Place p{join_path(place.workspace, kProjectPolicy), Rank::project};
  CODEXOS_ASSIGN(Loaded* const file, load(p, place.uid));
  if (file == nullptr)
    return Error{Code::not_found, "there is no " + p.path, "codexos policy show"};
  if (!file->read.problems.empty()) return file->read.problems.front();
  // What it would widen: as if it were not trusted, whether it is or not. Its profiles count too.
  policy::Inputs in;
  in.home = place.home;
  in.workspace = place.workspace;
  wire::PolicyAsk plain;
  plain.config_home = ask.config_home;
  for (const Place& other : places(place, plain)) {
    CODEXOS_ASSIGN(Loaded* const f, load(other, place.uid));
    if (f == nullptr) continue;
    if (!f->read.problems.empty()) return f->read.problems.front();
    slot_of(in, other.rank) = {&f->read.file, other.path};
  }
  policy::Trusted out;
  CODEXOS_ASSIGN(const policy::Resolved plain_rights, policy::resolve(in));
  out.widens = plain_rights.widenings;
  for (const auto& [name, profile] : file->read.file.profiles) {
    in.profile = name;
    CODEXOS_ASSIGN(const policy::Resolved r, policy::resolve(in));
    for (const auto& w : r.widenings)
      if (std::find(out.widens.begin(), out.widens.end(), w) == out.widens.end())
        out.widens.push_back(w + " (profile " + name + ")");
  }
  if (file->sha256.empty()) file->sha256 = sha256_hex(file->text);
  out.path = p.path;
  out.sha256 = file->sha256;
  CODEXOS_ASSIGN(const Trust before, trust_of(place, p.path, *file));
  out.state = before == Trust::yes       ? "trusted"
              : before == Trust::changed ? "changed"
                                         : "not trusted";
  if (dry_run) return out;
  TrustRow row;
  row.path = out.path;
  row.sha256 = out.sha256;
  row.dev = place.dev;
  row.ino = place.ino;
  row.widens = out.widens;
  row.at_us = now_us();
  CODEXOS_TRY(store_->trust().put(row));
  out.state = "trusted";
  out.trusted_at = format_time(row.at_us);
  return out;
}

Result<policy::TrustedList> Policies::trusted() {
  policy::TrustedList out;
  if (store_ == nullptr) return out;
  CODEXOS_ASSIGN(const auto rows, store_->trust().all());
  for (const TrustRow& row : rows) {
    policy::Trusted t{row.path, row.sha256, "trusted", row.widens, format_time(row.at_us)};
    std::string text;
    PathFact folder;
    if (!host_.lookup(parent_path(row.path), folder) || !host_.read(row.path, text))
      t.state = "gone";
    else if (sha256_hex(text) != row.sha256 || folder.dev != row.dev || folder.ino != row.ino)
      t.state = "changed";
    out.projects.push_back(std::move(t));
  }
  return out;
}

Result<policy::Trusted> Policies::revoke(const std::string& path) {
  if (store_ == nullptr) return Error{Code::invalid, "there is no store", {}};
  CODEXOS_ASSIGN(const auto row, store_->trust().find(path));
  if (!row) return Error{Code::not_found, path + " is not trusted", "codexos trust --list"};
  CODEXOS_TRY(store_->trust().remove(path));
  return policy::Trusted{row->path, row->sha256, "not trusted", row->widens, {}};
}

std::vector<Said> options_of(const wire::TaskCreate& c) {
  const auto given = [&c](std::string_view name) {
    return std::find(c.policy.given.begin(), c.policy.given.end(), name) != c.policy.given.end();
  };
  std::vector<Said> out;
  const auto add = [&out](std::string from, auto set) {
    Policy p;
    set(p);
    out.push_back(one(std::move(from), std::move(p)));
  };
  for (const auto& x : c.show) add("--show " + x, [&x](Policy& p) { p.show = Names{x}; });
  for (const auto& x : c.allow) add("--allow " + x, [&x](Policy& p) { p.allow = Names{x}; });
  if (c.net == wire::Network::host || given("net") ||
      (c.net != wire::Network::none && c.allow.empty()))
    add("--net " + std::string(name_of(c.net)), [&c](Policy& p) { p.net = c.net; });
  if (c.isolation != wire::Isolation::full || given("isolation"))
    add("--isolation " + std::string(name_of(c.isolation)),
        [&c](Policy& p) { p.isolation = c.isolation; });
  if (c.seccomp != wire::SeccompProfile::default_ || given("seccomp"))
    add("--seccomp " + std::string(name_of(c.seccomp)), [&c](Policy& p) { p.seccomp = c.seccomp; });
  for (const policy::LimitKey& key : policy::kLimitKeys) {
    const std::string option = limit_option(*key.row);
    const uint64_t amount = c.limits.*(key.row->amount);
    const std::string text = limit_text(*key.row, amount);
    if (amount != 0 || given(std::string_view(option).substr(2)))
      add(option + " " + text, [&](Policy& p) { key.say(p.limits, text); });
  }
  if (c.limit_driver != wire::LimitDriver::any)
    add("limit_driver", [&c](Policy& p) { p.limits.driver = c.limit_driver; });
  return out;
}

std::vector<policy::Source> sources_of(const wire::TaskCreate& create) {
  policy::Inputs in;
  in.options = options_of(create);
  const auto r = policy::resolve(in);
  return r.ok() ? r->sources : std::vector<policy::Source>();
}

void apply_options(const wire::TaskCreate& c, policy::Rights& r) { copy_rights(c, r); }

void apply_rights(const policy::Rights& r, wire::TaskCreate& c) { copy_rights(r, c); }

}  // namespace codexos::daemon

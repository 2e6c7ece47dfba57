// SPDX-License-Identifier: Apache-2.0
// What tasks reach, in their story: each connection and each refusal is an event, and the network
// ends before the task does, so that its last events stand before task.ended.
#include <algorithm>

#include "core/base/binary.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "daemon/tasks/known_values.h"
#include "daemon/tasks/supervisor.h"
#include "daemon/tasks/task_trust.h"
#include "daemon/tasks/vault.h"

namespace codexos::daemon {
namespace {

/// `net` with the changes. Error invalid: a rule is wrong; not_found: one to take away is not
/// there.
Status change_rules(wire::TaskNet& net, const wire::NetBody& body) {
  for (const auto& text : body.deny) {
    const auto it = std::find(net.allow.begin(), net.allow.end(), text);
    if (it == net.allow.end()) {
      return Error{
          Code::not_found, "no rule in force reads " + text,
          net.allow.empty() ? "there are no rules" : "rules: " + join_words(net.allow, " ")};
    }
    net.allow.erase(it);
  }
  for (const auto& text : body.allow)
    if (std::find(net.allow.begin(), net.allow.end(), text) == net.allow.end())
      net.allow.push_back(text);
  auto rules = parse_net_rules(net.allow);
  if (!rules.ok()) return std::move(rules).error();
  return {};
}

/// The agent whose shared login a task has placeholders of; empty: none.
std::string login_of(const wire::Task& t) {
  return t.agent && t.agent->auth == "login" && t.agent->placeholders ? t.agent->name : "";
}

}  // namespace

std::optional<wire::TaskNet> Supervisor::net_of(const wire::TaskCreate& c) {
  std::optional<wire::TaskNet> net;
  if (c.net != wire::Network::allow) return net;
  net.emplace();
  net->allow = c.allow;
  net->publish = c.publish;
  net->reach = c.reach;
  net->max_bytes = c.net_bytes;
  net->models = c.models;
  return net;
}

InjectionSetPtr Supervisor::injections_of(const Running& r, const std::string& id,
                                          const std::string& login, std::string& left_out) const {
  return make_injections({id, r.placeholders, r.keys, login, r.login_hosts, p_.home}, p_.vault,
                         left_out);
}

/// A daemon that takes the task over opens them again. Where the vault is locked none can: they are
/// in memory alone.
void Supervisor::seal_keys(Running& r, const std::string& id, SecretParts& secrets) {
  r.keys = std::move(secrets.keys);
  for (GivenPlaceholder& given : secrets.placeholders) {
    const auto key = r.keys.find(given.placeholder);
    if (key == r.keys.end()) continue;
    auto sealed = p_.vault.seal_for_task(id, given.secret, key->second.view());
    if (sealed.ok())
      given.sealed = *std::move(sealed);
    else
      log_line(LogLevel::warning, "task " + id,
               given.secret + " is kept in memory alone: " + sealed.error().message);
  }
  r.placeholders = secrets.placeholders;
}

/// Who uses no placeholder has no injections either.
Status Supervisor::begin_network(Running& r, const TaskPaths& paths, const std::string& id,
                                 const wire::TaskCreate& create, SecretParts& secrets) {
  const auto net = net_of(create);
  if (!net) return {};
  seal_keys(r, id, secrets);
  std::string left_out;
  NetSecrets given{injections_of(r, id, secrets.login, left_out), secrets.ca};
  if (!left_out.empty()) return Error{Code::denied, "secret " + left_out, {}};
  if (given.ca) {
    CODEXOS_TRY(save_authority(*given.ca, paths.authority()));
    CODEXOS_TRY(write_trust(paths.trust(), *given.ca, trust_stores_));
  }
  CODEXOS_TRY(p_.network.begin(id, *net, std::move(given)));
  auto s = serve_ssh(r, paths, id);
  if (!s.ok()) p_.network.end(id, [](const NetTotals&) {});
  return s;
}

Status Supervisor::serve_ssh(const Running& r, const TaskPaths& paths, const std::string& id) {
  if (!r.ssh) return {};
  auto listener = listen_for_ssh(paths.ssh());
  if (!listener.ok()) return std::move(listener).error().during("the task's SSH agent");
  p_.network.serve_ssh(id, r.ssh, *std::move(listener));
  return {};
}

/// Of a task that an earlier daemon started.
Status Supervisor::resume_network(Running& r) {
  const auto& net = r.row.task.net;
  if (!net) return {};
  const std::string id = r.row.task.id;
  std::string left_out;
  NetSecrets given{injections_of(r, id, login_of(r.row.task), left_out), {}};
  if (!left_out.empty()) log_line(LogLevel::warning, "task " + id, "secret " + left_out);
  CODEXOS_ASSIGN(given.ca, load_authority(paths(r.row).authority()));
  CODEXOS_TRY(p_.network.begin(id, *net, std::move(given)));
  return serve_ssh(r, paths(r.row), id);
}

/// What the task was given, as its shim knows it.
void Supervisor::on_values(Running& r, LinkMessage& m) {
  const auto told = from_binary<Values>(m.payload);
  if (told.ok() && p_.vault.describe().state != wire::VaultState::locked)
    p_.values.set(r.row.task.id, told->values);
}

void Supervisor::ask_values(Running& r) {
  if (!p_.values.withholds(r.row.task.id) || !r.helper || !r.helper->link || r.link_closed) return;
  if (p_.vault.describe().state != wire::VaultState::locked)
    r.helper->link->send(LinkType::tell_values);
}

/// The vault has other values, or is open again.
void Supervisor::secrets_changed() {
  if (p_.vault.describe().state == wire::VaultState::locked) p_.values.withhold_all();
  for (auto& [id, r] : tasks_) {
    ask_values(*r);
    // Callers' keys that are in memory do not depend on it, and other injections cut connections.
    const bool of_vault =
        std::any_of(r->placeholders.begin(), r->placeholders.end(),
                    [&keys = r->keys](const auto& g) { return keys.count(g.placeholder) == 0; });
    if (!of_vault || !r->row.task.net || r->finished) continue;
    std::string left_out;
    (void)p_.network.change(id, *r->row.task.net,
                            injections_of(*r, id, login_of(r->row.task), left_out));
    if (!left_out.empty()) log_line(LogLevel::warning, "task " + id, "secret " + left_out);
  }
}

void Supervisor::change_network(const std::string& id, const wire::NetBody& body, OnTask done) {
  Running* r = controllable(id, done);
  if (r == nullptr) return;
  if (!r->row.task.net)
    return done(Error{Code::conflict,
                      "task " + r->row.task.id + " has no network that could be widened",
                      "start it with --net allow"});
  wire::TaskNet changed = *r->row.task.net;
  if (auto s = change_rules(changed, body); !s.ok()) return done(std::move(s).error());
  if (auto s = p_.network.check_change(r->row.task.id, changed); !s.ok())
    return done(std::move(s).error());
  settle();
  const wire::TaskNet before = std::exchange(*r->row.task.net, changed);
  Status s = p_.store.update_task(r->row);
  if (s.ok())
    s = add_event(r->row, wire::EventType::net_changed,
                  [&changed](wire::Event& e) { e.allow = changed.allow; });
  if (!s.ok()) {
    r->row.task.net = before;
    return done(std::move(s).error());
  }
  const std::string key = r->row.task.id;
  p_.after_commit.add([this, key, changed] { (void)p_.network.change(key, changed); },
                      [this, key, before](const Error&) {
                        if (Running* x = find_running(key)) x->row.task.net = before;
                      });
  done(r->row.task);
}

void Supervisor::on_network(Running& r, LinkMessage& m) {
  auto less = p_.network.take(r.row.task.id, m);
  if (!less.ok())
    log_line(LogLevel::warning, "task " + r.row.task.id, less.error().message);
  else if (!less->empty())
    r.row.task.notes.push_back(*std::move(less));
}

/// Somebody connected to a port that the task shows.
void Supervisor::dial_inside(const std::string& id, uint64_t number, int32_t port) {
  Running* r = find_running(id);
  if (r != nullptr && reachable(*r) && !r->finished)
    return r->helper->link->send(LinkType::dial, DialRequest{number, port});
  p_.network.dialled(id, number, Fd());
}

void Supervisor::on_dialled(Running& r, LinkMessage& m) {
  const auto told = from_binary<Dialled>(m.payload);
  if (!told.ok()) return;
  p_.network.dialled(r.row.task.id, told->id, m.fds.empty() ? Fd() : std::move(m.fds.front()));
}

void Supervisor::on_net_report(const std::string& id, const NetReport& told) {
  Running* r = find_running(id);
  if (r == nullptr || r->end_row || r->finished) return;
  settle();
  NetReport report = told;
  if (p_.values.withholds(id)) {
    report.target = kWithheld;
    report.hint.clear();
    report.detail.clear();
  }
  // A placeholder that went where its secret may not is something that was refused.
  const bool secret = report.kind == NetReport::Kind::secret;
  const bool used = secret && report.what != "misplaced";
  const bool denied = report.kind == NetReport::Kind::denied || (secret && !used);
  if (used) r->unused_hint.clear();
  const auto type = used     ? wire::EventType::secret_used
                    : denied ? wire::EventType::denied
                             : wire::EventType::net_connection;
  const auto s = add_event(r->row, type, [&report, denied, secret](wire::Event& e) {
    e.ts = format_time(report.at_us);
    e.target = report.target;
    if (report.port != 0) e.port = report.port;
    if (!report.rule.empty()) e.rule = report.rule;
    if (!report.detail.empty()) e.detail = report.detail;
    if (secret) e.secret = report.secret;
    if (denied || secret) {
      e.what = secret && denied ? "secret" : report.what;
      if (!report.hint.empty()) e.hint = report.hint;
      return;
    }
    if (!report.address.empty()) e.address = report.address;
    e.bytes_in = report.bytes_in;
    e.bytes_out = report.bytes_out;
    e.duration_us = report.duration_us;
  });
  if (!s.ok()) log_line(LogLevel::warning, "task " + id, s.error().message);
  if (report.what == "refreshed") sync_logins(nullptr);  // its other tasks have the old ones
}

/// True: finish() goes on when the network has ended.
bool Supervisor::end_network_first(Running& r, const Ended& end) {
  const std::string id = r.row.task.id;
  if (!p_.network.serves(id)) return r.network_ending;
  r.network_ending = true;
  p_.network.end(id, [this, id, end](const NetTotals& totals) {
    Running* x = find_running(id);
    if (x == nullptr) return;
    x->network_ending = false;
    if (settle_models_) settle_models_();
    if (auto& net = x->row.task.net) {
      net->bytes_in = net->bytes_in.value_or(0) + totals.bytes_in;
      net->bytes_out = net->bytes_out.value_or(0) + totals.bytes_out;
      net->connections = net->connections.value_or(0) + totals.connections;
      net->denials = net->denials.value_or(0) + totals.denials;
    }
    if (totals.unreported != 0)
      x->row.task.notes.push_back(std::to_string(totals.unreported) +
                                  " more network events are not recorded");
    finish(id, end);
  });
  return true;
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/vault.h"

#include <algorithm>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/json/json.h"
#include "core/os/file.h"
#include "core/os/replace_file.h"
#include "core/policy/net_rules.h"

namespace codexos::daemon {
namespace {

constexpr size_t kMaxSecretName = 64;
constexpr size_t kLeastValue = 8;  // what is shorter stands everywhere by chance
constexpr size_t kMaxValue = 64 << 10;
constexpr size_t kMaxWord = 256;
constexpr size_t kMaxList = 32;

bool is_one_of(char c, std::string_view more) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return letter || (c >= '0' && c <= '9') || more.find(c) != more.npos;
}

bool is_word(std::string_view s, std::string_view more) {
  return !s.empty() && s.size() <= kMaxWord &&
         std::all_of(s.begin(), s.end(), [&](char c) { return is_one_of(c, more); });
}

Error wrong(const std::string& field, const std::string& what) {
  return Error{Code::invalid, "binding." + field + ": " + what, {}};
}

/// Made canonical; what is sealed with the value.
Status check_binding(wire::SecretBinding& b) {
  constexpr std::string_view kToken = "!#$%&'*+-.^_`|~";  // RFC 9110, 5.6.2
  if (b.hosts.size() > kMaxList || b.methods.size() > kMaxList)
    return wrong("hosts", "more than 32");
  auto rules = parse_net_rules(b.hosts);
  if (!rules.ok()) return std::move(rules).error().during("binding.hosts");
  for (const NetRule& r : *rules)
    if (r.kind == NetRule::Kind::network)
      return wrong("hosts", r.text + " is an address: TLS proves names only");
  for (char& c : b.header)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (!is_word(b.header, kToken)) return wrong("header", "not the name of an HTTP header");
  for (auto& m : b.methods) {
    for (char& c : m)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (!is_word(m, kToken)) return wrong("methods", m + " is no HTTP method");
  }
  if (!b.path_prefix.empty() && (b.path_prefix[0] != '/' || b.path_prefix.size() > kMaxWord))
    return wrong("path_prefix", "must begin with / and have at most 256 characters");
  if (!b.env.empty() && (!is_word(b.env, "_") || (b.env[0] >= '0' && b.env[0] <= '9')))
    return wrong("env", b.env + " is no name of a variable");
  return {};
}

Status check_value(std::string_view value) {
  if (value.size() < kLeastValue)
    return Error{Code::invalid,
                 "the value is shorter than 8 bytes: it could not be told from other text",
                 {}};
  if (value.size() > kMaxValue) return Error{Code::invalid, "the value is longer than 64 KiB", {}};
  if (value.find('\0') != value.npos) return Error{Code::invalid, "the value holds a NUL byte", {}};
  return {};
}

/// A header's value has one line: who could put a line end into it could add headers (RFC
/// 9110, 5.5).
Status check_fits(std::string_view value, const wire::SecretBinding& b) {
  const bool one_line = std::none_of(value.begin(), value.end(), [](char c) {
    return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
  });
  if (b.hosts.empty() || one_line) return {};
  return Error{Code::invalid,
               "the value has control characters or more than one line, which no header can hold",
               "without --host: for --secret-file and --secret-value"};
}

void add_length_prefixed(std::string& out, std::string_view text) {
  out += std::to_string(text.size());
  out += ':';
  out += text;
}

Result<wire::Secret> to_wire(const SecretRow& row) {
  wire::Secret s;
  s.name = row.name;
  s.version = row.version;
  CODEXOS_ASSIGN(s.binding,
                 json::decode<wire::SecretBinding>(row.binding_json, json::Unknown::ignore));
  s.created_at = format_time(row.created_us);
  s.changed_at = format_time(row.changed_us);
  return s;
}

}  // namespace

Status check_secret_name(const std::string& name) {
  if (is_word(name, "_-.") && name.size() <= kMaxSecretName && (is_one_of(name[0], "_")) &&
      !(name[0] >= '0' && name[0] <= '9'))
    return {};
  return Error{Code::invalid,
               "a secret's name has 1 to 64 of A-Z a-z 0-9 _ - . and begins with a letter or _",
               {}};
}

// ---- opening

void Vault::become_broken(const Error& e) {
  state_ = wire::VaultState::broken;
  broken_ = e.message;
  log_line(LogLevel::error, "vault", e.message);
}

Result<std::vector<MasterKey>> Vault::open_now() {
  CODEXOS_ASSIGN(const MasterKey outer, outer_key(p_.places, file_, {}, Outer::open));
  return open_keys(file_, outer);
}

void Vault::open() {
  auto rows = p_.store.secrets().all();
  if (!rows.ok()) return become_broken(rows.error());
  rows_ = *std::move(rows);
  auto file = read_key_file(p_.places);
  if (!file.ok() && file.error().code == Code::not_found && rows_.empty()) {
    file_.source = has_credential(p_.places) ? wire::KeySource::credential : wire::KeySource::file;
    return;
  }
  if (!file.ok())
    return become_broken(std::move(file).error().during("the keys of the stored secrets"));
  file_ = *std::move(file);
  if (file_.source == wire::KeySource::passphrase) {
    state_ = wire::VaultState::locked;
    return;
  }
  opened(open_now());
}

void Vault::opened(Result<std::vector<MasterKey>> keys) {
  if (!keys.ok()) return become_broken(keys.error());
  keys_ = *std::move(keys);
  if (auto s = verify(); !s.ok()) return become_broken(s.error());
  state_ = wire::VaultState::open;
  broken_.clear();
}

Result<Vault::Mark> Vault::mark_of(const MasterKey& key, const std::vector<SecretRow>& rows) {
  CODEXOS_ASSIGN(const LockedKey mac_key, derive_key(key.key.view(), {}, "codexos/anchor/v1"));
  std::string text;
  for (const SecretRow& r : rows)
    for (const std::string& field : {r.name, std::to_string(r.version), r.binding_json, r.sealed,
                                     std::to_string(r.created_us), std::to_string(r.changed_us)})
      add_length_prefixed(text, field);
  CODEXOS_ASSIGN(const std::string mac, mac_of(mac_key, text));
  return Mark{hex_of(key.id), hex_of(mac)};
}

Error Vault::cannot_prove(Error e) const {
  return std::move(e)
      .during("the stored secrets cannot be proved: " + anchor_path())
      .with_hint("after a restore: codexos secret accept");
}

/// That the rows are those that were written last.
Status Vault::verify() {
  auto text = read_file(anchor_path());
  if (!text.ok()) return cannot_prove(std::move(text).error());
  auto anchor = json::decode<Anchor>(*text, json::Unknown::refuse);
  if (!anchor.ok()) return cannot_prove(std::move(anchor).error());
  for (const MasterKey& key : keys_) {
    CODEXOS_ASSIGN(const Mark found, mark_of(key, rows_));
    const auto& all = anchor->admitted;
    if (std::find(all.begin(), all.end(), found) == all.end()) continue;
    tried_ = all;
    tried_.push_back(found);
    settle(found);
    return {};
  }
  const std::string damaged = damaged_rows();
  return Error{Code::invalid,
               "the stored secrets are not those that were written last: " +
                   (damaged.empty() ? "the database was rolled back, or rows are missing"
                                    : "changed or exchanged: " + damaged),
               "after a restore: codexos secret accept"};
}

std::string Vault::damaged_rows() const {
  std::string names;
  for (const SecretRow& row : rows_) {
    const auto sealed = from_hex(row.sealed);
    const bool opens =
        sealed.ok() && std::any_of(keys_.begin(), keys_.end(), [&](const MasterKey& key) {
          return unseal(key, whose(row), *sealed).ok();
        });
    if (!opens) names += (names.empty() ? "" : ", ") + row.name;
  }
  return names;
}

/// The rows that are on the disk can be read, and the next ones are sealed like them.
void Vault::seal_by_committed_key() {
  const auto used = std::find_if(keys_.begin(), keys_.end(), [this](const MasterKey& key) {
    return hex_of(key.id) == committed_.key_id;
  });
  if (used != keys_.end()) std::iter_swap(keys_.begin(), used);
}

/// After a change of the master key, or one that a crash cut short: the key that seals the rows
/// stays. Where the disk refuses that, the other one goes the next time.
void Vault::drop_unused_keys() {
  if (keys_.size() < 2) return;
  seal_by_committed_key();
  keys_.erase(keys_.begin() + 1, keys_.end());
  if (auto s = write_keys(); !s.ok()) log_line(LogLevel::warning, "vault", s.error().message);
}

// ---- keys

Status Vault::write_keys() {
  CODEXOS_ASSIGN(const MasterKey outer, outer_key(p_.places, file_, {}, Outer::open));
  CODEXOS_TRY(put_keys(file_, outer, keys_));
  return write_key_file(p_.places, file_);
}

Status Vault::first_key() {
  CODEXOS_ASSIGN(LockedKey key, LockedKey::random());
  CODEXOS_ASSIGN(MasterKey master, make_master_key(std::move(key)));
  std::vector<MasterKey> keys;
  keys.push_back(std::move(master));
  KeyFile file = file_;
  CODEXOS_ASSIGN(const MasterKey outer, outer_key(p_.places, file, {}, Outer::make));
  CODEXOS_TRY(put_keys(file, outer, keys));
  CODEXOS_ASSIGN(const Mark nothing, mark_of(keys.front(), {}));
  CODEXOS_TRY(write_anchor({nothing}));
  CODEXOS_TRY(write_key_file(p_.places, file));
  file_ = std::move(file);
  keys_ = std::move(keys);
  committed_ = nothing;
  tried_.clear();
  state_ = wire::VaultState::open;
  return {};
}

Status Vault::write_anchor(std::vector<Mark> admitted) const {
  return replace_file(anchor_path(), json::encode(Anchor{1, std::move(admitted)}) + "\n", 0600);
}

SealedFor Vault::whose(const SecretRow& row) const {
  return {p_.tenant, row.name, row.version, row.binding_json};
}

Status Vault::usable() const {
  switch (state_) {
    case wire::VaultState::open:
      return {};
    case wire::VaultState::locked:
      return Error{Code::denied, "the vault is locked", "codexos secret unlock"};
    case wire::VaultState::broken:
      return Error{Code::denied, "the vault does not open: " + broken_, "codexos secret status"};
    case wire::VaultState::empty:
      break;
  }
  return Error{Code::not_found, "there are no secrets", "codexos secret set NAME"};
}

Status Vault::not_busy() const {
  if (busy_) return Error{Code::conflict, "the vault's key is being changed just now", "try again"};
  return {};
}

Status Vault::ready_to_write() {
  CODEXOS_TRY(not_busy());
  return state_ == wire::VaultState::empty ? first_key() : usable();
}

// ---- rows

const SecretRow* Vault::find(const std::string& name) const {
  const auto it = std::find_if(rows_.begin(), rows_.end(),
                               [&name](const SecretRow& r) { return r.name == name; });
  return it == rows_.end() ? nullptr : &*it;
}

Status Vault::write_rows(const std::vector<SecretRow>& put, const std::string& removed) {
  std::vector<SecretRow> rows = rows_;
  rows.erase(std::remove_if(rows.begin(), rows.end(),
                            [&](const SecretRow& r) {
                              return r.name == removed ||
                                     std::any_of(put.begin(), put.end(),
                                                 [&r](const auto& c) { return c.name == r.name; });
                            }),
             rows.end());
  rows.insert(rows.end(), put.begin(), put.end());
  std::sort(rows.begin(), rows.end(),
            [](const SecretRow& a, const SecretRow& b) { return a.name < b.name; });
  CODEXOS_ASSIGN(const Mark now, mark_of(keys_.front(), rows));
  CODEXOS_TRY(p_.store.savepoint());
  const auto write = [&]() -> Status {
    for (const SecretRow& row : put) CODEXOS_TRY(p_.store.secrets().put(row));
    if (!removed.empty()) CODEXOS_TRY(p_.store.secrets().remove(removed));
    tried_.push_back(now);
    std::vector<Mark> admitted = tried_;
    admitted.push_back(committed_);
    return write_anchor(std::move(admitted));
  };
  if (auto s = write(); !s.ok()) {
    p_.store.rollback();
    return s;
  }
  CODEXOS_TRY(p_.store.release());
  rows_ = std::move(rows);
  p_.after_commit.add(
      [this, now] {
        settle(now);
        changed();
      },
      [this](const Error&) {
        if (auto kept = p_.store.secrets().all(); kept.ok()) rows_ = *std::move(kept);
        seal_by_committed_key();
      });
  return {};
}

/// These rows are on the disk. What the anchor admits beside them goes, and so does the key that
/// seals nothing any more; but for rows that were written after them in the same turn. Left as it
/// was, the vault still opens.
void Vault::settle(const Mark& now) {
  committed_ = now;
  const auto at = std::find(tried_.rbegin(), tried_.rend(), now);
  tried_.erase(tried_.begin(), at.base());
  if (!tried_.empty()) return;
  drop_unused_keys();
  if (auto s = write_anchor({now}); !s.ok())
    log_line(LogLevel::warning, "vault", s.error().message);
}

Result<wire::Secret> Vault::store_value(SecretRow row, std::string_view value) {
  row.changed_us = now_us();
  ++row.version;
  CODEXOS_ASSIGN(const std::string sealed, seal(keys_.front(), whose(row), value));
  row.sealed = hex_of(sealed);
  CODEXOS_TRY(write_rows({row}, {}));
  return to_wire(row);
}

Result<wire::Secret> Vault::set(const std::string& name, const wire::SecretPut& body) {
  CODEXOS_TRY(check_secret_name(name));
  CODEXOS_TRY(check_value(body.value));
  wire::SecretBinding binding = body.binding;
  CODEXOS_TRY(check_binding(binding));
  CODEXOS_TRY(check_fits(body.value, binding));
  CODEXOS_TRY(ready_to_write());
  SecretRow row;
  row.name = name;
  row.created_us = now_us();
  if (const SecretRow* old = find(name)) row = *old;
  row.binding_json = json::encode(binding);
  return store_value(std::move(row), body.value);
}

Result<wire::Secret> Vault::rotate(const std::string& name, std::string_view value) {
  CODEXOS_TRY(check_value(value));
  CODEXOS_TRY(usable());
  CODEXOS_TRY(ready_to_write());
  const SecretRow* old = find(name);
  if (old == nullptr)
    return Error{Code::not_found, "there is no secret " + name, "codexos secret list"};
  CODEXOS_ASSIGN(const wire::Secret now, to_wire(*old));
  CODEXOS_TRY(check_fits(value, now.binding));
  return store_value(*old, value);
}

Result<wire::Secret> Vault::remove(const std::string& name) {
  const SecretRow* old = find(name);
  if (old == nullptr)
    return Error{Code::not_found, "there is no secret " + name, "codexos secret list"};
  CODEXOS_TRY(ready_to_write());
  CODEXOS_ASSIGN(wire::Secret out, to_wire(*old));
  CODEXOS_TRY(write_rows({}, name));
  return out;
}

std::vector<wire::Secret> Vault::list() const {
  std::vector<wire::Secret> out;
  for (const SecretRow& row : rows_)
    if (auto s = to_wire(row); s.ok()) out.push_back(*std::move(s));
  return out;
}

Result<OpenSecret> Vault::reveal(const std::string& name) const {
  const SecretRow* row = find(name);
  if (row == nullptr)
    return Error{Code::not_found, "there is no secret " + name, "codexos secret list"};
  CODEXOS_TRY(usable());
  CODEXOS_ASSIGN(const std::string sealed, from_hex(row->sealed));
  auto value = unseal(keys_.front(), whose(*row), sealed);
  if (!value.ok()) return std::move(value).error().during("secret " + name);
  CODEXOS_ASSIGN(wire::Secret what, to_wire(*row));
  return OpenSecret{std::move(what), *std::move(value)};
}

// ---- values of tasks

namespace {
/// No secret's name has a slash.
SealedFor of_task(const std::string& tenant, const std::string& task, const std::string& name) {
  return {tenant, "task/" + task + "/" + name, 0, "a task's own"};
}
}  // namespace

Result<std::string> Vault::seal_for_task(const std::string& task, const std::string& name,
                                         std::string_view value) {
  CODEXOS_TRY(ready_to_write());
  CODEXOS_ASSIGN(const std::string sealed,
                 seal(keys_.front(), of_task(p_.tenant, task, name), value));
  return hex_of(sealed);
}

Result<Secret> Vault::open_for_task(const std::string& task, const std::string& name,
                                    std::string_view sealed) const {
  CODEXOS_TRY(usable());
  CODEXOS_ASSIGN(const std::string bytes, from_hex(sealed));
  return unseal(keys_.front(), of_task(p_.tenant, task, name), bytes);
}

// ---- the vault itself

wire::Vault Vault::describe() const {
  wire::Vault v;
  v.state = state_;
  v.source = file_.source;
  if (!file_.keys.empty()) {
    v.key_id = file_.keys.front().id;
    v.key_created_at = file_.keys.front().created_at;
  }
  v.secrets = rows_.size();
  v.detail = broken_;
  return v;
}

Status Vault::lock() {
  CODEXOS_TRY(usable());
  CODEXOS_TRY(not_busy());  // protect() wraps these keys next, and would wrap none
  if (file_.source != wire::KeySource::passphrase)
    return Error{Code::conflict, "without a passphrase the vault opens by itself",
                 "codexos secret protect --passphrase"};
  keys_.clear();
  state_ = wire::VaultState::locked;
  changed();  // nobody keeps values that it gave
  return {};
}

Status Vault::accept() {
  if (state_ != wire::VaultState::broken || keys_.empty())
    return Error{Code::conflict,
                 state_ == wire::VaultState::broken ? "the vault's keys do not open: " + broken_
                                                    : "nothing is wrong with the vault",
                 {}};
  const std::string damaged = damaged_rows();
  if (!damaged.empty())
    return Error{Code::conflict, "these do not open, and cannot be accepted: " + damaged,
                 "restore them from a backup"};
  for (const SecretRow& row : rows_)
    if (const auto sealed = from_hex(row.sealed);
        !sealed.ok() || key_id_of(*sealed) != keys_.front().id)
      return Error{Code::conflict, row.name + " is sealed by an older master key", {}};
  CODEXOS_ASSIGN(const Mark now, mark_of(keys_.front(), rows_));
  CODEXOS_TRY(write_anchor({now}));
  committed_ = now;
  tried_.clear();
  state_ = wire::VaultState::open;
  broken_.clear();
  changed();
  return {};
}

Status Vault::rekey() {
  CODEXOS_TRY(usable());
  CODEXOS_TRY(ready_to_write());
  if (file_.source == wire::KeySource::passphrase)
    return Error{Code::conflict, "a new master key would need the passphrase",
                 "codexos secret protect --key-file, then rekey, then protect it again"};
  CODEXOS_ASSIGN(LockedKey key, LockedKey::random());
  CODEXOS_ASSIGN(MasterKey master, make_master_key(std::move(key)));
  std::vector<SecretRow> rows = rows_;
  for (SecretRow& row : rows) {
    CODEXOS_ASSIGN(const std::string sealed, from_hex(row.sealed));
    CODEXOS_ASSIGN(const std::string again, rewrap(keys_.front(), master, whose(row), sealed));
    row.sealed = hex_of(again);
  }
  keys_.insert(keys_.begin(), std::move(master));
  auto s = write_keys();
  if (s.ok()) s = write_rows(rows, {});
  if (!s.ok()) {
    keys_.erase(keys_.begin());
    (void)write_keys();
    return s;
  }
  return {};
}

namespace {

/// What the worker has found, for the loop: std::function wants what can be copied.
struct Opened {
  KeyFile file;
  Result<std::vector<MasterKey>> keys = Error{Code::internal, "not tried", {}};
};

}  // namespace

void Vault::unlock(std::string passphrase, Done done) {
  if (state_ != wire::VaultState::locked || busy_) {
    wipe(passphrase);
    return done(Error{Code::conflict, "the vault is not locked", "codexos secret status"});
  }
  busy_ = true;
  const auto typed = std::make_shared<Secret>(passphrase);
  wipe(passphrase);
  const auto found = std::make_shared<Opened>();
  found->file = file_;
  p_.worker.submit([this, typed, found, done, places = p_.places,
                    exists = std::weak_ptr<bool>(exists_)]() -> Worker::Answer {
    auto outer = outer_key(places, found->file, typed->view(), Outer::open);
    *typed = Secret();
    if (outer.ok())
      found->keys = open_keys(found->file, *outer);
    else
      found->keys = std::move(outer).error();
    return [this, found, done, exists] {
      if (exists.expired()) return;
      busy_ = false;
      if (!found->keys.ok()) return done(found->keys.error());
      opened(std::move(found->keys));
      changed();
      done(usable());
    };
  });
}

void Vault::protect(wire::VaultProtect body, Done done) {
  const bool typed = body.source == wire::KeySource::passphrase;
  const auto refuse = [&](Error e) {
    wipe(body.passphrase);
    done(std::move(e));
  };
  if (typed && body.passphrase.size() < kLeastValue)
    return refuse(Error{Code::invalid, "a passphrase has at least 8 characters", {}});
  if (!typed && !body.passphrase.empty())
    return refuse(Error{Code::invalid, "passphrase: only where source is passphrase", {}});
  if (auto s = ready_to_write(); !s.ok()) return refuse(std::move(s).error());
  busy_ = true;
  const auto pass = std::make_shared<Secret>(body.passphrase);
  wipe(body.passphrase);
  const auto file = std::make_shared<KeyFile>(file_);
  file->source = body.source;
  const auto outer = std::make_shared<Result<MasterKey>>(Error{Code::internal, "not tried", {}});
  p_.worker.submit([this, pass, file, outer, done, places = p_.places,
                    exists = std::weak_ptr<bool>(exists_)]() -> Worker::Answer {
    *outer = outer_key(places, *file, pass->view(), Outer::make);
    *pass = Secret();
    return [this, file, outer, done, exists] {
      if (exists.expired()) return;
      busy_ = false;
      if (!outer->ok()) return done(outer->error());
      if (auto s = put_keys(*file, **outer, keys_); !s.ok()) return done(std::move(s));
      auto s = write_key_file(p_.places, *file);
      if (s.ok()) file_ = *file;
      done(std::move(s));
    };
  });
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
// The vault: secrets by name, sealed in the tenant's database (store/secret_table.h) under keys of
// the key folder (trust/key_folder.h). It puts the two together, and keeps a third thing beside
// them, keys/anchor.json: a MAC over all rows as they were last written. Before a change is
// committed the anchor admits the rows before and after it, afterwards only those after it. So a
// database that was rolled back, or rows that were exchanged or dropped, are found, while a crash
// at any point is not. A commit that failed may still be found in SQLite's log by the next daemon:
// its rows, and the key that seals them, stay admitted until another commit has succeeded. (Who
// puts back the whole state folder, keys and all, is not found.)
//
// It opens as a whole or not at all: with anything wrong it is `broken`, says what, and gives no
// value.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/secret.h"
#include "core/wire/secret.h"
#include "daemon/store/store.h"
#include "daemon/tasks/after_commit.h"
#include "daemon/tasks/worker.h"
#include "daemon/trust/key_folder.h"

namespace codexos::daemon {

struct VaultParts {
  Store& store;
  AfterCommit& after_commit;
  Worker& worker;  // for passphrases
  KeyPlaces places;
  std::string tenant = "default";
};

/// A secret with its value, for whoever puts it to use.
struct OpenSecret {
  wire::Secret what;
  Secret value;
};

class Vault {
 public:
  using Done = std::function<void(Status)>;

  explicit Vault(VaultParts parts) : p_(std::move(parts)) {}

  /// Reads keys and rows, once, at the daemon's start. What is wrong makes it broken, not the
  /// daemon fail: tasks without secrets need none of it.
  void open();
  /// Called when other values are on the disk, and when the vault was locked or unlocked: whoever
  /// keeps values asks for them again.
  void on_change(std::function<void()> fn) { on_change_ = std::move(fn); }
  wire::Vault describe() const;

  /// Error invalid: name, value or binding; denied: it is locked or broken.
  Result<wire::Secret> set(const std::string& name, const wire::SecretPut& body);
  Result<wire::Secret> rotate(const std::string& name, std::string_view value);
  Result<wire::Secret> remove(const std::string& name);
  std::vector<wire::Secret> list() const;
  Result<OpenSecret> reveal(const std::string& name) const;

  /// A value of one task's, which is in no list, in hexadecimal digits; what they stand for. A key
  /// that goes (rekey) takes them with it. Error denied: it is locked or broken; invalid: not of
  /// that task and name.
  Result<std::string> seal_for_task(const std::string& task, const std::string& name,
                                    std::string_view value);
  Result<Secret> open_for_task(const std::string& task, const std::string& name,
                               std::string_view sealed) const;

  /// A new master key: every row is wrapped anew, and none is out of use meanwhile.
  Status rekey();
  /// Accepts the rows as they are, after a restore. Error: those that do not open are named.
  Status accept();
  Status lock();
  /// Off the loop, since it takes a while by intent. The text is overwritten.
  void unlock(std::string passphrase, Done done);
  void protect(wire::VaultProtect body, Done done);

 private:
  struct Mark {
    std::string key_id;  // hexadecimal
    std::string mac;     // hexadecimal
    bool operator==(const Mark&) const = default;
    template <class Self, class V>
    static void fields(Self& s, V& v) {
      v("key_id", s.key_id);
      v("mac", s.mac);
    }
  };
  struct Anchor {
    uint32_t v = 1;
    std::vector<Mark> admitted;
    template <class Self, class V>
    static void fields(Self& s, V& v) {
      v("v", s.v);
      v("admitted", s.admitted);
    }
  };
  Status usable() const;
  Status not_busy() const;
  Status ready_to_write();
  Status first_key();
  Result<std::vector<MasterKey>> open_now();
  void opened(Result<std::vector<MasterKey>> keys);
  Status verify();
  std::string damaged_rows() const;
  const SecretRow* find(const std::string& name) const;
  Result<wire::Secret> store_value(SecretRow row, std::string_view value);
  Status write_rows(const std::vector<SecretRow>& put, const std::string& removed);
  static Result<Mark> mark_of(const MasterKey& key, const std::vector<SecretRow>& rows);
  void drop_unused_keys();
  Error cannot_prove(Error e) const;
  Status write_keys();
  Status write_anchor(std::vector<Mark> admitted) const;
  void settle(const Mark& now);
  void seal_by_committed_key();
  SealedFor whose(const SecretRow& row) const;
  std::string anchor_path() const { return p_.places.folder + "/anchor.json"; }
  void become_broken(const Error& e);

  void changed() const {
    if (on_change_) on_change_();
  }

  VaultParts p_;
  std::function<void()> on_change_;
  wire::VaultState state_ = wire::VaultState::empty;
  std::string broken_;  // why
  KeyFile file_;
  std::vector<MasterKey> keys_;  // the first seals; none: locked
  std::vector<SecretRow> rows_;  // by name
  Mark committed_;               // of the rows that are surely on the disk
  std::vector<Mark> tried_;      // since then: of rows that may be on the disk
  bool busy_ = false;            // a passphrase is being worked on
  std::shared_ptr<bool> exists_ = std::make_shared<bool>(true);
};

/// Error invalid: not 1 to 64 of A-Z a-z 0-9 _ - . with a letter or _ in front.
Status check_secret_name(const std::string& name);

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/model_desk.h"

#include <map>
#include <mutex>
#include <utility>

#include "daemon/gateway/model_log.h"
#include "daemon/tasks/known_values.h"
#include "daemon/tasks/supervisor.h"
#include "daemon/tasks/vault.h"

namespace codexos::daemon {
namespace {

/// A reservation that is settled waits so long for the next one, so that both are one commit: until
/// then it counts in full, which is on the safe side.
constexpr int64_t kSettleMs = 5;

/// The relay's side of the answers: shut when the gateway goes.
class ReplyBox {
 public:
  explicit ReplyBox(std::unique_ptr<Mailbox> box) : box_(std::move(box)) {}
  void post(Mailbox::Letter letter) {
    const std::lock_guard lock(mutex_);
    if (box_) box_->post(std::move(letter));
  }
  /// In the relay's thread, whose loop the box belongs to.
  void shut() {
    const std::lock_guard lock(mutex_);
    box_.reset();
  }

 private:
  std::mutex mutex_;
  std::unique_ptr<Mailbox> box_;
};
using ReplyBoxPtr = std::shared_ptr<ReplyBox>;

/// Shuts them with the first of the seams that goes.
struct ReplyBoxUser {
  explicit ReplyBoxUser(ReplyBoxPtr a) : answers(std::move(a)) {}
  ReplyBoxUser(const ReplyBoxUser&) = delete;
  ReplyBoxUser& operator=(const ReplyBoxUser&) = delete;
  ~ReplyBoxUser() { answers->shut(); }
  ReplyBoxPtr answers;
};

class DeskLedger final : public Ledger {
 public:
  DeskLedger(ModelDesk& desk, ReplyBoxPtr answers) : desk_(desk), user_(std::move(answers)) {}
  void reserve(const Charge& charge, Done done) override {
    desk_.reserve(charge, [answers = user_.answers, done = std::move(done)](Result<Grant> grant) {
      answers->post([done, grant = std::move(grant)] { done(grant); });
    });
  }
  void settle(uint64_t id, const ModelUsage& usage) override { desk_.settle(id, usage); }

 private:
  ModelDesk& desk_;
  ReplyBoxUser user_;
};

class DeskKeys final : public Keys {
 public:
  DeskKeys(ModelDesk& desk, ReplyBoxPtr answers) : desk_(desk), user_(std::move(answers)) {}
  void find(const std::string&, const std::string& name, Done done) override {
    desk_.find_key(name, [answers = user_.answers, done = std::move(done)](Result<Secret> key) {
      // Letters are copied, keys are not.
      const auto held = std::make_shared<Result<Secret>>(std::move(key));
      answers->post([done, held] { done(std::move(*held)); });
    });
  }

 private:
  ModelDesk& desk_;
  ReplyBoxUser user_;
};

}  // namespace

Result<std::unique_ptr<ModelDesk>> ModelDesk::make(Loop& loop, const Vault& vault) {
  std::unique_ptr<ModelDesk> desk(new ModelDesk(loop, vault));
  CODEXOS_ASSIGN(desk->in_, Mailbox::make(loop, "model gateway"));
  return desk;
}

void ModelDesk::serve(Supervisor& supervisor) {
  supervisor_ = &supervisor;
  supervisor.settles_models([this] { settle_now(); });
}

void ModelDesk::settle_now() {
  in_->deliver();
  settle_all();
}

MakeModelSeams ModelDesk::seams(std::string tenant, const KnownValues& values) {
  return [this, tenant = std::move(tenant), &values](Loop& relay) -> Result<ModelSeams> {
    CODEXOS_ASSIGN(auto box, Mailbox::make(relay, "model answers"));
    const auto answers = std::make_shared<ReplyBox>(std::move(box));
    ModelSeams s;
    s.ledger = std::make_unique<DeskLedger>(*this, answers);
    s.keys = std::make_unique<DeskKeys>(*this, answers);
    s.recorder = std::make_unique<ModelLogs>(
        [tenant](const std::string& task) { return tenant + "/tasks/" + task + "/model.log"; },
        [&values](const std::string& task) { return values.find(task); });
    return s;
  };
}

void ModelDesk::reserve(const Charge& charge, std::function<void(Result<Grant>)> done) {
  in_->post([this, charge, done = std::move(done)] {
    if (supervisor_ == nullptr) return done(Error{Code::unavailable, "the daemon starts", {}});
    settle_all();
    supervisor_->reserve_model(charge.task, charge, done);
  });
}

void ModelDesk::settle(uint64_t id, const ModelUsage& usage) {
  in_->post([this, id, usage] {
    settlements_.push_back({id, usage});
    if (std::exchange(settles_soon_, true)) return;
    loop_.after_ms(kSettleMs, "settle", [this] {
      settles_soon_ = false;
      settle_all();
    });
  });
}

void ModelDesk::settle_all() {
  for (const Settlement& s : std::exchange(settlements_, {}))
    if (supervisor_ != nullptr) supervisor_->settle_model(s.id, s.usage);
}

void ModelDesk::find_key(const std::string& name, Keys::Done done) {
  in_->post([this, name, done = std::move(done)] {
    auto secret = vault_.reveal(name);
    if (!secret.ok()) return done(std::move(secret).error());
    done(std::move(secret->value));
  });
}

}  // namespace codexos::daemon

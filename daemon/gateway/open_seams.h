// SPDX-License-Identifier: Apache-2.0
// Where there is no budget, and where there is no vault.
#pragma once

#include "daemon/gateway/keys.h"
#include "daemon/gateway/ledger.h"

namespace codexos::daemon {

/// Grants what is asked for and counts nothing.
class NoBudget final : public Ledger {
 public:
  void reserve(const Charge& charge, Done done) override {
    Grant g;
    g.id = next_++;
    g.max_output_tokens = charge.max_output_tokens;
    done(g);
  }
  void settle(uint64_t, const ModelUsage&) override {}

 private:
  uint64_t next_ = 1;
};

class NoKeys final : public Keys {
 public:
  void find(const std::string&, const std::string&, Done done) override {
    done(Error{Code::not_found, "there is no such secret", {}});
  }
};

}  // namespace codexos::daemon

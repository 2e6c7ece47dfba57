// SPDX-License-Identifier: Apache-2.0
// The addresses that a task gets for names: one for each name, of 198.18.0.0/15, so that what it
// dials tells the name. Nothing is resolved for it. Also how many names a `*.HOST` rule may bring:
// each label that is looked up outside is a word that the task can say to whoever runs that domain.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace codexos::daemon {

class SyntheticNames {
 public:
  /// In host order; the same for the same name. 0: the task has used up its addresses.
  uint32_t address_of(const std::string& name);
  /// Null: nobody was told this address.
  const std::string* name_of(uint32_t address) const;
  bool known(const std::string& name) const { return numbers_.count(name) != 0; }

 private:
  std::unordered_map<std::string, uint32_t> numbers_;
  std::vector<std::string> names_;
};

/// For names that only a `*.HOST` rule admits: so many at all, and so many a second after a burst.
class LabelBudget {
 public:
  static constexpr int kAll = 1000, kBurst = 100, kEachSecond = 5;
  /// False: not now, or never again.
  bool take(int64_t now_us);

 private:
  int used_ = 0;
  double room_ = kBurst;
  int64_t at_us_ = 0;
};

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/names.h"

#include <algorithm>

#include "core/base/egress_net.h"

namespace codexos::daemon {
namespace {

constexpr uint32_t kFirst = kNetOwn + 1;
constexpr uint32_t kMost = 16384;

}  // namespace

uint32_t SyntheticNames::address_of(const std::string& name) {
  const auto known = numbers_.find(name);
  if (known != numbers_.end()) return known->second;
  if (names_.size() >= kMost) return 0;
  const uint32_t address = kFirst + static_cast<uint32_t>(names_.size());
  names_.push_back(name);
  numbers_.emplace(name, address);
  return address;
}

const std::string* SyntheticNames::name_of(uint32_t address) const {
  if (address < kFirst || address - kFirst >= names_.size()) return nullptr;
  return &names_[address - kFirst];
}

bool LabelBudget::take(int64_t now_us) {
  if (at_us_ != 0)
    room_ =
        std::min<double>(kBurst, room_ + kEachSecond * static_cast<double>(now_us - at_us_) / 1e6);
  at_us_ = now_us;
  if (used_ >= kAll || room_ < 1) return false;
  ++used_;
  room_ -= 1;
  return true;
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/injection.h"

#include <algorithm>

namespace codexos::daemon {

InjectionSet::InjectionSet(std::vector<Injection> all) : all_(std::move(all)) {
  for (uint32_t i = 0; i < all_.size(); ++i) {
    (void)values_.add(all_[i].value.view(), i);
    (void)placeholders_.add_plain(all_[i].placeholder, i);
  }
  values_.finish();
  placeholders_.finish();
}

bool InjectionSet::binds(std::string_view name, uint16_t port) const {
  return std::any_of(all_.begin(), all_.end(), [&](const Injection& i) {
    return match_name(i.hosts, name, port) != nullptr;
  });
}

}  // namespace codexos::daemon

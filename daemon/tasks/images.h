// SPDX-License-Identifier: Apache-2.0
// What applies keep of what they replace: the tenant's object store, as daemon/workspace asks for
// it.
#pragma once

#include "daemon/trust/digest.h"
#include "daemon/workspace/apply_run.h"
#include "daemon/workspace/objects.h"

namespace codexos::daemon {

class ObjectImages : public Images {
 public:
  explicit ObjectImages(ObjectStore& objects) : objects_(objects) {}
  Result<std::string> keep(int fd) override { return objects_.put(fd); }
  Result<std::string> digest(int fd) override { return sha256_of_file(fd); }
  std::string digest_of(const std::string& bytes) override { return sha256_hex(bytes); }
  Result<Fd> open(const std::string& digest) override { return objects_.open_object(digest); }

 private:
  ObjectStore& objects_;
};

}  // namespace codexos::daemon

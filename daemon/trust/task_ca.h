// SPDX-License-Identifier: Apache-2.0
// A certificate authority of one task (X.509, RFC 5280), made by OpenSSL: what the egress shows the
// task's programs where it ends their TLS. Only this task trusts it, only the daemon has its key.
// EC P-256 throughout.
#pragma once

#include <memory>
#include <string>

#include "core/base/error.h"
#include "core/base/secret.h"

struct evp_pkey_st;  // EVP_PKEY
struct x509_st;      // X509

namespace codexos::daemon {

struct FreeX509 {
  void operator()(x509_st* c) const;
};
struct FreeKey {
  void operator()(evp_pkey_st* k) const;
};
using X509Ptr = std::unique_ptr<x509_st, FreeX509>;
using KeyPtr = std::unique_ptr<evp_pkey_st, FreeKey>;

struct TaskCaPem {
  std::string certificate;
  Secret key;  // PKCS #8, not encrypted: to be sealed by whoever keeps it
};

class TaskCa {
 public:
  /// "CodexOS task CA TASKID", for ten years. Error internal: OpenSSL could not.
  static Result<TaskCa> make(const std::string& task_id);
  /// The same again, in a daemon that adopts the task. Error invalid: no such pair.
  static Result<TaskCa> from_pem(const TaskCaPem& pem);
  Result<TaskCaPem> to_pem() const;
  /// What goes into the task's trust stores.
  const std::string& certificate_pem() const { return pem_; }

  /// A certificate for this host name, from an hour ago until in six days.
  Result<X509Ptr> mint(const std::string& name) const;
  /// Of all that mint() makes.
  evp_pkey_st* leaf_key() const { return leaf_key_.get(); }
  x509_st* certificate() const { return certificate_.get(); }

 private:
  TaskCa() = default;
  X509Ptr certificate_;
  KeyPtr key_, leaf_key_;
  std::string pem_;
};

}  // namespace codexos::daemon

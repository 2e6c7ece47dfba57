// SPDX-License-Identifier: Apache-2.0
// Providers over HTTP, by libcurl's multi interface (libcurl-multi(3)) on the relay's loop: HTTP/2
// where the server has it, connections kept and shared, certificates verified. libcurl's home.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/os/loop.h"
#include "daemon/gateway/upstream.h"

namespace codexos::daemon {

struct CurlOptions {
  std::string proxy;     // URL; empty: none. Not used for what is on this machine or `private`
  std::string no_proxy;  // NO_PROXY
};

class CurlUpstream final : public Upstream {
 public:
  /// Error unavailable: libcurl cannot be set up.
  static Result<std::unique_ptr<CurlUpstream>> make(Loop& loop, CurlOptions options);
  ~CurlUpstream() override;
  std::unique_ptr<UpstreamCall> start(UpstreamRequest request, UpstreamSink& sink) override;

 private:
  struct Transfer;
  struct Hooks;
  class Call;
  CurlUpstream(Loop& loop, CurlOptions options);
  void drive(int fd, int what);
  void set_timer(long timeout_ms);
  void on_timeout();
  void watch(int fd, int what);
  void take_finished();
  void drop(Transfer* t);
  void reap();
  void release(Transfer& t);

  Loop& loop_;
  CurlOptions options_;
  void* multi_ = nullptr;  // CURLM
  std::map<Transfer*, std::unique_ptr<Transfer>> transfers_;
  std::vector<Transfer*> dropped_;
  std::vector<void*> spare_;  // CURL, to be used again
  std::map<int, uint32_t> watched_;
  Loop::TimerId timer_ = 0;
  bool due_ = false;
  std::shared_ptr<bool> exists_ = std::make_shared<bool>(true);
};

}  // namespace codexos::daemon

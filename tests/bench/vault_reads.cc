// SPDX-License-Identifier: Apache-2.0
// vault_reads FOLDER: a vault of 100 secrets in FOLDER, each read again and again. Prints the
// median and the 99th percentile of one read (Vault::reveal: find, unwrap, decrypt) in
// microseconds.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/os/loop.h"
#include "daemon/tasks/vault.h"

namespace {

using namespace codexos;
using namespace codexos::daemon;

[[noreturn]] void die(const Error& e) {
  std::fprintf(stderr, "vault_reads: %s\n", e.message.c_str());
  std::exit(1);
}
template <class T>
T need(Result<T> r) {
  if (!r.ok()) die(r.error());
  return *std::move(r);
}
double now_in_us() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}
std::string name_of_secret(int n) { return "secret_" + std::to_string(n % 100); }

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string folder = argv[1];
  const auto loop = need(Loop::make());
  const auto worker = need(Worker::make(*loop));
  const auto store = need(Store::open(folder));
  AfterCommit after_commit;
  Vault vault(VaultParts{*store, after_commit, *worker, KeyPlaces{folder + "/keys", {}}});
  vault.open();
  for (int n = 0; n < 100; ++n) {
    wire::SecretPut body;
    body.value = "github_pat_0123456789_" + std::to_string(n) + std::string(60, 'x');
    body.binding.hosts = {"api.example.com"};
    (void)need(vault.set(name_of_secret(n), body));
  }
  if (auto s = store->commit(); !s.ok()) die(s.error());
  after_commit.committed();
  std::vector<double> took;
  for (int n = 0; n < 20000; ++n) {
    const double begin = now_in_us();
    const OpenSecret secret = need(vault.reveal(name_of_secret(n)));
    took.push_back(now_in_us() - begin);
    if (secret.value.view().size() < 80) return 1;
  }
  std::sort(took.begin(), took.end());
  std::printf("%.1f %.1f\n", took[took.size() / 2], took[took.size() * 99 / 100]);
  return 0;
}

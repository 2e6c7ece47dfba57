// SPDX-License-Identifier: Apache-2.0
#include "daemon/sandbox/view_trust.h"

#include <set>
#include <string_view>

#include "core/base/path.h"

namespace codexos::daemon {
namespace {

struct StoreRow {
  const char* path;
  const char* why;
};
/// OpenSSL, GnuTLS, curl, git, Go and Rust read one of them.
constexpr StoreRow kBundles[] = {
    {"/etc/ssl/certs/ca-certificates.crt", "Debian, Ubuntu, Arch, Alpine"},
    {"/etc/pki/tls/certs/ca-bundle.crt", "Fedora, RHEL"},
    {"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "where Fedora's link leads"},
    {"/etc/ssl/ca-bundle.pem", "openSUSE"},
    {"/etc/pki/tls/cert.pem", "OpenSSL on Fedora"},
    {"/etc/ssl/cert.pem", "OpenSSL on Alpine, LibreSSL"},
};
constexpr StoreRow kJavaStores[] = {
    {"/etc/ssl/certs/java/cacerts", "Debian's JDKs link to it"},
    {"/etc/pki/ca-trust/extracted/java/cacerts", "Fedora's"},
};
constexpr const char* kJvms = "/usr/lib/jvm";

struct VariableRow {
  const char* name;
  const char* file;
  const char* why;
};
constexpr VariableRow kVariables[] = {
    {"SSL_CERT_FILE", kTrustBundle, "OpenSSL, Go, Ruby, uv, rustls-native-certs"},
    {"CURL_CA_BUNDLE", kTrustBundle, "curl that was built elsewhere"},
    {"GIT_SSL_CAINFO", kTrustBundle, "git that was built elsewhere"},
    {"REQUESTS_CA_BUNDLE", kTrustBundle, "Python's requests brings certifi's store"},
    {"PIP_CERT", kTrustBundle, "pip brings its own"},
    {"CARGO_HTTP_CAINFO", kTrustBundle, "cargo's libcurl"},
    {"AWS_CA_BUNDLE", kTrustBundle, "botocore brings its own"},
    {"DENO_CERT", kTrustCa, "Deno adds to its own"},
    {"NODE_EXTRA_CA_CERTS", kTrustCa, "node adds to its own"},
};

Mount bind_of(std::string source, std::string target) {
  Mount m;
  m.kind = MountKind::bind;
  m.role =
      MountRole::shown;  // its source is the caller's, in a folder that only that one may enter
  m.source = std::move(source);
  m.target = std::move(target);
  m.read_only = true;
  return m;
}

/// `file` over what `path` leads to, once.
void cover(const std::string& path, const std::string& file, const Host& host,
           std::set<std::string>& covered, std::vector<Mount>& out) {
  PathFact fact;
  if (!host.lookup(path, fact) || fact.is_dir || !covered.insert(fact.path).second) return;
  out.push_back(bind_of(file, fact.path));
}

}  // namespace

std::string host_bundle(const Host& host) {
  std::string text;
  for (const StoreRow& row : kBundles)
    if (host.read(row.path, text)) return text;
  return {};
}

void add_trust(const std::string& folder, const Host& host, std::vector<Mount>& mounts,
               std::map<std::string, std::string>& env) {
  mounts.push_back(bind_of(folder, kTrustInside));
  std::set<std::string> covered;
  for (const StoreRow& row : kBundles)
    cover(row.path, join_path(folder, kTrustBundle), host, covered, mounts);
  for (const StoreRow& row : kJavaStores)
    cover(row.path, join_path(folder, kTrustJava), host, covered, mounts);
  for (const auto& jvm : host.list(kJvms))
    cover(join_path(kJvms, jvm) + "/lib/security/cacerts", join_path(folder, kTrustJava), host,
          covered, mounts);
  for (const VariableRow& row : kVariables)
    env.try_emplace(row.name, join_path(kTrustInside, row.file));
}

}  // namespace codexos::daemon

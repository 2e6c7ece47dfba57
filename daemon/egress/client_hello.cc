// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/client_hello.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <memory>

namespace codexos::daemon {
namespace {

struct FreeContext {
  void operator()(SSL_CTX* c) const { SSL_CTX_free(c); }
};
struct FreeSsl {
  void operator()(SSL* s) const { SSL_free(s); }
};

/// The extension's bytes: list length, one entry {0, length, name}. More than one entry is bad.
bool read_name(const unsigned char* p, size_t size, ClientHello& out) {
  constexpr size_t kBefore = 5;
  if (size < kBefore) return false;
  const size_t list = static_cast<size_t>(p[0]) << 8 | p[1];
  const size_t length = static_cast<size_t>(p[3]) << 8 | p[4];
  if (list != size - 2 || p[2] != TLSEXT_NAMETYPE_host_name || length != size - kBefore)
    return false;
  out.has_name = true;
  out.name.assign(reinterpret_cast<const char*>(p) + kBefore, length);
  return true;
}

int on_client_hello(SSL* ssl, int*, void*) {
  auto* out = static_cast<ClientHello*>(SSL_get_app_data(ssl));
  out->state = ClientHello::State::complete;
  const unsigned char* bytes = nullptr;
  size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &size) == 1 &&
      !read_name(bytes, size, *out))
    out->state = ClientHello::State::bad;
  return SSL_CLIENT_HELLO_ERROR;  // that is all we wanted
}

SSL_CTX* context() {
  static const std::unique_ptr<SSL_CTX, FreeContext> made = [] {
    std::unique_ptr<SSL_CTX, FreeContext> c(SSL_CTX_new(TLS_server_method()));
    if (c) SSL_CTX_set_client_hello_cb(c.get(), on_client_hello, nullptr);
    return c;
  }();
  return made.get();
}

}  // namespace

ClientHello read_client_hello(std::string_view bytes) {
  ClientHello out;
  const std::unique_ptr<SSL, FreeSsl> ssl(context() == nullptr ? nullptr : SSL_new(context()));
  BIO* in = BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size()));
  BIO* answers = BIO_new(BIO_s_mem());
  if (!ssl || in == nullptr || answers == nullptr) {
    BIO_free(in);
    BIO_free(answers);
    return out;
  }
  BIO_set_mem_eof_return(in, -1);  // "not now" instead of "the end"
  SSL_set_bio(ssl.get(), in, answers);
  SSL_set_app_data(ssl.get(), &out);
  const int rc = SSL_accept(ssl.get());
  if (out.state != ClientHello::State::complete &&
      SSL_get_error(ssl.get(), rc) == SSL_ERROR_WANT_READ)
    out.state = ClientHello::State::more;
  ERR_clear_error();  // of this thread
  return out;
}

}  // namespace codexos::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "core/base/clock.h"

namespace codexos::daemon {
namespace {

constexpr unsigned char kHttp11[] = "\x08http/1.1";
constexpr size_t kHttp11Size = sizeof kHttp11 - 1;
constexpr char kGroups[] = "X25519:P-256:P-384";
constexpr size_t kReadBuffer = 64 << 10;  // only while there is something in it
constexpr size_t kMaxLeaves = 256;
constexpr int64_t kRenewUs = int64_t{24} * 3600 * 1'000'000;

std::string tls_reason() {
  const unsigned long e = ERR_peek_last_error();
  const char* text = e == 0 ? nullptr : ERR_reason_error_string(e);
  return text == nullptr ? "TLS failed" : text;
}

Error tls_error(const std::string& what) {
  Error e{Code::internal, what + ": " + tls_reason(), {}};
  ERR_clear_error();
  return e;
}

// ---- a BIO over a socket: like OpenSSL's own, but without SIGPIPE ------------------------------

QuietSocket& socket_of(BIO* b) { return *static_cast<QuietSocket*>(BIO_get_data(b)); }

int socket_write(BIO* b, const char* bytes, int size) {
  BIO_clear_retry_flags(b);
  const ssize_t n =
      send(socket_of(b).fd, bytes, static_cast<size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(b);
  return static_cast<int>(n);
}

/// What gave less than was asked for has no more: asking again would cost as much as reading did.
int socket_read(BIO* b, char* to, int size) {
  BIO_clear_retry_flags(b);
  QuietSocket& s = socket_of(b);
  if (s.drained) {
    BIO_set_retry_read(b);
    return -1;
  }
  const ssize_t n = recv(s.fd, to, static_cast<size_t>(size), MSG_DONTWAIT);
  s.drained = n != 0 && n < size;
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(b);
  if (n == 0) BIO_set_flags(b, BIO_FLAGS_IN_EOF);
  return static_cast<int>(n);
}

long socket_control(BIO* b, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0;
}

const BIO_METHOD* socket_method() {
  static BIO_METHOD* const made = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "quiet socket");
    CODEXOS_CHECK(m != nullptr);
    BIO_meth_set_write(m, socket_write);
    BIO_meth_set_read(m, socket_read);
    BIO_meth_set_ctrl(m, socket_control);
    return m;
  }();
  return made;
}

bool use_socket(SSL* ssl, QuietSocket& socket) {
  BIO* b = BIO_new(socket_method());
  if (b == nullptr) return false;
  BIO_set_data(b, &socket);
  BIO_set_init(b, 1);
  SSL_set_bio(ssl, b, b);
  return true;
}

/// SSL_set_tlsext_host_name(3), which is a macro with a cast that we do not write.
bool ask_for_name(SSL* ssl, const std::string& name) {
  std::string text = name;
  return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, text.data()) == 1;
}

// ---- contexts ----------------------------------------------------------------------------------

TlsContextPtr new_context(const SSL_METHOD* method) {
  TlsContextPtr c(SSL_CTX_new(method));
  if (!c || SSL_CTX_set_min_proto_version(c.get(), TLS1_2_VERSION) != 1) return nullptr;
  SSL_CTX_set_options(c.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(c.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(c.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(c.get(), 1);  // not each record in two reads
  SSL_CTX_set_default_read_buffer_len(c.get(), kReadBuffer);
  std::string groups = kGroups;
  // OpenSSL 3.0 looks each of its groups up for each handshake: those that are used save 50 us.
  if (SSL_CTX_ctrl(c.get(), SSL_CTRL_SET_GROUPS_LIST, 0, groups.data()) != 1) return nullptr;
  return c;
}

/// A client that names protocols must name HTTP/1.1.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in,
                    unsigned in_size, void*) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, size, kHttp11, kHttp11Size, in, in_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

/// What tells whether the trust store is another one than before.
std::string store_stamp() {
  const char* named = std::getenv(X509_get_default_cert_file_env());
  const std::string path = named != nullptr ? named : X509_get_default_cert_file();
  struct stat st {};
  if (stat(path.c_str(), &st) != 0) return path;
  return path + ' ' + std::to_string(st.st_ino) + ' ' + std::to_string(st.st_size) + ' ' +
         std::to_string(st.st_mtim.tv_sec) + ' ' + std::to_string(st.st_mtim.tv_nsec);
}

}  // namespace

void FreeTlsContext::operator()(ssl_ctx_st* c) const { SSL_CTX_free(c); }
void FreeTls::operator()(ssl_st* s) const { SSL_free(s); }

Result<ssl_ctx_st*> TlsLeaves::context_for(const std::string& name) {
  const int64_t now = monotonic_us();
  if (const auto it = leaves_.find(name);
      it != leaves_.end() && now - it->second.made_us < kRenewUs)
    return it->second.context.get();
  CODEXOS_ASSIGN(const X509Ptr leaf, ca_->mint(name));
  TlsContextPtr c = new_context(TLS_server_method());
  if (!c || SSL_CTX_use_certificate(c.get(), leaf.get()) != 1 ||
      SSL_CTX_use_PrivateKey(c.get(), ca_->leaf_key()) != 1)
    return tls_error("TLS for " + name);
  SSL_CTX_set_alpn_select_cb(c.get(), choose_protocol, nullptr);
  // With OpenSSL 3.0 making one costs nearly what it saves.
  SSL_CTX_set_num_tickets(c.get(), 0);
  if (leaves_.size() >= kMaxLeaves) leaves_.clear();
  Leaf& kept = leaves_[name];
  kept = {std::move(c), now};
  return kept.context.get();
}

Result<ssl_ctx_st*> TlsServers::context() {
  std::string stamp = store_stamp();
  if (context_ && stamp == stamp_) return context_.get();
  TlsContextPtr c = new_context(TLS_client_method());
  if (!c || SSL_CTX_set_alpn_protos(c.get(), kHttp11, kHttp11Size) != 0)
    return tls_error("TLS to servers");
  // Without a store no server is believed: that is said when one is dialled.
  (void)SSL_CTX_set_default_verify_paths(c.get());
  ERR_clear_error();
  SSL_CTX_set_verify(c.get(), SSL_VERIFY_PEER, nullptr);
  context_ = std::move(c);
  stamp_ = std::move(stamp);
  return context_.get();
}

// ---- one side ----------------------------------------------------------------------------------

Result<TlsSide> TlsSide::accept(ssl_ctx_st* context, int fd) {
  TlsSide s;
  s.ssl_.reset(SSL_new(context));
  s.socket_->fd = fd;
  if (!s.ssl_ || !use_socket(s.ssl_.get(), *s.socket_)) return tls_error("TLS towards a client");
  SSL_set_accept_state(s.ssl_.get());
  return s;
}

Result<TlsSide> TlsSide::connect(ssl_ctx_st* context, int fd, const std::string& name) {
  TlsSide s;
  s.ssl_.reset(SSL_new(context));
  SSL* ssl = s.ssl_.get();
  s.socket_->fd = fd;
  if (ssl == nullptr || !use_socket(ssl, *s.socket_) || !ask_for_name(ssl, name) ||
      SSL_set1_host(ssl, name.c_str()) != 1)
    return tls_error("TLS to " + name);
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  SSL_set_connect_state(ssl);
  return s;
}

TlsSide::Io TlsSide::outcome(int rc) {
  wants_write_ = false;
  if (rc > 0) return Io::done;
  const int saved = errno;
  switch (SSL_get_error(ssl_.get(), rc)) {
    case SSL_ERROR_WANT_READ:
      return Io::wait;
    case SSL_ERROR_WANT_WRITE:
      wants_write_ = true;
      return Io::wait;
    case SSL_ERROR_ZERO_RETURN:
      return Io::ended;
    case SSL_ERROR_SYSCALL:
      why_ = saved == 0 ? "the connection ended" : std::strerror(saved);
      break;
    default:
      why_ = tls_reason();
  }
  const long verified = SSL_get_verify_result(ssl_.get());
  if (!SSL_is_server(ssl_.get()) && !ready_ && verified != X509_V_OK)
    why_ = std::string("its certificate is not good: ") + X509_verify_cert_error_string(verified);
  ERR_clear_error();
  return Io::broken;
}

TlsSide::Io TlsSide::handshake() {
  ERR_clear_error();
  errno = 0;
  const Io io = outcome(SSL_do_handshake(ssl_.get()));
  ready_ = io == Io::done;
  return io;
}

TlsSide::Io TlsSide::read(char* to, size_t size, size_t& n) {
  n = 0;
  ERR_clear_error();
  errno = 0;
  return outcome(SSL_read_ex(ssl_.get(), to, size, &n));
}

TlsSide::Io TlsSide::write(std::string_view bytes, size_t& n) {
  n = 0;
  ERR_clear_error();
  errno = 0;
  return outcome(SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &n));
}

void TlsSide::end_write() {
  ERR_clear_error();
  if (ready_) (void)SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

}  // namespace codexos::daemon

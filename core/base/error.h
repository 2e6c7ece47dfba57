// SPDX-License-Identifier: Apache-2.0
// Errors and results. One Error type, few codes, each named by what the caller can do about it.
// Exceptions are not used by our own code; libraries' exceptions stop at the library's home folder.
// Broken invariants are CODEXOS_CHECK, which aborts in every build.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace codexos {

enum class Code {
  invalid,      // the request is wrong: change it
  not_found,    // the thing named does not exist
  ambiguous,    // the name fits several things: say more
  conflict,     // the thing's state forbids it now
  denied,       // not allowed for this caller or by this policy
  exhausted,    // a limit or budget is used up
  no_space,     // no room on the disk: make some
  unavailable,  // a backend, the daemon or a kernel feature is not there
  timeout,      // it took too long
  unsupported,  // known, but not in this version
  internal,     // our fault
};

/// `message` reads outside-in: what we were doing, to what, why it failed. `hint` is the command or
/// change that helps, or empty.
struct Error {
  Code code = Code::internal;
  std::string message;
  std::string hint;

  /// Prefixes what we were doing: "start task abc: mount overlay: Invalid argument".
  Error during(std::string_view intent) && {
    message.insert(0, std::string(intent) + ": ");
    return std::move(*this);
  }
  Error with_hint(std::string text) && {
    hint = std::move(text);
    return std::move(*this);
  }
};

/// An Error from errno (errno(3)): `what` is the call and its object, e.g. "open /etc/passwd".
Error errno_error(std::string_view what, int err);

/// Either a value or an Error. Test it before use; value() on an error aborts.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : v_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit on purpose
  Result(Error e) : v_(std::in_place_index<1>, std::move(e)) {}      // NOLINT: implicit on purpose

  bool ok() const { return v_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& operator*() & { return get(); }
  const T& operator*() const& { return const_cast<Result*>(this)->get(); }
  T&& operator*() && { return std::move(get()); }
  T* operator->() { return &get(); }
  const T* operator->() const { return &const_cast<Result*>(this)->get(); }
  Error& error() & { return err(); }
  const Error& error() const& { return const_cast<Result*>(this)->err(); }
  Error&& error() && { return std::move(err()); }

 private:
  T& get() {
    if (!ok()) die(std::get<1>(v_).message.c_str());
    return std::get<0>(v_);
  }
  Error& err() {
    if (ok()) die("error() on a value");
    return std::get<1>(v_);
  }
  [[noreturn]] static void die(const char* why) {
    std::fprintf(stderr, "codexos: misuse of Result: %s\n", why);
    std::abort();
  }
  std::variant<T, Error> v_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error e) : e_(std::move(e)) {}  // NOLINT: implicit on purpose
  bool ok() const { return !e_; }
  explicit operator bool() const { return ok(); }
  Error& error() & { return *e_; }
  const Error& error() const& { return *e_; }
  Error&& error() && { return std::move(*e_); }

 private:
  std::optional<Error> e_;
};
using Status = Result<void>;

[[noreturn]] void check_failed(const char* expr, const char* file, int line);

}  // namespace codexos

#define CODEXOS_CHECK(x) \
  ((x) ? static_cast<void>(0) : ::codexos::check_failed(#x, __FILE__, __LINE__))
/// Returns the error of `expr` (a Result or Status) from the enclosing function.
#define CODEXOS_TRY(expr)                                         \
  do {                                                            \
    if (auto r_ = (expr); !r_.ok()) return std::move(r_).error(); \
  } while (0)
#define CODEXOS_CAT2(a, b) a##b
#define CODEXOS_CAT(a, b) CODEXOS_CAT2(a, b)
/// `CODEXOS_ASSIGN(auto fd, open_thing());` declares fd or returns the error.
#define CODEXOS_ASSIGN(decl, expr) \
  CODEXOS_ASSIGN_(CODEXOS_CAT(assign_result_, __LINE__), decl, expr)
#define CODEXOS_ASSIGN_(tmp, decl, expr)        \
  auto tmp = (expr);                            \
  if (!tmp.ok()) return std::move(tmp).error(); \
  decl = *std::move(tmp)

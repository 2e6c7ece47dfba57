// SPDX-License-Identifier: Apache-2.0
// Turns wire types into bytes and back for the shim's link and the Plan: every field in the order
// of fields(). Integers and enums are 8 bytes little endian, bool 1 byte, strings u32 length +
// bytes, vectors u32 count + elements, optionals u8 + value, maps u32 count + (key, value).
//
// Compatibility: fields are only ever appended. A decoder that runs out of bytes exactly at a field
// border leaves the rest of the top-level struct at its default (older sender), and trailing bytes
// are ignored (newer sender). Nested structs have a u32 length of their own, so the same holds
// there.
#pragma once

#include <cstring>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/fields.h"

namespace codexos {

class BinaryWriter {
 public:
  template <class T>
  void operator()(const char*, const T& x, const char* = "") {
    put(x);
  }
  std::string take() { return std::move(out_); }

  template <class T>
  void put(const T& x) {
    if constexpr (std::is_same_v<T, bool>) {
      out_.push_back(x ? 1 : 0);
    } else if constexpr (std::is_enum_v<T> || std::is_integral_v<T>) {
      put_int(static_cast<uint64_t>(static_cast<int64_t>(x)));
    } else if constexpr (std::is_same_v<T, double>) {
      uint64_t bits = 0;
      std::memcpy(&bits, &x, sizeof bits);
      put_int(bits);
    } else if constexpr (std::is_same_v<T, std::string>) {
      put_len(x.size());
      out_.append(x);
    } else if constexpr (is_vector<T>::value) {
      put_len(x.size());
      for (const auto& e : x) put(e);
    } else if constexpr (is_optional<T>::value) {
      put(x.has_value());
      if (x) put(*x);
    } else if constexpr (is_map<T>::value) {
      put_len(x.size());
      for (const auto& [k, e] : x) {
        put(k);
        put(e);
      }
    } else {
      static_assert(has_fields_v<T>, "type has no fields()");
      const size_t at = out_.size();
      put_len(0);
      T::fields(x, *this);
      const auto n = static_cast<uint32_t>(out_.size() - at - 4);
      std::memcpy(out_.data() + at, &n, 4);
    }
  }

 private:
  void put_int(uint64_t x) { out_.append(reinterpret_cast<const char*>(&x), 8); }
  void put_len(size_t n) {
    const auto x = static_cast<uint32_t>(n);
    out_.append(reinterpret_cast<const char*>(&x), 4);
  }
  std::string out_;
};

class BinaryReader {
 public:
  explicit BinaryReader(std::string_view in) : in_(in) {}
  bool failed() const { return failed_; }

  template <class T>
  void operator()(const char*, T& x, const char* = "") {
    if (failed_ || in_.empty()) return;  // an older sender: the default stays
    get(x);
  }

  template <class T>
  void get(T& x) {
    if (failed_) return;
    if constexpr (std::is_same_v<T, bool>) {
      const auto s = bytes(1);
      if (!failed_) x = s[0] != 0;
    } else if constexpr (std::is_enum_v<T> || std::is_integral_v<T>) {
      x = static_cast<T>(static_cast<int64_t>(get_int()));
    } else if constexpr (std::is_same_v<T, double>) {
      const uint64_t bits = get_int();
      std::memcpy(&x, &bits, sizeof x);
    } else if constexpr (std::is_same_v<T, std::string>) {
      x = std::string(bytes(get_len()));
    } else if constexpr (is_vector<T>::value) {
      const uint32_t n = get_len();
      x.clear();
      for (uint32_t i = 0; i < n && !failed_; ++i) get(x.emplace_back());
    } else if constexpr (is_optional<T>::value) {
      bool has = false;
      get(has);
      if (has && !failed_) get(x.emplace());
    } else if constexpr (is_map<T>::value) {
      const uint32_t n = get_len();
      for (uint32_t i = 0; i < n && !failed_; ++i) {
        std::string k;
        get(k);
        get(x[k]);
      }
    } else {
      BinaryReader inner(bytes(get_len()));
      if (failed_) return;
      T::fields(x, inner);
      failed_ = inner.failed_;
    }
  }

 private:
  std::string_view bytes(size_t n) {
    if (n > in_.size()) {
      failed_ = true;
      return {};
    }
    const auto s = in_.substr(0, n);
    in_.remove_prefix(n);
    return s;
  }
  uint64_t get_int() {
    uint64_t x = 0;
    const auto s = bytes(8);
    if (!failed_) std::memcpy(&x, s.data(), 8);
    return x;
  }
  uint32_t get_len() {
    uint32_t n = 0;
    const auto s = bytes(4);
    if (!failed_) std::memcpy(&n, s.data(), 4);
    // Every element takes at least one byte, so a count above what is left is a lie.
    if (n > in_.size()) failed_ = true;
    return failed_ ? 0 : n;
  }
  std::string_view in_;
  bool failed_ = false;
};

template <class T>
std::string to_binary(const T& x) {
  BinaryWriter w;
  T::fields(x, w);
  return w.take();
}

/// Error invalid if the bytes are cut or contradict themselves.
template <class T>
Result<T> from_binary(std::string_view bytes) {
  T x;
  BinaryReader r(bytes);
  T::fields(x, r);
  if (r.failed()) return Error{Code::invalid, "message is cut or damaged", {}};
  return x;
}

}  // namespace codexos

// SPDX-License-Identifier: Apache-2.0
// The codec between wire types and JSON values, drawn from fields(). Included by json.h only.
//
// Writing: a nullopt optional is left out; Defaults::omit leaves out every member that equals what
// a default-constructed struct holds, also inside nested structs, compared as JSON. Reading starts
// from the struct as it is, so a member that is left out keeps its default; null is accepted for an
// optional only. Map and vector elements and engaged optionals start from a fresh default.
//
// A string whose bytes are not UTF-8 (an argument, a path) is written as {"base64": "..."}, and
// read from there; keys of maps are text.
#pragma once

#include <limits>
#include <vector>

#include "core/json/json.h"

namespace codexos::json {
namespace detail {

/// Appends without a search; the name must be new.
Value& append_member(Value& object, std::string name, Value&& x);
/// "a.b" or "b" when path is empty.
std::string member_path(const std::string& path, std::string_view name);
std::string element_path(const std::string& path, size_t index);
/// Error invalid: "field \"a.b\": must be a string".
Error wrong(const std::string& path, std::string_view what);
/// The first member of `object` that is not in `known` as Error invalid, with the nearest known
/// name.
Error unknown_field(const Value& object, const std::vector<const char*>& known,
                    const std::string& path);
/// Integers only, no floating point; error invalid when the value is outside.
Status read_signed(const Value& v, int64_t min, int64_t max, int64_t& out, const std::string& path);
Status read_unsigned(const Value& v, uint64_t max, uint64_t& out, const std::string& path);
Status read_bool(const Value& v, bool& out, const std::string& path);
Status read_double(const Value& v, double& out, const std::string& path);
Status read_string(const Value& v, std::string& out, const std::string& path);
Value write_string(const std::string& s);

template <class T>
const Value& defaults_of() {
  static const Value value = to_value(T{}, Defaults::write);
  return value;
}

/// `base` is what a reader holds before it reads (an object), or null to write every member.
template <class T>
Value write_struct(const T& x, const Value* base);

template <class T>
Value write(const T& x, Defaults d) {
  if constexpr (std::is_enum_v<T>) {
    return Value(std::string(name_of(x)));
  } else if constexpr (is_vector<T>::value) {
    Value out = Value::array();
    for (const auto& element : x) out.push_back(write(element, d));
    return out;
  } else if constexpr (is_optional<T>::value) {
    return x ? write(*x, d) : Value(nullptr);
  } else if constexpr (is_map<T>::value) {
    Value out = Value::object();
    for (const auto& [key, element] : x) append_member(out, key, write(element, d));
    return out;
  } else if constexpr (has_fields_v<T>) {
    return write_struct(x, d == Defaults::omit ? &defaults_of<T>() : nullptr);
  } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, Scalar>) {
    return write_string(x);
  } else {
    return Value(x);
  }
}

class ObjectWriter {
 public:
  ObjectWriter(Value& out, const Value* base) : out_(out), base_(base) {}

  template <class T>
  void operator()(const char* name, const T& x, const char* = "") {
    if (base_ == nullptr) return write_member(name, x);
    const auto it = base_->find(name);
    const Value full = write(x, Defaults::write);
    if (full == (it == base_->end() ? Value(nullptr) : *it)) return;
    if constexpr (has_fields_v<T>) {
      append_member(out_, name, write_struct(x, &*it));
    } else {
      append_member(out_, name, write(x, Defaults::omit));
    }
  }

 private:
  template <class T>
  void write_member(const char* name, const T& x) {
    if constexpr (is_optional<T>::value) {
      if (!x) return;
    }
    append_member(out_, name, write(x, Defaults::write));
  }
  Value& out_;
  const Value* base_;
};

template <class T>
Value write_struct(const T& x, const Value* base) {
  Value out = Value::object();
  ObjectWriter writer(out, base);
  T::fields(x, writer);
  return out;
}

template <class T>
Status read_int(const Value& v, T& out, const std::string& path) {
  using Limits = std::numeric_limits<T>;
  if constexpr (std::is_signed_v<T>) {
    int64_t x = 0;
    CODEXOS_TRY(read_signed(v, Limits::min(), Limits::max(), x, path));
    out = static_cast<T>(x);
  } else {
    uint64_t x = 0;
    CODEXOS_TRY(read_unsigned(v, Limits::max(), x, path));
    out = static_cast<T>(x);
  }
  return {};
}

template <class T>
Status read_enum(const Value& v, T& out, const std::string& path) {
  std::string name;
  CODEXOS_TRY(read_string(v, name, path));
  if (const auto found = find_enum<T>(name)) {
    out = *found;
    return {};
  }
  std::string all;
  for (const auto& row : enum_names(T{})) {
    if (!all.empty()) all += ", ";
    all += row.name.empty() ? std::string_view("\"\"") : row.name;
  }
  return wrong(path, "must be one of " + all);
}

template <class T>
Status read_vector(const Value& v, std::vector<T>& out, Unknown u, const std::string& path) {
  if (!v.is_array()) return wrong(path, "must be an array");
  out.clear();
  out.reserve(v.size());
  for (const Value& element : v) {
    T x{};
    CODEXOS_TRY(from_value(element, x, u, element_path(path, out.size())));
    out.push_back(std::move(x));
  }
  return {};
}

template <class T>
Status read_map(const Value& v, std::map<std::string, T>& out, Unknown u, const std::string& path) {
  if (!v.is_object()) return wrong(path, "must be an object");
  out.clear();
  for (auto it = v.begin(); it != v.end(); ++it) {
    T x{};
    CODEXOS_TRY(from_value(it.value(), x, u, member_path(path, it.key())));
    out.emplace(it.key(), std::move(x));
  }
  return {};
}

class ObjectReader {
 public:
  ObjectReader(const Value& object, Unknown u, const std::string& path)
      : object_(object), unknown_(u), path_(path) {}

  template <class T>
  void operator()(const char* name, T& x, const char* = "") {
    known_.push_back(name);
    if (!status_.ok()) return;
    const auto it = object_.find(name);
    if (it == object_.end()) return;
    ++found_;
    status_ = from_value(*it, x, unknown_, member_path(path_, name));
  }
  Status finish() {
    if (!status_.ok()) return std::move(status_);
    if (unknown_ == Unknown::refuse && found_ != object_.size())
      return unknown_field(object_, known_, path_);
    return {};
  }

 private:
  const Value& object_;
  const Unknown unknown_;
  const std::string& path_;
  std::vector<const char*> known_;
  size_t found_ = 0;
  Status status_;
};

template <class T>
Status read_struct(const Value& v, T& out, Unknown u, const std::string& path) {
  if (!v.is_object()) return wrong(path, "must be an object");
  ObjectReader reader(v, u, path);
  T::fields(out, reader);
  return reader.finish();
}

}  // namespace detail

template <class T>
Value to_value(const T& x, Defaults d) {
  return detail::write(x, d);
}

template <class T>
Status from_value(const Value& v, T& out, Unknown u, const std::string& path) {
  if constexpr (std::is_same_v<T, bool>) {
    return detail::read_bool(v, out, path);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return detail::read_string(v, out, path);
  } else if constexpr (std::is_same_v<T, Scalar>) {
    if (v.is_number()) return out = Scalar(v.dump()), Status{};
    return detail::read_string(v, out, path);
  } else if constexpr (std::is_same_v<T, double>) {
    return detail::read_double(v, out, path);
  } else if constexpr (std::is_enum_v<T>) {
    return detail::read_enum(v, out, path);
  } else if constexpr (std::is_integral_v<T>) {
    return detail::read_int(v, out, path);
  } else if constexpr (is_vector<T>::value) {
    return detail::read_vector(v, out, u, path);
  } else if constexpr (is_optional<T>::value) {
    out.reset();
    return v.is_null() ? Status{} : from_value(v, out.emplace(), u, path);
  } else if constexpr (is_map<T>::value) {
    return detail::read_map(v, out, u, path);
  } else {
    static_assert(has_fields_v<T>, "type has no fields()");
    return detail::read_struct(v, out, u, path);
  }
}

}  // namespace codexos::json

// SPDX-License-Identifier: Apache-2.0
// The codec between wire types and JSON, drawn from fields(). Included by json.h only.
//
// Writing: text at once, without a tree of values. A nullopt optional is left out; Defaults::omit
// leaves out every member that equals what a default-constructed struct holds, also inside nested
// structs, compared as JSON. Reading starts
// from the struct as it is, so a member that is left out keeps its default; null is accepted for an
// optional only. Map and vector elements and engaged optionals start from a fresh default.
//
// A string whose bytes are not UTF-8 (an argument, a path) is written as {"base64": "..."}, and
// read from there; keys of maps are text.
#pragma once

#include <charconv>
#include <limits>
#include <utility>
#include <vector>

#include "core/json/json.h"

namespace codexos::json {
namespace detail {

/// Appends without a search; the name must be new.
Value& append_member(Value& object, std::string name, Value&& x);
/// Where a reader is: a chain through its callers, made text of only when something is wrong.
struct Path {
  const Path* up = nullptr;  // null: the document itself
  std::string_view name = {};
  size_t index = 0;
  bool is_element = false;

  Path member(std::string_view of) const { return Path{this, of, 0, false}; }
  Path element(size_t n) const { return Path{this, {}, n, true}; }
  /// "a.b[2]"
  std::string text() const;
};
/// Error invalid: "field \"a.b\": must be a string".
Error wrong(const Path& path, std::string_view what);
/// The first member of `object` that is not in `known` as Error invalid, with the nearest known
/// name.
Error unknown_field(const Value& object, const std::vector<const char*>& known, const Path& path);
/// Integers only, no floating point; error invalid when the value is outside.
Status read_signed(const Value& v, int64_t min, int64_t max, int64_t& out, const Path& path);
Status read_unsigned(const Value& v, uint64_t max, uint64_t& out, const Path& path);
Status read_bool(const Value& v, bool& out, const Path& path);
Status read_double(const Value& v, double& out, const Path& path);
Status read_string(const Value& v, std::string& out, const Path& path);

/// A string, or {"base64": ...}.
void append_string(std::string& out, const std::string& s);
/// A member's name and the colon.
void append_name(std::string& out, std::string_view name);
void append_double(std::string& out, double x);

/// What a default-constructed struct holds, as JSON: each member, in the order of fields().
struct Written {
  std::string text;
  std::vector<Written> members;
};

template <class T>
const std::vector<Written>& defaults_of();

template <class T>
void append_members(std::string& out, const T& x, const std::vector<Written>* base);

template <class T>
void append(std::string& out, const T& x, Defaults d) {
  if constexpr (std::is_same_v<T, bool>) {
    out += x ? "true" : "false";
  } else if constexpr (std::is_enum_v<T>) {
    append_string(out, std::string(name_of(x)));
  } else if constexpr (std::is_integral_v<T>) {
    char digits[24];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, x).ptr);
  } else if constexpr (std::is_same_v<T, double>) {
    append_double(out, x);
  } else if constexpr (is_vector<T>::value) {
    out += '[';
    for (const auto& element : x) {
      if (&element != &x.front()) out += ',';
      append(out, element, d);
    }
    out += ']';
  } else if constexpr (is_optional<T>::value) {
    x ? append(out, *x, d) : void(out += "null");
  } else if constexpr (is_map<T>::value) {
    out += '{';
    bool first = true;
    for (const auto& [key, element] : x) {
      if (!std::exchange(first, false)) out += ',';
      append_name(out, key);
      append(out, element, d);
    }
    out += '}';
  } else if constexpr (has_fields_v<T>) {
    append_members(out, x, d == Defaults::omit ? &defaults_of<T>() : nullptr);
  } else {
    append_string(out, x);
  }
}

class MembersWriter {
 public:
  MembersWriter(std::string& out, const std::vector<Written>* base) : out_(out), base_(base) {}

  template <class T>
  void operator()(const char* name, const T& x, const char* = "") {
    const Written* base = base_ == nullptr ? nullptr : &(*base_)[member_++];
    if constexpr (is_optional<T>::value) {
      if (!x && base == nullptr) return;
    }
    const size_t begin = out_.size();
    if (!first_) out_ += ',';
    append_name(out_, name);
    const size_t value = out_.size();
    append(out_, x, Defaults::write);
    if (base != nullptr) {
      if (std::string_view(out_).substr(value) == base->text) return out_.resize(begin);
      out_.resize(value);
      if constexpr (has_fields_v<T>) {
        append_members(out_, x, &base->members);
      } else {
        append(out_, x, Defaults::omit);
      }
    }
    first_ = false;
  }

 private:
  std::string& out_;
  const std::vector<Written>* base_;
  size_t member_ = 0;
  bool first_ = true;
};

/// `base`: what a reader holds before it reads, or null to write every member.
template <class T>
void append_members(std::string& out, const T& x, const std::vector<Written>* base) {
  out += '{';
  MembersWriter writer(out, base);
  T::fields(x, writer);
  out += '}';
}

class MembersCollector {
 public:
  template <class T>
  void operator()(const char*, const T& x, const char* = "") {
    Written w;
    append(w.text, x, Defaults::write);
    if constexpr (has_fields_v<T>) {
      MembersCollector members;
      T::fields(x, members);
      w.members = members.take();
    }
    all_.push_back(std::move(w));
  }
  std::vector<Written> take() { return std::move(all_); }

 private:
  std::vector<Written> all_;
};

template <class T>
const std::vector<Written>& defaults_of() {
  static const std::vector<Written> all = [] {
    MembersCollector members;
    const T x{};
    T::fields(x, members);
    return members.take();
  }();
  return all;
}

template <class T>
Status read_int(const Value& v, T& out, const Path& path) {
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
Status read_enum(const Value& v, T& out, const Path& path) {
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
Status read_vector(const Value& v, std::vector<T>& out, Unknown u, const Path& path) {
  if (!v.is_array()) return wrong(path, "must be an array");
  out.clear();
  out.reserve(v.size());
  for (const Value& element : v) {
    T x{};
    CODEXOS_TRY(from_value(element, x, u, path.element(out.size())));
    out.push_back(std::move(x));
  }
  return {};
}

template <class T>
Status read_map(const Value& v, std::map<std::string, T>& out, Unknown u, const Path& path) {
  if (!v.is_object()) return wrong(path, "must be an object");
  out.clear();
  for (auto it = v.begin(); it != v.end(); ++it) {
    T x{};
    CODEXOS_TRY(from_value(it.value(), x, u, path.member(it.key())));
    out.emplace(it.key(), std::move(x));
  }
  return {};
}

class ObjectReader {
 public:
  ObjectReader(const Value& object, Unknown u, const Path& path)
      : members_(object.get_ref<const Value::object_t&>()), unknown_(u), path_(path) {}

  template <class T>
  void operator()(const char* name, T& x, const char* = "") {
    if (!status_.ok()) return;
    const Value* value = find(name);
    if (value == nullptr) return;
    ++found_;
    status_ = from_value(*value, x, unknown_, path_.member(name));
  }
  /// True: there are members that nobody asked for.
  bool finish(Status& status) {
    status = std::move(status_);
    return status.ok() && unknown_ == Unknown::refuse && found_ != members_.size();
  }

 private:
  /// Most documents have their members in the order of fields().
  const Value* find(std::string_view name) {
    for (size_t n = 0; n < members_.size(); ++n) {
      const auto& [key, value] = members_.begin()[static_cast<std::ptrdiff_t>(next_)];
      next_ = next_ + 1 == members_.size() ? 0 : next_ + 1;
      if (key == name) return &value;
    }
    return nullptr;
  }

  const Value::object_t& members_;  // in the order of the text
  const Unknown unknown_;
  const Path& path_;
  size_t next_ = 0;
  size_t found_ = 0;
  Status status_;
};

struct NamesCollector {
  std::vector<const char*> names;
  template <class T>
  void operator()(const char* name, T&, const char* = "") {
    names.push_back(name);
  }
};

template <class T>
Status read_struct(const Value& v, T& out, Unknown u, const Path& path) {
  if (!v.is_object()) return wrong(path, "must be an object");
  ObjectReader reader(v, u, path);
  T::fields(out, reader);
  Status status;
  if (!reader.finish(status)) return status;
  NamesCollector known;
  T::fields(out, known);
  return unknown_field(v, known.names, path);
}

}  // namespace detail

template <class T>
std::string encode(const T& x, Defaults d) {
  std::string out;
  detail::append(out, x, d);
  return out;
}

template <class T>
Status from_value(const Value& v, T& out, Unknown u) {
  return from_value(v, out, u, detail::Path{});
}

template <class T>
Status from_value(const Value& v, T& out, Unknown u, const detail::Path& path) {
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

// SPDX-License-Identifier: Apache-2.0
// How a struct lists its fields once. A wire type has
//
//   template <class Self, class V> static void fields(Self& s, V& v) {
//     v("argv", s.argv, "program and arguments");
//     v("cwd", s.cwd, "...");
//   }
//
// and every encoder, decoder, validator and schema printer is a visitor V with
// operator()(const char* name, T& field, const char* doc). Field types: bool, (u)int32/64, double,
// std::string, enums with enum_names(), structs with fields(), std::vector, std::optional and
// std::map<std::string, T> of those.
//
// An enum is described by a constexpr array found by ADL:
//   constexpr auto enum_names(State) { return std::array{EnumName{State::queued, "queued"}, ...}; }
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace codexos {

template <class E>
struct EnumName {
  E value;
  std::string_view name;
};
template <class E>
EnumName(E, const char*) -> EnumName<E>;

/// The name of an enum value; "?" if the value is not in its table.
template <class E>
constexpr std::string_view name_of(E e) {
  for (const auto& row : enum_names(E{}))
    if (row.value == e) return row.name;
  return "?";
}

template <class E>
constexpr std::optional<E> find_enum(std::string_view name) {
  for (const auto& row : enum_names(E{}))
    if (row.name == name) return row.value;
  return std::nullopt;
}

/// Text that may be written as a number as well: `pids: 100`.
struct Scalar : std::string {
  Scalar() = default;
  Scalar(std::string s) : std::string(std::move(s)) {}  // NOLINT: implicit on purpose
};

struct NullVisitor {
  template <class T>
  void operator()(const char*, T&, const char* = "") {}
};

template <class T, class = void>
struct has_fields : std::false_type {};
template <class T>
struct has_fields<
    T, std::void_t<decltype(T::fields(std::declval<T&>(), std::declval<NullVisitor&>()))>>
    : std::true_type {};
template <class T>
inline constexpr bool has_fields_v = has_fields<std::remove_const_t<T>>::value;

template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};
template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};
template <class T>
struct is_map : std::false_type {};
template <class T>
struct is_map<std::map<std::string, T>> : std::true_type {};

}  // namespace codexos

// SPDX-License-Identifier: Apache-2.0
// JSON Schema (draft 2020-12) of wire types, drawn from fields() like the codec, so that both say
// the same. Committed in schema/, where a test compares.
#pragma once

#include <limits>
#include <string>

#include "core/base/fields.h"
#include "core/json/json.h"

namespace codexos::json {

template <class T>
Value schema_of();

namespace detail {

class SchemaWriter {
 public:
  explicit SchemaWriter(Value& properties) : properties_(properties) {}
  template <class T>
  void operator()(const char* name, const T&, const char* doc = "") {
    Value schema = schema_of<T>();
    Value out = Value::object();
    if (*doc != '\0') out["description"] = doc;
    for (auto it = schema.begin(); it != schema.end(); ++it) out[it.key()] = it.value();
    properties_[name] = std::move(out);
  }

 private:
  Value& properties_;
};

}  // namespace detail

/// A struct takes no fields but its own. What may be left out is not told: nothing is required.
template <class T>
Value schema_of() {
  Value out = Value::object();
  if constexpr (std::is_same_v<T, bool>) {
    out["type"] = "boolean";
  } else if constexpr (std::is_same_v<T, std::string>) {
    out["type"] = "string";
  } else if constexpr (std::is_same_v<T, Scalar>) {
    out["type"] = Value::array({"string", "number"});
  } else if constexpr (std::is_enum_v<T>) {
    out["enum"] = Value::array();
    for (const auto& row : enum_names(T{})) out["enum"].push_back(std::string(row.name));
  } else if constexpr (std::is_integral_v<T>) {
    out["type"] = "integer";
    if constexpr (!std::is_signed_v<T>) out["minimum"] = 0;
  } else if constexpr (std::is_floating_point_v<T>) {
    out["type"] = "number";
  } else if constexpr (is_optional<T>::value) {
    return schema_of<typename T::value_type>();
  } else if constexpr (is_vector<T>::value) {
    out["type"] = "array";
    out["items"] = schema_of<typename T::value_type>();
  } else if constexpr (is_map<T>::value) {
    out["type"] = "object";
    out["additionalProperties"] = schema_of<typename T::mapped_type>();
  } else {
    static_assert(has_fields_v<T>, "type has no fields()");
    out["type"] = "object";
    out["additionalProperties"] = false;
    out["properties"] = Value::object();
    T x{};
    detail::SchemaWriter writer(out["properties"]);
    T::fields(x, writer);
  }
  return out;
}

/// The whole document, indented, with a newline behind it.
template <class T>
std::string schema_text(const std::string& title) {
  Value out = Value::object();
  out["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  out["title"] = title;
  const Value body = schema_of<T>();
  for (auto it = body.begin(); it != body.end(); ++it) out[it.key()] = it.value();
  return dump_pretty(out) + "\n";
}

}  // namespace codexos::json

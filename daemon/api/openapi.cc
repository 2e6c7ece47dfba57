// SPDX-License-Identifier: Apache-2.0
// The table of routes as an OpenAPI document (https://spec.openapis.org/oas/v3.1.0).
#include <algorithm>

#include "core/base/split.h"
#include "core/base/text.h"
#include "core/base/version.h"
#include "core/policy/yaml.h"
#include "daemon/api/api.h"

namespace codexos::daemon {
namespace {

using json::Value;

Value object(std::initializer_list<std::pair<std::string, Value>> members) {
  Value out = Value::object();
  for (const auto& [key, value] : members) out[key] = value;
  return out;
}

/// What a stream says while there is nothing else to say, see server.cc.
std::string heartbeat_schema() {
  return json::dump(object({{"type", "object"},
                            {"additionalProperties", false},
                            {"required", Value::array({"type"})},
                            {"properties", object({{"type", object({{"const", "heartbeat"}})}})}}));
}
const BodyType kHeartbeat{"Heartbeat", heartbeat_schema, "application/x-ndjson"};

/// The schemas that were referred to, by name.
class Schemas {
 public:
  Value reference(const BodyType& type) {
    if (type.schema == nullptr) return object({{"type", "string"}});
    const std::string name(type.name);
    if (!all_.contains(name)) all_[name] = *json::parse(type.schema());
    return object({{"$ref", "#/components/schemas/" + name}});
  }
  /// Of bodies of one media type, any of which it may be. Each line of a stream may be a heartbeat.
  Value content(std::vector<BodyType> types) {
    const std::string media(types.front().media);
    if (media == "application/x-ndjson") types.push_back(kHeartbeat);
    Value any = Value::array();
    for (const BodyType& type : types) any.push_back(reference(type));
    Value schema = any.size() == 1 ? any.front() : object({{"anyOf", any}});
    return object({{media, object({{"schema", std::move(schema)}})}});
  }
  const Value& all() const { return all_; }

 private:
  Value all_ = Value::object();
};

/// Of a parameter; `type` as ApiRoute::query has it.
Value schema_of_parameter(std::string_view type) {
  if (type == "number") return object({{"type", "integer"}, {"minimum", 0}});
  if (type == "flag") return object({{"enum", Value::array({"0", "1", "true", "false"})}});
  return object({{"type", "string"}});
}

Value parameters_of(const ApiRoute& r) {
  Value out = Value::array();
  const std::string pattern(r.pattern);
  for (size_t at = pattern.find('{'); at != pattern.npos; at = pattern.find('{', at + 1))
    out.push_back(object({{"name", pattern.substr(at + 1, pattern.find('}', at) - at - 1)},
                          {"in", "path"},
                          {"required", true},
                          {"schema", schema_of_parameter("")}}));
  for (const auto& word : split(r.query)) {
    const size_t equal = std::min(word.find('='), word.size());
    const std::string type = equal < word.size() ? word.substr(equal + 1) : "";
    out.push_back(object(
        {{"name", word.substr(0, equal)}, {"in", "query"}, {"schema", schema_of_parameter(type)}}));
  }
  return out;
}

Value response(const std::string& description, const std::vector<BodyType>& types,
               Schemas& schemas) {
  Value out = object({{"description", description}});
  if (!types.empty()) out["content"] = schemas.content(types);
  return out;
}

Value operation(const ApiRoute& r, Schemas& schemas) {
  Value out = object({{"summary", std::string(r.summary)}});
  if (Value list = parameters_of(r); !list.empty()) out["parameters"] = std::move(list);
  if (!r.takes.name.empty()) out["requestBody"] = object({{"content", schemas.content({r.takes})}});
  Value& responses = out["responses"] = Value::object();
  if (r.frames) responses["101"] = response("With Upgrade: codexos-frames/1", {}, schemas);
  if (!r.gives.name.empty())
    responses[std::to_string(r.status)] = response("Done", {r.gives}, schemas);
  for (const OtherAnswer& a : r.also)
    responses[std::to_string(a.status)] = response(std::string(a.when), a.gives, schemas);
  BodyType problem = json_of<wire::Problem>("Problem");
  problem.media = "application/problem+json";
  responses["default"] = response("What was wrong", {problem}, schemas);
  return out;
}

}  // namespace

std::string openapi_text() {
  Schemas schemas;
  Value paths = Value::object();
  for (const auto& r : api_routes())
    paths[std::string(r.pattern)][to_lower(r.method)] = operation(r, schemas);
  const Value document =
      object({{"openapi", "3.1.0"},
              {"info", object({{"title", "CodexOS"},
                               {"version", std::string(kVersion)},
                               {"description", "What codexosd speaks on its Unix socket"}})},
              {"servers", Value::array({object({{"url", "http://codexos"}})})},
              {"paths", std::move(paths)},
              {"components", object({{"schemas", schemas.all()}})}});
  return "# SPDX-License-Identifier: Apache-2.0\n# Printed by: codexosd openapi\n" +
         yaml::write(document);
}

}  // namespace codexos::daemon

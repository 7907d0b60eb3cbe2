#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "http/http.h"

namespace etesian::api {

/// One member of a body or an answer, or one query parameter.
struct Field {
  std::string name;
  std::string type;  ///< "string", "int", "instant", …, the name of an enumeration, or "@Schema".
  bool is_required = false, is_nullable = false, is_list = false;
};

/// The shape of a JSON object: what a body is checked against and what OpenAPI shows.
struct Schema {
  std::string name;
  std::vector<Field> fields;
};

/// Fields from their short form, blank-separated: "name:type" with '*' for a list, '?' for nullable
/// and
/// '!' for required, in this order. The type "range" stands for four instants: name_gte, _gt, _lte,
/// _lt; "number_range" for four numbers.
std::vector<Field> fields_from_text(std::string_view text);

const std::vector<Schema>& schemas();
/// The name exists (checked).
const Schema& schema_named(std::string_view name);
/// Values of an enumeration type; empty for any other type.
const std::vector<std::string_view>& values_of_type(std::string_view type);

/// The body as an object that fits `schema`, or the refusal: 415 for another content type, 422 with
/// a list of all problems in the form of Airflow's API (unknown members included).
std::optional<http::Response> check_body(const http::Request& request, const Schema& schema,
                                         json::object& body);
/// The same of an object somewhere in a body.
std::optional<http::Response> check_members(const json::object& object, const Schema& schema,
                                            const std::vector<std::string>& place);
/// Checks the parameters that `fields` names; unknown ones are ignored, as Airflow does.
std::optional<http::Response> check_query(const http::Request& request,
                                          const std::vector<Field>& fields);

/// {"detail": [{"type", "loc", "msg", "input"}]} with one problem.
http::Response unprocessable(std::vector<std::string> location, std::string_view type,
                             std::string_view message);

}  // namespace etesian::api

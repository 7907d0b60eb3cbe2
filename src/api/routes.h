#pragma once
#include <string>
#include <vector>

#include "api/schema.h"
#include "api/service.h"

namespace etesian::api {

/// One row of the route table: everything that router, checks and OpenAPI document know of a route.
struct Operation {
  std::string method, pattern;
  std::string id;  ///< operationId; also http::Route::operation_id.
  std::string tag, summary;
  AnyHandler handler;
  std::vector<Field> query;
  std::string body;    ///< Name of a schema; empty: no body.
  std::string answer;  ///< Name of a schema, or a content type for what is not JSON.
  int status = 200;    ///< Of success.
  http::Access access = http::Access::Token;
};

const std::vector<Operation>& operations();

}  // namespace etesian::api

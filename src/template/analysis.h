#pragma once
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "template/syntax.h"

namespace etesian::templates {

/// Calls `visit` for each direct child, arguments and bounds included.
void for_each_child(const Expr& expr, const std::function<void(const Expr&)>& visit);
/// The text of a literal; nullopt for anything else.
std::optional<std::string> literal_text(const Expr& expr);
/// "x" of `.x` and `['x']`; empty for anything else.
std::string member_name(const Part& part);
/// Literal task ids of a call of xcom_pull, each with its place.
std::vector<std::pair<std::string, Span>> tasks_pulled(const Part& call);
/// Ids of tasks whose output is read, as far as they are literal; sorted, unique.
std::vector<std::string> tasks_read(const Block& block);
/// Places where text that comes from params is printed without `quote`, in order.
std::vector<TemplateError> unquoted_params(const Block& block);

}  // namespace etesian::templates

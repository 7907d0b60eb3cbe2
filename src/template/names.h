#pragma once
#include <optional>
#include <string_view>
#include <vector>

#include "template/callables.h"
#include "template/value.h"

namespace etesian::templates {

/// What is known of a value before any run exists.
struct Shape {
  enum class Kind {
    Anything,
    String,
    Integer,
    Moment,
    TimeSpan,
    Params,
    Loop,
    Host
  } kind = Kind::Anything;
  HostKind host{};  ///< Of a Host.
};

struct Member {
  std::string_view name;
  Shape shape;
};

/// Airflow's names and ours at the top level.
const std::vector<Member>& root_names();
const Shape* find_root(std::string_view name);
/// The fixed members of a shape; empty where members are data (params, var.value.x).
const std::vector<Member>& members_of(Shape shape);
std::vector<std::string_view> member_names(Shape shape);
/// True when a value of this shape has no other members than `members_of` says.
bool is_closed(Shape shape);
/// The methods of a shape; for Anything those of every kind of data.
const std::vector<Signature>& methods_of(Shape shape);
const Signature* find_method(Shape shape, std::string_view name);

}  // namespace etesian::templates

#include "template/checker.h"

#include <fmt/format.h>

#include <algorithm>

#include "template/analysis.h"
#include "template/nearest.h"

namespace etesian::templates {
namespace {

using Kind = Shape::Kind;

constexpr Shape Unknown{Kind::Anything};

bool is_guard(const Part& part) {
  if (part.kind == Part::Kind::Filter) return part.name == "default" || part.name == "d";
  const bool test = part.kind == Part::Kind::Test || part.kind == Part::Kind::TestNot;
  return test && (part.name == "defined" || part.name == "undefined");
}

Shape shape_of(const Value& constant) {
  if (constant.is<Text>()) return {Kind::String};
  if (constant.is<std::int64_t>()) return {Kind::Integer};
  return Unknown;
}

std::vector<std::string_view> views(const std::vector<std::string>& names) {
  return {names.begin(), names.end()};
}

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string_view described(Shape shape) {
  switch (shape.kind) {
    case Kind::String: return "a text";
    case Kind::Integer: return "a number";
    case Kind::Moment: return "a date";
    case Kind::TimeSpan: return "a time span";
    case Kind::Loop: return "'loop'";
    default: return "this object";
  }
}

}  // namespace

std::vector<TemplateError> Checker::run(const Block& block) {
  check(block);
  std::stable_sort(errors_.begin(), errors_.end(),
                   [](const auto& a, const auto& b) { return a.offset < b.offset; });
  return std::move(errors_);
}

void Checker::error(Span span, std::string message, std::string hint) {
  errors_.push_back({span.offset, span.length, std::move(message), std::move(hint)});
}

void Checker::check(const Block& block) {
  for (const Stmt& statement : block) {
    std::visit(Overloaded{[](const Output&) {},
                          [&](const Print& node) {
                            if (check(*node.value).kind == Kind::Host) {
                              error(node.value->span, "an object cannot be printed",
                                    "print one of its members");
                            }
                          },
                          [&](const If& node) {
                            for (const auto& branch : node.branches) {
                              if (branch.condition) check(*branch.condition);
                              check(branch.body);
                            }
                          },
                          [&](const For& node) { check_for(node); },
                          [&](const Set& node) {
                            Shape shape{Kind::String};
                            if (node.value) shape = check(*node.value);
                            locals_.emplace_back();
                            check(node.body);
                            locals_.pop_back();
                            for (const auto& name : node.targets) {
                              locals_.back().emplace_back(
                                  name, node.targets.size() == 1 ? shape : Unknown);
                            }
                          }},
               statement.node);
  }
}

void Checker::check_for(const For& node) {
  check(*node.iterable);
  locals_.emplace_back();
  for (const auto& name : node.targets) locals_.back().emplace_back(name, Unknown);
  if (node.filter) check(*node.filter);
  locals_.back().emplace_back("loop", Shape{Kind::Loop});
  check(node.body);
  locals_.pop_back();
  locals_.emplace_back();
  check(node.otherwise);
  locals_.pop_back();
}

Shape Checker::check(const Expr& expr) {
  return std::visit(
      Overloaded{[](const Constant& node) { return shape_of(node.value); },
                 [&](const Name& node) { return check_name(node.name, expr.span); },
                 [&](const Postfix& node) { return check_postfix(node); },
                 [&](const Conditional& node) {
                   check(*node.condition);
                   const Shape then = check(*node.then);
                   const Shape otherwise = node.otherwise ? check(*node.otherwise) : then;
                   return then.kind == otherwise.kind && then.kind != Kind::Host ? then : Unknown;
                 },
                 [&](const auto&) {
                   for_each_child(expr, [&](const Expr& child) { check(child); });
                   return Unknown;
                 }},
      expr.node);
}

Shape Checker::check_name(const std::string& name, Span span) {
  for (auto scope = locals_.rbegin(); scope != locals_.rend(); ++scope) {
    const auto found = std::find_if(scope->rbegin(), scope->rend(),
                                    [&](const auto& local) { return local.first == name; });
    // A name that branches set to different kinds keeps only what is sure.
    if (found != scope->rend()) {
      const bool same = std::all_of(scope->begin(), scope->end(), [&](const auto& local) {
        return local.first != name || local.second.kind == found->second.kind;
      });
      return same ? found->second : Unknown;
    }
  }
  if (has(scope_.map_arguments, name)) return Unknown;
  if (const Shape* shape = find_root(name)) return *shape;
  if (guarded_.contains(name)) return Unknown;
  if (name == range_signature().name) {
    error(span, "'range' is a function", "call it: range(3)");
    return Unknown;
  }
  std::vector<std::string_view> known = views(scope_.map_arguments);
  for (const Member& member : root_names()) known.push_back(member.name);
  for (const auto& scope : locals_) {
    for (const auto& local : scope) known.push_back(local.first);
  }
  error(span, fmt::format("'{}' is not defined", name), did_you_mean(name, known));
  return Unknown;
}

Shape Checker::check_postfix(const Postfix& node) {
  const auto guard = std::find_if(node.parts.begin(), node.parts.end(), is_guard);
  const auto* base = std::get_if<Name>(&node.base->node);
  const std::size_t before = errors_.size();
  std::string path = base ? base->name : "";
  Shape shape = node.parts[0].kind == Part::Kind::Call ? Unknown : check(*node.base);
  if (base && guarded_.contains(path)) errors_.resize(before);
  for (auto part = node.parts.begin(); part != node.parts.end(); ++part) {
    if (part == guard && base) {
      guarded_.insert(path);
      errors_.resize(before);
      shape = Unknown;
    }
    const std::size_t known_errors = errors_.size();
    shape = check_part(shape, *part);
    const std::string name = member_name(*part);
    path += "." + name;
    if (!name.empty() && guarded_.contains(path)) errors_.resize(known_errors), shape = Unknown;
  }
  return shape;
}

Shape Checker::check_part(Shape shape, const Part& part) {
  switch (part.kind) {
    case Part::Kind::Member: return check_member(shape, part.name, part.span);
    case Part::Kind::Method: return check_method(shape, part);
    case Part::Kind::Filter: check_filter(part); return Unknown;
    case Part::Kind::Test:
    case Part::Kind::TestNot: check_test(part); return Unknown;
    case Part::Kind::Call: {
      check_arguments(part);
      if (part.name != range_signature().name) {
        error(part.span, fmt::format("there is no function '{}'", part.name),
              did_you_mean(part.name, {"range"}));
      } else if (auto wrong = check_call(range_signature(), part, "function 'range'")) {
        errors_.push_back(std::move(*wrong));
      }
      return Unknown;
    }
    case Part::Kind::Slice:
      for (const auto* bound : {&part.index, &part.stop, &part.stride}) {
        if (*bound) check(**bound);
      }
      return shape.kind == Kind::String ? shape : Unknown;
    case Part::Kind::Index: break;
  }
  check(*part.index);
  const std::string name = member_name(part);
  if (!name.empty() && shape.kind != Kind::String) return check_member(shape, name, part.span);
  return shape.kind == Kind::String ? shape : Unknown;
}

Shape Checker::check_member(Shape shape, const std::string& name, Span span) {
  if (shape.kind == Kind::Params) {
    if (!has(scope_.params, name)) {
      error(span, fmt::format("there is no param '{}'", name),
            did_you_mean(name, views(scope_.params)));
    }
    return Unknown;
  }
  if (shape.kind == Kind::Host && shape.host == HostKind::Outputs) {
    check_task(name, span);
    return Unknown;
  }
  if (shape.kind == Kind::Host && shape.host == HostKind::Connections)
    return {Kind::Host, HostKind::Connection};
  if (shape.kind == Kind::Host && shape.host == HostKind::VariableValues) return {Kind::String};
  for (const Member& member : members_of(shape)) {
    if (member.name == name) return member.shape;
  }
  if (!is_closed(shape)) return Unknown;
  std::vector<std::string_view> known = member_names(shape);
  for (const Signature& method : methods_of(shape)) {
    if (method.name == name) {
      error(span, fmt::format("'{}' is a method", name), fmt::format("call it: {}(…)", name));
      return Unknown;
    }
    known.push_back(method.name);
  }
  error(span, fmt::format("{} has no member '{}'", described(shape), name),
        did_you_mean(name, known));
  return Unknown;
}

Shape Checker::check_method(Shape shape, const Part& part) {
  check_arguments(part);
  const Signature* method = find_method(shape, part.name);
  if (!method) {
    std::vector<std::string_view> known;
    for (const Signature& candidate : methods_of(shape)) known.push_back(candidate.name);
    error(part.span, fmt::format("there is no method '{}' here", part.name),
          did_you_mean(part.name, known));
    return Unknown;
  }
  // Methods of different kinds share names: their arguments are checked when the kind is known.
  const bool ambiguous = shape.kind == Kind::Anything;
  if (auto wrong = ambiguous ? std::nullopt
                             : check_call(*method, part, fmt::format("method '{}'", part.name))) {
    errors_.push_back(std::move(*wrong));
  }
  if (part.name == "xcom_pull") check_pull(part);
  if (shape.kind == Kind::Host && shape.host == HostKind::Connections)
    return {Kind::Host, HostKind::Connection};
  if (shape.kind == Kind::Host && shape.host == HostKind::Macros) {
    if (part.name == "datetime") return {Kind::Moment};
    return {part.name == "timedelta" ? Kind::TimeSpan : Kind::String};
  }
  if (shape.kind == Kind::Moment) {
    const bool date = part.name == "add" || part.name == "subtract" || part.name == "in_timezone" ||
                      part.name == "date";
    return date ? shape : Unknown;
  }
  return Unknown;
}

void Checker::check_arguments(const Part& part) {
  for (const Argument& argument : part.arguments) check(*argument.value);
}

void Checker::check_filter(const Part& part) {
  check_arguments(part);
  const Filter* filter = find_filter(part.name);
  if (!filter) {
    return error(part.span, fmt::format("there is no filter '{}'", part.name),
                 did_you_mean(part.name, filter_names()));
  }
  if (auto wrong = check_call(filter->signature, part, fmt::format("filter '{}'", part.name))) {
    return errors_.push_back(std::move(*wrong));
  }
  const bool by_attribute = part.name.ends_with("attr");
  const bool selects = by_attribute || part.name == "select" || part.name == "reject";
  const std::size_t at = by_attribute ? 1 : 0;
  if ((!selects && part.name != "map") || part.arguments.size() <= at ||
      !part.arguments[at].name.empty())
    return;
  const Argument& argument = part.arguments[at];
  const auto name = literal_text(*argument.value);
  if (!name) return;
  if (selects && !find_test(*name)) {
    error(argument.value->span, fmt::format("there is no test '{}'", *name),
          did_you_mean(*name, test_names()));
  } else if (!selects && !find_filter(*name)) {
    error(argument.value->span, fmt::format("there is no filter '{}'", *name),
          did_you_mean(*name, filter_names()));
  }
}

void Checker::check_test(const Part& part) {
  check_arguments(part);
  const Test* test = find_test(part.name);
  if (!test) {
    return error(part.span, fmt::format("there is no test '{}'", part.name),
                 did_you_mean(part.name, test_names()));
  }
  if (auto wrong = check_call(test->signature, part, fmt::format("test '{}'", part.name))) {
    errors_.push_back(std::move(*wrong));
  }
}

void Checker::check_pull(const Part& part) {
  for (const auto& [task, span] : tasks_pulled(part)) check_task(task, span);
}

void Checker::check_task(const std::string& task, Span span) {
  if (has(scope_.outputs, task)) return;
  error(span,
        fmt::format("the output of '{}' cannot be known here: no such task runs before this one",
                    task),
        did_you_mean(task, views(scope_.outputs)));
}

}  // namespace etesian::templates

#include "template/renderer.h"

#include <fmt/format.h>

#include "template/names.h"
#include "template/nearest.h"
#include "template/operators.h"
#include "template/value_text.h"

namespace etesian::templates {

std::string Renderer::render(const Block& block) {
  std::string out;
  run(block, out);
  return out;
}

void Renderer::run(const Block& block, std::string& out) {
  for (const Stmt& statement : block) {
    meter_.at(statement.span);
    meter_.step();
    std::visit(Overloaded{[&](const Output& node) {
                            meter_.text(node.text.size());
                            out += node.text;
                          },
                          [&](const Print& node) {
                            const Value value = evaluate(*node.value);
                            meter_.at(node.value->span);
                            out += to_str(value, meter_);
                          },
                          [&](const If& node) { run_if(node, out); },
                          [&](const For& node) { run_for(node, out); },
                          [&](const Set& node) { run_set(node, out); }},
               statement.node);
    meter_.output(out.size());
  }
}

void Renderer::run_if(const If& node, std::string& out) {
  for (const If::Branch& branch : node.branches) {
    if (!branch.condition || is_true(evaluate(*branch.condition))) return run(branch.body, out);
  }
}

void Renderer::run_for(const For& node, std::string& out) {
  const Value iterable = evaluate(*node.iterable);
  meter_.at(node.iterable->span);
  std::vector<Value> all = elements(iterable, meter_);
  scopes_.emplace_back();
  if (node.filter) {
    std::vector<Value> wanted;
    for (Value& value : all) {
      scopes_.back().clear();
      assign(node.targets, value);
      if (is_true(evaluate(*node.filter))) wanted.push_back(std::move(value));
    }
    all = std::move(wanted);
  }
  const auto number = [](std::size_t n) { return Value(static_cast<std::int64_t>(n)); };
  for (std::size_t i = 0; i < all.size(); ++i) {
    meter_.at(node.iterable->span);
    meter_.step();
    scopes_.back().clear();
    std::vector<std::pair<std::string, Value>> loop = {{"index", number(i + 1)},
                                                       {"index0", number(i)},
                                                       {"revindex", number(all.size() - i)},
                                                       {"revindex0", number(all.size() - i - 1)},
                                                       {"first", Value(i == 0)},
                                                       {"last", Value(i + 1 == all.size())},
                                                       {"length", number(all.size())}};
    if (i > 0) loop.emplace_back("previtem", all[i - 1]);
    if (i + 1 < all.size()) loop.emplace_back("nextitem", all[i + 1]);
    scopes_.back().emplace_back("loop", make_dict(std::move(loop), meter_));
    assign(node.targets, all[i]);
    run(node.body, out);
  }
  scopes_.back().clear();
  if (all.empty()) run(node.otherwise, out);
  scopes_.pop_back();
}

void Renderer::run_set(const Set& node, std::string& out) {
  if (node.value) {
    const Value value = evaluate(*node.value);
    meter_.at(node.value->span);
    return assign(node.targets, defined(value));
  }
  std::string text;
  scopes_.emplace_back();
  run(node.body, text);
  scopes_.pop_back();
  meter_.output(out.size() + text.size());
  assign(node.targets, make_text(std::move(text)));
}

void Renderer::assign(const std::vector<std::string>& targets, const Value& value) {
  const auto put = [&](const std::string& name, const Value& v) {
    for (auto& [known, slot] : scopes_.back()) {
      if (known == name) return void(slot = v);
    }
    meter_.step(1 + scopes_.back().size() / 16);
    scopes_.back().emplace_back(name, v);
  };
  if (targets.size() == 1) return put(targets[0], value);
  const std::vector<Value> parts = elements(value, meter_);
  if (parts.size() != targets.size()) {
    meter_.fail(fmt::format("{} names cannot take {} values", targets.size(), parts.size()));
  }
  for (std::size_t i = 0; i < targets.size(); ++i) put(targets[i], parts[i]);
}

Value Renderer::evaluate(const Expr& expr) {
  meter_.at(expr.span);
  meter_.step();
  return std::visit(Overloaded{[](const Constant& node) { return node.value; },
                               [&](const Name& node) { return context_.settled(name(node.name)); },
                               [&](const ListOf& node) { return list(node); },
                               [&](const DictOf& node) { return dict(node); },
                               [&](const Postfix& node) { return postfix(node); },
                               [&](const Unary& node) { return unary(node); },
                               [&](const Chain& node) { return chain(node); },
                               [&](const Concat& node) { return concat(node); },
                               [&](const Conditional& node) { return conditional(node); }},
                    expr.node);
}

Value Renderer::name(const std::string& name) {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    meter_.step(scope->size() / 16);
    for (const auto& [known, value] : *scope) {
      if (known == name) return value;
    }
  }
  return context_.name(name);
}

Value Renderer::list(const ListOf& node) {
  std::vector<Value> values;
  for (const ExprPtr& item : node.items) values.push_back(defined(evaluate(*item)));
  return make_list(std::move(values), meter_, node.kind);
}

Value Renderer::dict(const DictOf& node) {
  std::vector<std::pair<std::string, Value>> pairs;
  for (const auto& [key, value] : node.pairs) {
    const Value name = evaluate(*key);
    meter_.at(key->span);
    if (!defined(name).is<Text>())
      meter_.fail("the keys of a dict are texts, not a " + std::string(type_name(name)));
    pairs.emplace_back(**name.get<Text>(), defined(evaluate(*value)));
  }
  return make_dict(std::move(pairs), meter_);
}

Value Renderer::chain(const Chain& node) {
  Value left = evaluate(*node.first);
  for (std::size_t i = 0; i < node.rest.size(); ++i) {
    const auto& [op, operand] = node.rest[i];
    if (node.kind == Chain::Kind::Logic) {
      meter_.at(node.first->span);
      if (is_true(left) == (op == Operator::Or)) return left;
      left = evaluate(*operand);
      continue;
    }
    Value right = evaluate(*operand);
    meter_.at(node.operator_spans[i]);
    if (node.kind == Chain::Kind::Arithmetic) {
      left = arithmetic(op, left, right, meter_);
    } else {
      if (!holds(op, left, right, meter_)) return false;
      left = std::move(right);
    }
  }
  return node.kind == Chain::Kind::Comparison ? Value(true) : left;
}

Value Renderer::concat(const Concat& node) {
  std::string out;
  for (const ExprPtr& item : node.items) {
    const Value value = evaluate(*item);
    meter_.at(item->span);
    out += to_str(value, meter_);
    meter_.output(out.size());
  }
  return make_text(std::move(out));
}

Value Renderer::unary(const Unary& node) {
  const Value value = evaluate(*node.operand);
  meter_.at(node.operand->span);
  return node.op == Operator::Not ? Value(!is_true(value)) : signed_value(node.op, value, meter_);
}

Value Renderer::conditional(const Conditional& node) {
  if (is_true(evaluate(*node.condition))) return evaluate(*node.then);
  if (node.otherwise) return evaluate(*node.otherwise);
  meter_.at(node.condition->span);
  return undefined(meter_, "the condition is false and there is no 'else'");
}

Value Renderer::postfix(const Postfix& node) {
  std::size_t next = 0;
  Value value;
  if (node.parts[0].kind == Part::Kind::Call) {
    value = called(node.parts[next++]);
  } else if (const auto* base = std::get_if<Name>(&node.base->node)) {
    meter_.at(node.base->span);
    value = name(base->name);
  } else {
    value = evaluate(*node.base);
  }
  for (; next < node.parts.size(); ++next) {
    const Part& part = node.parts[next];
    meter_.step();
    const bool selects = part.kind == Part::Kind::Member || part.kind == Part::Kind::Index;
    meter_.at(part.span);
    if (!selects) value = context_.settled(std::move(value));
    value = linked(std::move(value), part);
  }
  return context_.settled(std::move(value));
}

Value Renderer::linked(Value value, const Part& part) {
  switch (part.kind) {
    case Part::Kind::Filter: return filtered(value, part);
    case Part::Kind::Test:
    case Part::Kind::TestNot: return tested(value, part);
    case Part::Kind::Index: return indexed(std::move(value), part);
    case Part::Kind::Method: return method(std::move(value), part);
    case Part::Kind::Member: break;
    case Part::Kind::Slice: {
      const auto bound = [&](const ExprPtr& expr) {
        return expr ? evaluate(*expr) : Value(None{});
      };
      const Value start = bound(part.index), stop = bound(part.stop), stride = bound(part.stride);
      meter_.at(part.span);
      return slice(value, start, stop, stride, meter_);
    }
    case Part::Kind::Call: meter_.fail("only functions and methods can be called");
  }
  const auto* host = defined(value).get<Host>();
  return host ? context_.member(*host, part.name) : data_member(value, part.name, meter_);
}

Value Renderer::indexed(Value value, const Part& part) {
  const Value index = evaluate(*part.index);
  meter_.at(part.span);
  const auto* host = defined(value).get<Host>();
  const auto* text = defined(index).get<Text>();
  if (host && text) return context_.member(*host, **text);
  if (host) {
    value = context_.settled(std::move(value));
    if (value.is<Host>()) return undefined(meter_, "objects have named members only");
  }
  return element(value, index, meter_);
}

Value Renderer::called(const Part& part) {
  meter_.at(part.span);
  if (part.name != range_signature().name) {
    meter_.fail(fmt::format("there is no function '{}'", part.name),
                did_you_mean(part.name, {"range"}));
  }
  Supplied supplied = arguments(part);
  meter_.at(part.span);
  return call_range(in_place(range_signature(), std::move(supplied), "function 'range'", meter_),
                    meter_);
}

namespace {

Shape shape_of(const Value& value) {
  if (const auto* host = value.get<Host>()) return {Shape::Kind::Host, host->kind};
  if (value.is<Text>()) return {Shape::Kind::String};
  if (value.is<Dict>()) return {Shape::Kind::Params};
  if (value.is<Moment>()) return {Shape::Kind::Moment};
  if (value.is<Delta>()) return {Shape::Kind::TimeSpan};
  return {Shape::Kind::Integer};
}

}  // namespace

Value Renderer::method(Value value, const Part& part) {
  const Shape shape = shape_of(defined(value));
  const Signature* signature = find_method(shape, part.name);
  if (!signature) {
    std::vector<std::string_view> known;
    for (const Signature& method : methods_of(shape)) known.push_back(method.name);
    meter_.fail(fmt::format("a {} has no method '{}'", type_name(value), part.name),
                did_you_mean(part.name, known));
  }
  Supplied supplied = arguments(part);
  meter_.at(part.span);
  Arguments placed =
      in_place(*signature, std::move(supplied), fmt::format("method '{}'", part.name), meter_);
  const auto* host = value.get<Host>();
  return host ? context_.call(*host, part.name, placed)
              : call_method(value, part.name, placed, meter_);
}

Value Renderer::filtered(const Value& value, const Part& part) {
  const Filter* filter = find_filter(part.name);
  if (!filter)
    meter_.fail(fmt::format("there is no filter '{}'", part.name),
                did_you_mean(part.name, filter_names()));
  Supplied supplied = arguments(part);
  meter_.at(part.span);
  Arguments placed = in_place(filter->signature, std::move(supplied),
                              fmt::format("filter '{}'", part.name), meter_);
  return filter->apply(value, placed, meter_);
}

Value Renderer::tested(const Value& value, const Part& part) {
  const Test* test = find_test(part.name);
  if (!test)
    meter_.fail(fmt::format("there is no test '{}'", part.name),
                did_you_mean(part.name, test_names()));
  Supplied supplied = arguments(part);
  meter_.at(part.span);
  Arguments placed =
      in_place(test->signature, std::move(supplied), fmt::format("test '{}'", part.name), meter_);
  return test->holds(value, placed, meter_) == (part.kind == Part::Kind::Test);
}

Supplied Renderer::arguments(const Part& part) {
  Supplied out;
  for (const Argument& argument : part.arguments) {
    Value value = defined(evaluate(*argument.value));
    if (argument.name.empty()) {
      out.positional.push_back(std::move(value));
    } else {
      out.named.emplace_back(argument.name, std::move(value));
    }
  }
  return out;
}

}  // namespace etesian::templates

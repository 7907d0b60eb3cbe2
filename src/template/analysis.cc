#include "template/analysis.h"

#include <algorithm>
#include <set>

namespace etesian::templates {
namespace {

void visit_all(const Block& block, const std::function<void(const Expr&)>& visit) {
  const std::function<void(const Expr&)> deep = [&](const Expr& expr) {
    visit(expr);
    for_each_child(expr, deep);
  };
  const auto maybe = [&](const ExprPtr& expr) {
    if (expr) deep(*expr);
  };
  for (const Stmt& statement : block) {
    std::visit(Overloaded{[](const Output&) {}, [&](const Print& node) { deep(*node.value); },
                          [&](const If& node) {
                            for (const auto& branch : node.branches) {
                              maybe(branch.condition);
                              visit_all(branch.body, visit);
                            }
                          },
                          [&](const For& node) {
                            maybe(node.iterable), maybe(node.filter);
                            visit_all(node.body, visit), visit_all(node.otherwise, visit);
                          },
                          [&](const Set& node) {
                            maybe(node.value);
                            visit_all(node.body, visit);
                          }},
               statement.node);
  }
}

/// Follows text from params to where it is printed.
class Taint {
 public:
  /// `sink` receives what is printed; null inside a set block, whose text is followed instead.
  bool block(const Block& block, std::vector<TemplateError>* sink) {
    bool any = false;
    for (const Stmt& statement : block) any |= this->statement(statement, sink);
    return any;
  }

 private:
  bool statement(const Stmt& statement, std::vector<TemplateError>* sink) {
    bool any = false;
    std::visit(Overloaded{[](const Output&) {},
                          [&](const Print& node) {
                            const auto found = leaves(*node.value);
                            any = !found.empty();
                            for (const Span span : found) {
                              if (sink) sink->push_back(warning(span));
                            }
                          },
                          [&](const If& node) {
                            for (const auto& branch : node.branches)
                              any |= block(branch.body, sink);
                          },
                          [&](const For& node) {
                            mark(node.targets, !leaves(*node.iterable).empty());
                            any = block(node.body, sink);
                            any |= block(node.otherwise, sink);
                          },
                          [&](const Set& node) {
                            mark(node.targets, node.value ? !leaves(*node.value).empty()
                                                          : block(node.body, nullptr));
                          }},
               statement.node);
    return any;
  }

  static TemplateError warning(Span span) {
    return {span.offset, span.length, "a param reaches the text without the 'quote' filter",
            "add '| quote': a value with blanks or quotes would be read as shell code"};
  }

  void mark(const std::vector<std::string>& names, bool tainted) {
    for (const auto& name : names) {
      if (tainted) {
        tainted_.insert(name);
      }
    }
  }

  std::vector<Span> leaves(const Expr& expr) {
    std::vector<Span> out;
    const auto add = [&](const Expr& child) {
      const auto more = leaves(child);
      out.insert(out.end(), more.begin(), more.end());
    };
    std::visit(Overloaded{[](const Constant&) {},
                          [&](const Name& node) {
                            if (node.name == "params" || tainted_.contains(node.name))
                              out.push_back(expr.span);
                          },
                          [&](const Postfix& node) { out = postfix(node); },
                          [&](const Unary& node) {
                            if (node.op != Operator::Not) add(*node.operand);
                          },
                          [&](const Chain& node) {
                            if (node.kind != Chain::Kind::Comparison) for_each_child(expr, add);
                          },
                          [&](const Conditional& node) {
                            add(*node.then);
                            if (node.otherwise) add(*node.otherwise);
                          },
                          [&](const auto&) { for_each_child(expr, add); }},
               expr.node);
    return out;
  }

  static bool makes_safe(const Part& part) {
    static const std::set<std::string, std::less<>> Safe = {"quote", "length", "count", "int",
                                                            "float", "round",  "abs"};
    if (part.kind == Part::Kind::Test || part.kind == Part::Kind::TestNot) return true;
    if (part.kind != Part::Kind::Filter) return false;
    if (part.name != "map") return Safe.contains(part.name);
    if (part.arguments.empty() || !part.arguments[0].name.empty()) return false;
    const auto name = literal_text(*part.arguments[0].value);
    return name && Safe.contains(*name);
  }

  std::vector<Span> postfix(const Postfix& node) {
    std::vector<Span> out = leaves(*node.base);
    const auto* base = std::get_if<Name>(&node.base->node);
    if (base && base->name == "dag_run" && member_name(node.parts[0]) == "conf")
      out.push_back(node.base->span);
    bool in_path = base != nullptr;
    for (const Part& part : node.parts) {
      in_path = in_path && (part.kind == Part::Kind::Member || part.kind == Part::Kind::Index ||
                            part.kind == Part::Kind::Method);
      if (in_path && out.size() == 1)
        out[0].length = part.span.offset + part.span.length - out[0].offset;
      for (const Argument& argument : part.arguments) {
        const auto more = leaves(*argument.value);
        out.insert(out.end(), more.begin(), more.end());
      }
      if (makes_safe(part)) out.clear();
    }
    return out;
  }

  std::set<std::string, std::less<>> tainted_;
};

}  // namespace

void for_each_child(const Expr& expr, const std::function<void(const Expr&)>& visit) {
  const auto maybe = [&](const ExprPtr& child) {
    if (child) visit(*child);
  };
  std::visit(Overloaded{[](const Constant&) {}, [](const Name&) {},
                        [&](const ListOf& node) {
                          for (const auto& item : node.items) visit(*item);
                        },
                        [&](const DictOf& node) {
                          for (const auto& [key, value] : node.pairs) visit(*key), visit(*value);
                        },
                        [&](const Postfix& node) {
                          visit(*node.base);
                          for (const Part& part : node.parts) {
                            maybe(part.index), maybe(part.stop), maybe(part.stride);
                            for (const Argument& argument : part.arguments) visit(*argument.value);
                          }
                        },
                        [&](const Unary& node) { visit(*node.operand); },
                        [&](const Chain& node) {
                          visit(*node.first);
                          for (const auto& [op, operand] : node.rest) visit(*operand);
                        },
                        [&](const Concat& node) {
                          for (const auto& item : node.items) visit(*item);
                        },
                        [&](const Conditional& node) {
                          visit(*node.condition), visit(*node.then);
                          maybe(node.otherwise);
                        }},
             expr.node);
}

std::optional<std::string> literal_text(const Expr& expr) {
  const auto* constant = std::get_if<Constant>(&expr.node);
  const auto* text = constant ? constant->value.get<Text>() : nullptr;
  return text ? std::optional(**text) : std::nullopt;
}

std::string member_name(const Part& part) {
  if (part.kind == Part::Kind::Member) return part.name;
  if (part.kind != Part::Kind::Index) return {};
  return literal_text(*part.index).value_or("");
}

std::vector<std::pair<std::string, Span>> tasks_pulled(const Part& call) {
  std::vector<std::pair<std::string, Span>> out;
  const auto add = [&](const Expr& expr) {
    if (auto task = literal_text(expr)) out.emplace_back(std::move(*task), expr.span);
  };
  for (std::size_t i = 0; i < call.arguments.size(); ++i) {
    const Argument& argument = call.arguments[i];
    if (argument.name != "task_ids" && !(argument.name.empty() && i == 0)) continue;
    add(*argument.value);
    if (const auto* list = std::get_if<ListOf>(&argument.value->node)) {
      for (const auto& item : list->items) add(*item);
    }
  }
  return out;
}

std::vector<std::string> tasks_read(const Block& block) {
  std::set<std::string> out;
  visit_all(block, [&](const Expr& expr) {
    const auto* node = std::get_if<Postfix>(&expr.node);
    const auto* base = node ? std::get_if<Name>(&node->base->node) : nullptr;
    if (!base) return;
    if (base->name == "output") {
      if (std::string task = member_name(node->parts[0]); !task.empty())
        out.insert(std::move(task));
    } else if (base->name == "ti" || base->name == "task_instance") {
      if (node->parts[0].kind != Part::Kind::Method || node->parts[0].name != "xcom_pull") return;
      for (auto& [task, span] : tasks_pulled(node->parts[0])) out.insert(std::move(task));
    }
  });
  return {out.begin(), out.end()};
}

std::vector<TemplateError> unquoted_params(const Block& block) {
  std::vector<TemplateError> out;
  Taint().block(block, &out);
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.offset < b.offset; });
  return out;
}

}  // namespace etesian::templates

#include "template/template.h"

#include <fmt/format.h>

#include "template/analysis.h"
#include "template/checker.h"
#include "template/parser.h"
#include "template/renderer.h"
#include "template/unicode.h"

namespace etesian {

using templates::Failure;
using templates::Meter;

struct Template::Node {
  std::string text;
  templates::Syntax syntax;
};

namespace {

/// The expression of a template that is nothing else, blanks around it aside.
const templates::Expr* only_expression(const templates::Block& body) {
  const templates::Expr* found = nullptr;
  for (const auto& statement : body) {
    if (const auto* output = std::get_if<templates::Output>(&statement.node)) {
      if (!std::all_of(output->text.begin(), output->text.end(), templates::is_space))
        return nullptr;
      continue;
    }
    const auto* print = std::get_if<templates::Print>(&statement.node);
    if (!print || found) return nullptr;
    found = print->value.get();
  }
  return found;
}

void check_depth(const templates::Syntax& syntax, const TemplateLimits& limits) {
  if (syntax.depth <= limits.depth) return;
  throw Failure{{syntax.deepest.offset,
                 syntax.deepest.length,
                 fmt::format("this template nests more than {} levels deep", limits.depth),
                 {}}};
}

}  // namespace

std::optional<Template> Template::parse(std::string_view text, std::vector<TemplateError>& errors) {
  std::vector<TemplateError> found;
  auto node = std::make_shared<Node>();
  node->text = text;
  node->syntax = templates::parse_template(text, found);
  if (!found.empty()) {
    errors.insert(errors.end(), std::make_move_iterator(found.begin()),
                  std::make_move_iterator(found.end()));
    return std::nullopt;
  }
  return Template(std::move(node));
}

std::vector<TemplateError> Template::check(const TemplateScope& scope) const {
  return templates::Checker(scope).run(root_->syntax.body);
}

bool Template::is_literal() const { return root_->syntax.is_literal; }

std::vector<std::string> Template::tasks_read() const {
  return templates::tasks_read(root_->syntax.body);
}

std::vector<TemplateError> Template::unquoted_params() const {
  return templates::unquoted_params(root_->syntax.body);
}

Template::Rendered Template::render(const TemplateFacts& facts,
                                    const TemplateLimits& limits) const {
  if (is_literal()) return {root_->text, std::nullopt};
  try {
    check_depth(root_->syntax, limits);
    Meter meter(limits);
    return {templates::Renderer(facts, meter).render(root_->syntax.body), std::nullopt};
  } catch (const Failure& failure) {
    return {std::nullopt, failure.error};
  }
}

Template::Evaluated Template::evaluate(const TemplateFacts& facts,
                                       const TemplateLimits& limits) const {
  const auto* expression = only_expression(root_->syntax.body);
  if (!expression) {
    Rendered rendered = render(facts, limits);
    if (rendered.error) return {std::nullopt, std::move(rendered.error)};
    return {json::value(json::string(*rendered.text)), std::nullopt};
  }
  try {
    check_depth(root_->syntax, limits);
    Meter meter(limits);
    const templates::Value value = templates::Renderer(facts, meter).evaluate(*expression);
    meter.at(expression->span);
    return {templates::json_from_value(value, meter), std::nullopt};
  } catch (const Failure& failure) {
    return {std::nullopt, failure.error};
  }
}

}  // namespace etesian

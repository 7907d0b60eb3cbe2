#pragma once
#include <set>
#include <string>
#include <vector>

#include "template/names.h"
#include "template/syntax.h"

namespace etesian::templates {

/// Finds names, members, filters, tests, functions and arguments that do not exist.
class Checker {
 public:
  explicit Checker(const TemplateScope& scope) : scope_(scope) {}
  std::vector<TemplateError> run(const Block& block);

 private:
  void check(const Block& block);
  void check_for(const For& node);
  Shape check(const Expr& expr);
  Shape check_name(const std::string& name, Span span);
  Shape check_postfix(const Postfix& node);
  Shape check_part(Shape shape, const Part& part);
  Shape check_member(Shape shape, const std::string& name, Span span);
  Shape check_method(Shape shape, const Part& part);
  void check_filter(const Part& part);
  void check_test(const Part& part);
  void check_arguments(const Part& part);
  void check_pull(const Part& part);
  void check_task(const std::string& task, Span span);
  void error(Span span, std::string message, std::string hint = {});

  const TemplateScope& scope_;
  std::vector<TemplateError> errors_;
  std::vector<std::vector<std::pair<std::string, Shape>>> locals_ = {{}};
  std::set<std::string> guarded_;  ///< "params.x" after `params.x is defined`.
};

}  // namespace etesian::templates

#pragma once
#include "template/context.h"
#include "template/syntax.h"

namespace etesian::templates {

/// Walks a syntax tree with the facts of one task instance. Mistakes are thrown as Failure.
class Renderer {
 public:
  Renderer(const TemplateFacts& facts, Meter& meter) : meter_(meter), context_(facts, meter) {}

  std::string render(const Block& block);
  Value evaluate(const Expr& expr);

 private:
  using Scope = std::vector<std::pair<std::string, Value>>;

  void run(const Block& block, std::string& out);
  void run_if(const If& node, std::string& out);
  void run_for(const For& node, std::string& out);
  void run_set(const Set& node, std::string& out);
  void assign(const std::vector<std::string>& targets, const Value& value);

  Value name(const std::string& name);
  Value list(const ListOf& node);
  Value dict(const DictOf& node);
  Value chain(const Chain& node);
  Value concat(const Concat& node);
  Value unary(const Unary& node);
  Value conditional(const Conditional& node);
  Value postfix(const Postfix& node);
  Value linked(Value value, const Part& part);
  Value indexed(Value value, const Part& part);
  Value called(const Part& part);
  Value method(Value value, const Part& part);
  Value filtered(const Value& value, const Part& part);
  Value tested(const Value& value, const Part& part);
  Supplied arguments(const Part& part);

  Meter& meter_;
  Context context_;
  std::vector<Scope> scopes_ = {{}};
};

}  // namespace etesian::templates

#pragma once
#include <string>

#include "template/template.h"

namespace etesian::templates {

/// A place in the template's text, in bytes.
struct Span {
  std::size_t offset = 0;
  std::size_t length = 1;
};

/// Ends an evaluation. Thrown inside this module only, so that the code of filters and operators
/// reads as the rules they are; Template's members turn it into a TemplateError.
struct Failure {
  TemplateError error;
};

/// Counts the work of one rendering against its limits and knows where in the text it stands.
class Meter {
 public:
  explicit Meter(const TemplateLimits& limits) : limits_(limits) {}

  /// Errors raised from here on are about `span`.
  void at(Span span) { span_ = span; }
  Span where() const { return span_; }
  /// `count` units of work: a node evaluated, a loop turn, an element made or compared.
  void step(std::size_t count = 1);
  /// Work in proportion to text: one step for each 256 bytes made or read.
  void text(std::size_t bytes) { step(bytes / 256); }
  /// A search for `part` bytes in `whole` bytes, which may have to compare them at each place.
  void search(std::size_t whole, std::size_t part) { step(whole / 256 * (1 + part / 32)); }
  /// Checks that the output may grow to `bytes`.
  void output(std::size_t bytes) const;

  [[noreturn]] void fail(std::string message, std::string hint = {}) const;

 private:
  TemplateLimits limits_;
  std::size_t steps_ = 0;
  Span span_;
};

}  // namespace etesian::templates

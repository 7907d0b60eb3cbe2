#pragma once
#include <optional>

#include "template/syntax.h"

namespace etesian::templates {

/// Deepest nesting of brackets, blocks and signs that is accepted at all.
inline constexpr std::size_t DepthMax = TemplateLimits{}.depth;

/// Grammar and precedence are Jinja's. Adds every mistake to `errors`, in order of position: after
/// one, reading goes on behind its tag. The result is complete only when none was added.
Syntax parse_template(std::string_view text, std::vector<TemplateError>& errors);

}  // namespace etesian::templates

#include "template/callables.h"

#include <fmt/format.h>

#include <algorithm>

#include "template/nearest.h"

namespace etesian::templates {
namespace {

std::string too_many(const Signature& signature, std::string_view what) {
  if (signature.positional() == 0) return fmt::format("{} takes no arguments", what);
  return fmt::format("{} takes at most {} argument{}", what, signature.positional(),
                     signature.positional() == 1 ? "" : "s");
}

std::optional<std::size_t> parameter(const Signature& signature, std::string_view name) {
  const auto found = std::find(signature.parameters.begin(), signature.parameters.end(), name);
  if (found == signature.parameters.end()) return std::nullopt;
  return static_cast<std::size_t>(found - signature.parameters.begin());
}

}  // namespace

Arguments in_place(const Signature& signature, Supplied supplied, std::string_view what,
                   Meter& meter) {
  Arguments out(signature.parameters.size());
  for (std::size_t i = 0; i < supplied.positional.size(); ++i) {
    if (i < signature.positional()) {
      out[i] = std::move(supplied.positional[i]);
    } else if (signature.variadic) {
      out.emplace_back(std::move(supplied.positional[i]));
    } else {
      meter.fail(too_many(signature, what));
    }
  }
  for (auto& [name, value] : supplied.named) {
    const auto at = parameter(signature, name);
    if (!at) {
      meter.fail(fmt::format("{} has no argument '{}'", what, name),
                 did_you_mean(name, signature.parameters));
    }
    if (out[*at]) meter.fail(fmt::format("{} receives '{}' twice", what, name));
    out[*at] = std::move(value);
  }
  for (std::size_t i = 0; i < signature.required; ++i) {
    if (!out[i])
      meter.fail(fmt::format("{} lacks its argument '{}'", what, signature.parameters[i]));
  }
  return out;
}

std::optional<TemplateError> check_call(const Signature& signature, const Part& part,
                                        std::string_view what) {
  TemplateError error{part.span.offset, part.span.length, {}, {}};
  std::vector<bool> given(signature.parameters.size());
  for (std::size_t i = 0; i < part.arguments.size(); ++i) {
    const Argument& argument = part.arguments[i];
    const auto at = argument.name.empty() ? std::optional(i) : parameter(signature, argument.name);
    if (!at) {
      return TemplateError{argument.name_span.offset, argument.name_span.length,
                           fmt::format("{} has no argument '{}'", what, argument.name),
                           did_you_mean(argument.name, signature.parameters)};
    }
    if (argument.name.empty() && i >= signature.positional()) {
      if (signature.variadic) continue;
      return error.message = too_many(signature, what), error;
    }
    if (given[*at])
      return error.message = fmt::format("{} receives '{}' twice", what, argument.name), error;
    given[*at] = true;
  }
  for (std::size_t i = 0; i < signature.required; ++i) {
    if (!given[i]) {
      return error.message =
                 fmt::format("{} lacks its argument '{}'", what, signature.parameters[i]),
             error;
    }
  }
  return std::nullopt;
}

std::string text_argument(const std::optional<Value>& value, std::string_view otherwise,
                          Meter& meter) {
  if (!value) return std::string(otherwise);
  const auto* text = defined(*value).get<Text>();
  if (!text) meter.fail("this argument must be a text, not a " + std::string(type_name(*value)));
  meter.text((*text)->size());
  return **text;
}

std::int64_t integer_argument(const std::optional<Value>& value, std::int64_t otherwise,
                              Meter& meter) {
  if (!value) return otherwise;
  if (const auto number = as_integer(defined(*value))) return *number;
  meter.fail("this argument must be an integer, not a " + std::string(type_name(*value)));
}

bool flag_argument(const std::optional<Value>& value) { return value && is_true(*value); }

}  // namespace etesian::templates

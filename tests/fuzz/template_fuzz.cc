// Any bytes: parse, check and render end, within their limits, without a crash.
#include <cstdint>
#include <cstdlib>

#include "template/template.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace etesian;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<TemplateError> errors;
  const auto parsed = Template::parse(text, errors);
  if (!parsed) {
    if (errors.empty()) std::abort();
    return 0;
  }
  static const TemplateFacts Facts = [] {
    TemplateFacts facts;
    facts.dag_id = "dag", facts.task_id = "task", facts.run_id = "run";
    facts.logical_date = Instant{};
    facts.params = {{"n", 3}, {"list", json::array{1, 2, 3}}, {"text", "a b"}};
    facts.output = [](const std::string&, const std::string&, int) {
      return json::value{{"k", 1}};
    };
    facts.variable = [](const std::string&) { return R"({"a": [1]})"; };
    return facts;
  }();
  const TemplateLimits limits{.output_bytes = 1 << 16, .steps = 10'000, .depth = 64};
  parsed->check({{"n"}, {"task"}, {}});
  parsed->tasks_read();
  parsed->unquoted_params();
  const auto rendered = parsed->render(Facts, limits);
  if (rendered.text.has_value() == rendered.error.has_value()) std::abort();
  if (!parsed->is_literal() && rendered.text && rendered.text->size() > limits.output_bytes)
    std::abort();
  parsed->evaluate(Facts, limits);
  return 0;
}

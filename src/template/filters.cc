#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "template/callables.h"
#include "template/nearest.h"
#include "template/number_filters.h"
#include "template/operators.h"
#include "template/sequence_filters.h"
#include "template/unicode.h"
#include "template/value_text.h"

namespace etesian::templates {
namespace {

Value filter_default(const Value& input, Arguments& arguments, Meter&) {
  const bool falsy_too = flag_argument(arguments[1]);
  if (!input.is<Undefined>() && !(falsy_too && !is_true(input))) return input;
  return arguments[0] ? *arguments[0] : make_text("");
}

Value filter_upper(const Value& input, Arguments&, Meter& meter) {
  return make_text(to_upper(to_str(input, meter)));
}
Value filter_lower(const Value& input, Arguments&, Meter& meter) {
  return make_text(to_lower(to_str(input, meter)));
}

Value filter_capitalize(const Value& input, Arguments&, Meter& meter) {
  std::string text = to_lower(to_str(input, meter));
  if (!text.empty()) text.replace(0, 1, to_upper(text.substr(0, 1)));
  return make_text(std::move(text));
}

/// Jinja's: a word begins after blanks, '-' and opening brackets, not after an apostrophe.
Value filter_title(const Value& input, Arguments&, Meter& meter) {
  std::string text = to_lower(to_str(input, meter));
  bool start = true;
  for (char& c : text) {
    if (start && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    start = is_space(c) || std::string_view("-({[<").find(c) != std::string_view::npos;
  }
  return make_text(std::move(text));
}

Value filter_trim(const Value& input, Arguments& arguments, Meter& meter) {
  Arguments strip(1);
  if (arguments[0] && !arguments[0]->is<None>()) strip[0] = arguments[0];
  return call_method(make_text(to_str(input, meter)), "strip", strip, meter);
}

Value filter_replace(const Value& input, Arguments& arguments, Meter& meter) {
  Arguments texts = {make_text(to_str(*arguments[0], meter)),
                     make_text(to_str(*arguments[1], meter)), arguments[2]};
  return call_method(make_text(to_str(input, meter)), "replace", texts, meter);
}

Value filter_length(const Value& input, Arguments&, Meter& meter) {
  std::size_t length = 0;
  if (const auto* text = defined(input).get<Text>()) {
    meter.text((*text)->size());
    length = character_count(**text);
  } else if (const auto* list = input.get<List>()) {
    length = (*list)->values.size();
  } else if (const auto* dict = input.get<Dict>()) {
    length = (*dict)->pairs.size();
  } else {
    meter.fail("a " + std::string(type_name(input)) + " has no length");
  }
  return static_cast<std::int64_t>(length);
}

Value filter_string(const Value& input, Arguments&, Meter& meter) {
  return make_text(to_str(input, meter));
}

Value filter_tojson(const Value& input, Arguments& arguments, Meter& meter) {
  const bool one_line = !arguments[0] || arguments[0]->is<None>();
  const std::int64_t indent =
      one_line ? -1 : std::max<std::int64_t>(0, integer_argument(arguments[0], 0, meter));
  return make_text(to_json_text(input, indent, meter));
}

/// POSIX shell: inside single quotes every byte stands for itself, but for the quote.
std::string quoted(const std::string& text, const Meter& meter) {
  if (text.find('\0') != std::string::npos)
    meter.fail("a text with a NUL byte cannot be passed to a shell");
  static constexpr std::string_view Safe =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%_+:,./-";
  if (!text.empty() && text.find_first_not_of(Safe) == std::string::npos) return text;
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\"'\"'";
    } else {
      out += c;
    }
  }
  return out += '\'';
}

Value filter_quote(const Value& input, Arguments&, Meter& meter) {
  const auto* list = defined(input).get<List>();
  if (!list) return make_text(quoted(to_str(input, meter), meter));
  std::string out;
  for (const Value& value : (*list)->values) {
    if (!out.empty()) out += ' ';
    out += quoted(to_str(value, meter), meter);
    meter.output(out.size());
  }
  return make_text(std::move(out));
}

/// Airflow's date filters: none stays none.
template <class F>
Value of_date(const Value& input, Meter& meter, F format) {
  if (defined(input).is<None>()) return input;
  const auto* moment = input.get<Moment>();
  if (!moment) meter.fail("this filter needs a date, not a " + std::string(type_name(input)));
  return make_text(format(*moment));
}

std::string without_marks(std::string text) {
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text;
}

std::string ts_nodash(const Moment& m) { return *format_moment(m, "%Y%m%dT%H%M%S"); }
std::string ds(const Moment& m) { return *format_moment(m, "%Y-%m-%d"); }
std::string ds_nodash(const Moment& m) { return *format_moment(m, "%Y%m%d"); }
std::string ts(const Moment& m) { return iso_text(m); }
std::string ts_nodash_with_tz(const Moment& m) { return without_marks(iso_text(m)); }

template <std::string (*Format)(const Moment&)>
Value date_filter(const Value& input, Arguments&, Meter& meter) {
  return of_date(input, meter, Format);
}

const std::vector<Filter>& all_filters() {
  static const std::vector<Filter> Filters = {
      {{"default", {"default_value", "boolean"}}, filter_default},
      {{"d", {"default_value", "boolean"}}, filter_default},
      {{"upper", {}}, filter_upper},
      {{"lower", {}}, filter_lower},
      {{"capitalize", {}}, filter_capitalize},
      {{"title", {}}, filter_title},
      {{"trim", {"chars"}}, filter_trim},
      {{"replace", {"old", "new", "count"}, 2}, filter_replace},
      {{"length", {}}, filter_length},
      {{"count", {}}, filter_length},
      {{"string", {}}, filter_string},
      {{"tojson", {"indent"}}, filter_tojson},
      {{"quote", {}}, filter_quote},
      {{"int", {"default", "base"}}, filter_int},
      {{"float", {"default"}}, filter_float},
      {{"round", {"precision", "method"}}, filter_round},
      {{"abs", {}}, filter_abs},
      {{"join", {"d", "attribute"}}, filter_join},
      {{"first", {}}, filter_first},
      {{"last", {}}, filter_last},
      {{"list", {}}, filter_list},
      {{"reverse", {}}, filter_reverse},
      {{"sort", {"reverse", "case_sensitive", "attribute"}}, filter_sort},
      {{"unique", {"case_sensitive", "attribute"}}, filter_unique},
      {{"min", {"case_sensitive", "attribute"}}, filter_min},
      {{"max", {"case_sensitive", "attribute"}}, filter_max},
      {{"sum", {"attribute", "start"}}, filter_sum},
      {{"batch", {"linecount", "fill_with"}, 1}, filter_batch},
      {{"map", {"filter", "attribute", "default"}, 0, true, 2}, filter_map},
      {{"select", {"test"}, 0, true}, filter_select},
      {{"reject", {"test"}, 0, true}, filter_reject},
      {{"selectattr", {"attribute", "test"}, 1, true}, filter_selectattr},
      {{"rejectattr", {"attribute", "test"}, 1, true}, filter_rejectattr},
      {{"ds", {}}, date_filter<ds>},
      {{"ds_nodash", {}}, date_filter<ds_nodash>},
      {{"ts", {}}, date_filter<ts>},
      {{"ts_nodash", {}}, date_filter<ts_nodash>},
      {{"ts_nodash_with_tz", {}}, date_filter<ts_nodash_with_tz>}};
  return Filters;
}

}  // namespace

const Filter* find_filter(std::string_view name) {
  const auto& filters = all_filters();
  const auto found = std::find_if(filters.begin(), filters.end(),
                                  [&](const Filter& f) { return f.signature.name == name; });
  return found == filters.end() ? nullptr : &*found;
}

std::vector<std::string_view> filter_names() {
  std::vector<std::string_view> out;
  for (const Filter& filter : all_filters()) out.push_back(filter.signature.name);
  return out;
}

}  // namespace etesian::templates

#include "template/value.h"

#include <algorithm>
#include <cmath>

#include "template/unicode.h"
#include "template/value_text.h"

namespace etesian::templates {
namespace {

constexpr std::size_t HeightMax = 200;

std::size_t height_of(const Value& value) {
  if (const auto* list = value.get<List>()) return (*list)->height;
  if (const auto* dict = value.get<Dict>()) return (*dict)->height;
  return 0;
}

void check_height(std::size_t height, const Meter& meter) {
  if (height > HeightMax) meter.fail("lists and dicts nest more than 200 levels deep");
}

template <class T>
std::strong_ordering order(const T& a, const T& b) {
  return a < b   ? std::strong_ordering::less
         : b < a ? std::strong_ordering::greater
                 : std::strong_ordering::equal;
}

std::strong_ordering compare_numbers(const Value& a, const Value& b) {
  const auto left = as_integer(a), right = as_integer(b);
  if (left && right) return *left <=> *right;
  return order(static_cast<long double>(left ? static_cast<long double>(*left) : *as_number(a)),
               static_cast<long double>(right ? static_cast<long double>(*right) : *as_number(b)));
}

bool comparable(const Moment& a, const Moment& b) { return a.form == b.form; }

bool equal_lists(const List& a, const List& b, Meter& meter) {
  if (a == b) return true;
  if (a->kind != b->kind || a->values.size() != b->values.size()) return false;
  for (std::size_t i = 0; i < a->values.size(); ++i) {
    if (!equals(a->values[i], b->values[i], meter)) return false;
  }
  return true;
}

bool equal_dicts(const Dict& a, const Dict& b, Meter& meter) {
  if (a == b) return true;
  if (a->pairs.size() != b->pairs.size()) return false;
  for (const auto& [key, value] : a->pairs) {
    const Value* other = find(b, key);
    if (!other || !equals(value, *other, meter)) return false;
  }
  return true;
}

}  // namespace

Value make_text(std::string text) {
  return Text(std::make_shared<const std::string>(std::move(text)));
}

Value make_list(std::vector<Value> values, const Meter& meter, Items::Kind kind) {
  std::size_t height = 0;
  for (const Value& value : values) height = std::max(height, height_of(value));
  check_height(height + 1, meter);
  return List(std::make_shared<const Items>(Items{std::move(values), kind, height + 1}));
}

Value make_dict(std::vector<std::pair<std::string, Value>> pairs, const Meter& meter) {
  auto entries = std::make_shared<Entries>();
  std::size_t height = 0;
  std::unordered_map<std::string, std::size_t> seen;
  for (auto& [key, value] : pairs) {
    height = std::max(height, height_of(value));
    const auto [place, is_new] = seen.emplace(key, entries->pairs.size());
    if (is_new) {
      entries->pairs.emplace_back(std::move(key), std::move(value));
    } else {
      entries->pairs[place->second].second = std::move(value);
    }
  }
  check_height(height + 1, meter);
  entries->height = height + 1;
  for (std::size_t i = 0; i < entries->pairs.size(); ++i)
    entries->index.emplace(entries->pairs[i].first, i);
  return Dict(std::move(entries));
}

const Value* find(const Dict& dict, std::string_view key) {
  const auto found = dict->index.find(key);
  return found == dict->index.end() ? nullptr : &dict->pairs[found->second].second;
}

namespace {

Value from_json(const json::value& from, Meter& meter, std::size_t depth) {
  check_height(depth, meter);
  meter.step();
  switch (from.kind()) {
    case json::kind::null: return None{};
    case json::kind::bool_: return from.get_bool();
    case json::kind::int64: return from.get_int64();
    case json::kind::uint64:
      if (from.get_uint64() > INT64_MAX)
        meter.fail("a number of the input does not fit into 64 bits");
      return static_cast<std::int64_t>(from.get_uint64());
    case json::kind::double_: return from.get_double();
    case json::kind::string:
      meter.text(from.get_string().size());
      return make_text(std::string(from.get_string()));
    case json::kind::array: {
      std::vector<Value> values;
      for (const auto& item : from.get_array()) values.push_back(from_json(item, meter, depth + 1));
      return make_list(std::move(values), meter);
    }
    case json::kind::object: break;
  }
  std::vector<std::pair<std::string, Value>> pairs;
  for (const auto& item : from.get_object()) {
    pairs.emplace_back(std::string(item.key()), from_json(item.value(), meter, depth + 1));
  }
  return make_dict(std::move(pairs), meter);
}

}  // namespace

Value value_from_json(const json::value& from, Meter& meter) { return from_json(from, meter, 1); }

json::value json_from_value(const Value& from, Meter& meter) {
  meter.step();
  if (from.is<None>()) return nullptr;
  if (const auto* flag = from.get<bool>()) return *flag;
  if (const auto* integer = from.get<std::int64_t>()) return *integer;
  if (const auto* number = from.get<double>()) {
    if (!std::isfinite(*number)) meter.fail("JSON has no infinite numbers and no NaN");
    return *number;
  }
  if (const auto* text = from.get<Text>()) return meter.text((*text)->size()), json::string(**text);
  if (const auto* moment = from.get<Moment>()) return json::string(iso_text(*moment));
  if (const auto* delta = from.get<Delta>()) return std::chrono::duration<double>(*delta).count();
  if (const auto* list = from.get<List>()) {
    json::array out;
    for (const Value& value : (*list)->values) out.push_back(json_from_value(value, meter));
    return out;
  }
  if (const auto* dict = from.get<Dict>()) {
    json::object out;
    for (const auto& [key, value] : (*dict)->pairs) out[key] = json_from_value(value, meter);
    return out;
  }
  defined(from);
  meter.fail("this object has no JSON form", "use one of its members");
}

std::string_view type_name(const Value& value) {
  static constexpr std::string_view Names[] = {"none",  "undefined", "bool",  "int",
                                               "float", "text",      "list",  "dict",
                                               "date",  "time span", "object"};
  return Names[value.kind.index()];
}

const Value& defined(const Value& value) {
  if (const auto* undefined = value.get<Undefined>()) throw Failure{*undefined->why};
  return value;
}

bool is_true(const Value& value) {
  defined(value);
  return std::visit(
      Overloaded{[](const None&) { return false; }, [](bool flag) { return flag; },
                 [](std::int64_t number) { return number != 0; },
                 [](double number) { return number != 0; },
                 [](const Text& text) { return !text->empty(); },
                 [](const List& list) { return !list->values.empty(); },
                 [](const Dict& dict) { return !dict->pairs.empty(); },
                 [](Delta delta) { return delta.count() != 0; }, [](const auto&) { return true; }},
      value.kind);
}

std::optional<std::int64_t> as_integer(const Value& value) {
  if (const auto* integer = value.get<std::int64_t>()) return *integer;
  if (const auto* flag = value.get<bool>()) return *flag ? 1 : 0;
  return std::nullopt;
}

std::optional<double> as_number(const Value& value) {
  if (const auto* number = value.get<double>()) return *number;
  if (const auto integer = as_integer(value)) return static_cast<double>(*integer);
  return std::nullopt;
}

bool equals(const Value& a, const Value& b, Meter& meter) {
  meter.step();
  defined(a), defined(b);
  if (as_number(a) && as_number(b)) {
    if (std::isnan(*as_number(a)) || std::isnan(*as_number(b))) return false;
    return compare_numbers(a, b) == 0;
  }
  if (a.kind.index() != b.kind.index()) return false;
  if (const auto* text = a.get<Text>()) {
    const Text& other = *b.get<Text>();
    if (*text == other) return true;
    if ((*text)->size() != other->size()) return false;
    meter.text(other->size());
    return **text == *other;
  }
  if (const auto* list = a.get<List>()) return equal_lists(*list, *b.get<List>(), meter);
  if (const auto* dict = a.get<Dict>()) return equal_dicts(*dict, *b.get<Dict>(), meter);
  if (const auto* moment = a.get<Moment>()) {
    return comparable(*moment, *b.get<Moment>()) && moment->at == b.get<Moment>()->at;
  }
  if (const auto* delta = a.get<Delta>()) return *delta == *b.get<Delta>();
  if (const auto* host = a.get<Host>()) {
    return host->kind == b.get<Host>()->kind && host->id == b.get<Host>()->id;
  }
  return true;  // none == none
}

std::strong_ordering compare(const Value& a, const Value& b, Meter& meter) {
  meter.step();
  defined(a), defined(b);
  if (as_number(a) && as_number(b)) return compare_numbers(a, b);
  if (a.kind.index() == b.kind.index()) {
    if (const auto* text = a.get<Text>()) {
      meter.text(std::min((*text)->size(), (*b.get<Text>())->size()));
      return order(**text, **b.get<Text>());
    }
    if (const auto* delta = a.get<Delta>()) return order(*delta, *b.get<Delta>());
    if (const auto* moment = a.get<Moment>(); moment && comparable(*moment, *b.get<Moment>())) {
      return order(moment->at, b.get<Moment>()->at);
    }
    if (const auto* list = a.get<List>(); list && (*list)->kind == (*b.get<List>())->kind) {
      const auto& left = (*list)->values;
      const auto& right = (*b.get<List>())->values;
      for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
        if (!equals(left[i], right[i], meter)) return compare(left[i], right[i], meter);
      }
      return left.size() <=> right.size();
    }
  }
  meter.fail("a " + std::string(type_name(a)) + " and a " + std::string(type_name(b)) +
             " have no order");
}

bool contains(const Value& haystack, const Value& needle, Meter& meter) {
  defined(needle);
  if (const auto* text = defined(haystack).get<Text>()) {
    const auto* part = needle.get<Text>();
    if (!part)
      meter.fail("'in' looks for a text inside a text, not for a " +
                 std::string(type_name(needle)));
    meter.search((*text)->size(), (*part)->size());
    return (*text)->find(**part) != std::string::npos;
  }
  if (const auto* dict = haystack.get<Dict>()) {
    const auto* key = needle.get<Text>();
    return key && find(*dict, **key);
  }
  if (const auto* list = haystack.get<List>()) {
    return std::any_of((*list)->values.begin(), (*list)->values.end(),
                       [&](const Value& value) { return equals(value, needle, meter); });
  }
  meter.fail("'in' needs a list, a dict or a text, not a " + std::string(type_name(haystack)));
}

std::vector<Value> elements(const Value& value, Meter& meter) {
  if (const auto* list = defined(value).get<List>()) {
    meter.step((*list)->values.size());
    return (*list)->values;
  }
  std::vector<Value> out;
  if (const auto* dict = value.get<Dict>()) {
    for (const auto& pair : (*dict)->pairs) {
      meter.step();
      meter.text(pair.first.size());
      out.push_back(make_text(pair.first));
    }
  } else if (const auto* text = value.get<Text>()) {
    meter.step((*text)->size());
    for (const auto character : characters(**text))
      out.push_back(make_text(std::string(character)));
  } else {
    meter.fail("a " + std::string(type_name(value)) + " has no elements to go through");
  }
  return out;
}

}  // namespace etesian::templates

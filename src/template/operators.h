#pragma once
#include "template/syntax.h"

namespace etesian::templates {

/// Python's arithmetic on two values; 64-bit integers that fail on overflow, floor for // and %.
Value arithmetic(Operator op, const Value& a, const Value& b, Meter& meter);
/// -a or +a.
Value signed_value(Operator op, const Value& a, Meter& meter);
/// ==, <, in and their like.
bool holds(Operator op, const Value& a, const Value& b, Meter& meter);
/// value[index]; Undefined when there is no such element. Not for objects.
Value element(const Value& value, const Value& index, Meter& meter);
/// value.name of a dict, date or time span; Undefined when there is none.
Value data_member(const Value& value, std::string_view name, Meter& meter);
/// value[start:stop:stride] of a text, list or tuple; none = left out.
Value slice(const Value& value, const Value& start, const Value& stop, const Value& stride,
            Meter& meter);
/// A value that reports `message` when it is used.
Value undefined(const Meter& meter, std::string message, std::string hint = {});

}  // namespace etesian::templates

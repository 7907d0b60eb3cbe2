#pragma once
#include "template/callables.h"

namespace etesian::templates {

Value filter_int(const Value& input, Arguments& arguments, Meter& meter);
Value filter_float(const Value& input, Arguments& arguments, Meter& meter);
Value filter_round(const Value& input, Arguments& arguments, Meter& meter);
Value filter_abs(const Value& input, Arguments& arguments, Meter& meter);

}  // namespace etesian::templates

#pragma once
#include "template/callables.h"

namespace etesian::templates {

Value filter_join(const Value& input, Arguments& arguments, Meter& meter);
Value filter_first(const Value& input, Arguments& arguments, Meter& meter);
Value filter_last(const Value& input, Arguments& arguments, Meter& meter);
Value filter_list(const Value& input, Arguments& arguments, Meter& meter);
Value filter_reverse(const Value& input, Arguments& arguments, Meter& meter);
Value filter_sort(const Value& input, Arguments& arguments, Meter& meter);
Value filter_unique(const Value& input, Arguments& arguments, Meter& meter);
Value filter_min(const Value& input, Arguments& arguments, Meter& meter);
Value filter_max(const Value& input, Arguments& arguments, Meter& meter);
Value filter_sum(const Value& input, Arguments& arguments, Meter& meter);
Value filter_batch(const Value& input, Arguments& arguments, Meter& meter);
Value filter_map(const Value& input, Arguments& arguments, Meter& meter);
Value filter_select(const Value& input, Arguments& arguments, Meter& meter);
Value filter_reject(const Value& input, Arguments& arguments, Meter& meter);
Value filter_selectattr(const Value& input, Arguments& arguments, Meter& meter);
Value filter_rejectattr(const Value& input, Arguments& arguments, Meter& meter);

}  // namespace etesian::templates

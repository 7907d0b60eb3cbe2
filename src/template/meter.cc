#include "template/meter.h"

#include <fmt/format.h>

namespace etesian::templates {

void Meter::step(std::size_t count) {
  if (count > limits_.steps - steps_) {
    steps_ = limits_.steps;
    fail(fmt::format("this template needs more than {} steps", limits_.steps),
         "loop over fewer elements, or do this work in the task");
  }
  steps_ += count;
}

void Meter::output(std::size_t bytes) const {
  if (bytes > limits_.output_bytes) {
    fail(fmt::format("the text grows beyond {} bytes", limits_.output_bytes),
         "pass large data through a file or an object store");
  }
}

void Meter::fail(std::string message, std::string hint) const {
  throw Failure{{span_.offset, span_.length, std::move(message), std::move(hint)}};
}

}  // namespace etesian::templates

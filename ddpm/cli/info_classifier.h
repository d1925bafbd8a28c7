// What `ddpm info` says of a classifier.
#pragma once

#include "ddpm/net/classifier.h"

namespace ddpm::cli {

/// Lines on standard output, or a document ddpm.info/1 of kind "classifier".
void classifier_info(const Classifier& classifier, bool json);

}  // namespace ddpm::cli

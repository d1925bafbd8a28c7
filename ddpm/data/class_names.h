// Names of the classes of well-known data sets, in the order of their numbers.
#pragma once

#include <string>
#include <vector>

namespace ddpm {

std::vector<std::string> fashion_mnist_classes();
std::vector<std::string> cifar10_classes();
std::vector<std::string> cifar100_classes();  // the fine ones

/// "0", "1", ..., for data sets that name none.
std::vector<std::string> numbered_classes(int count);

}  // namespace ddpm

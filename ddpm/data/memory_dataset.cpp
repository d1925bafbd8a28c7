#include "ddpm/data/memory_dataset.h"

#include <algorithm>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

class MemoryDataset : public Dataset {
 public:
  explicit MemoryDataset(ImageTable table) : table_(std::move(table)) {}

  Shape shape() const override { return table_.shape; }
  std::size_t size() const override { return table_.pixels.size() / table_.shape.size(); }

  void load(std::size_t i, std::span<std::uint8_t> out) const override {
    DDPM_CHECK(i < size() && out.size() == table_.shape.size(), "{} of {}", i, size());
    std::copy_n(table_.pixels.begin() + static_cast<std::ptrdiff_t>(i * out.size()), out.size(),
                out.begin());
  }

  std::optional<int> label(std::size_t i) const override {
    DDPM_CHECK(i < size(), "{} of {}", i, size());
    if (table_.labels.empty()) return std::nullopt;
    return table_.labels[i];
  }

  std::vector<std::string> classes() const override { return table_.classes; }
  std::string description() const override { return table_.description; }

 private:
  ImageTable table_;
};

void check(const ImageTable& t) {
  const std::size_t image = t.shape.size();
  DDPM_CHECK(image >= 1 && !t.pixels.empty() && t.pixels.size() % image == 0, "{}", t.description);
  DDPM_CHECK(t.labels.empty() || t.labels.size() == t.pixels.size() / image, "{}", t.description);
  for (const int label : t.labels) {
    DDPM_CHECK(label < static_cast<int>(t.classes.size()), "{}", t.description);
  }
}

bool fits(int wanted, int has) { return wanted == 0 || wanted == has; }

}  // namespace

std::unique_ptr<Dataset> memory_dataset(ImageTable table, const DatasetOptions& options) {
  check(table);
  const Shape s = table.shape;
  if (!fits(options.channels, s.c) || !fits(options.height, s.h) || !fits(options.width, s.w)) {
    const auto or_any = [](int n) { return n == 0 ? std::string("any") : fmt::format("{}", n); };
    throw Error(
        "[data] {}: got images of width {}, height {}, channels {}, expected {}, {}, {}; these "
        "files are of fixed shape, so try to train at theirs",
        table.description, s.w, s.h, s.c, or_any(options.width), or_any(options.height),
        or_any(options.channels));
  }
  return std::make_unique<MemoryDataset>(std::move(table));
}

}  // namespace ddpm

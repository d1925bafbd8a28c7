#include "ddpm/cli/sample_stream.h"

#include <algorithm>

#include "ddpm/base/crc32.h"
#include "ddpm/base/error.h"
#include "ddpm/cli/npy_writer.h"
#include "ddpm/cli/options.h"
#include "ddpm/data/npy.h"
#include "ddpm/data/zip_stream.h"

namespace ddpm::cli {
namespace fs = std::filesystem;
namespace {

// What a kind of file has before its images, for each, and after them.
class Layout {
 public:
  virtual ~Layout() = default;
  virtual std::string head() = 0;
  virtual std::size_t image_bytes() const = 0;
  virtual void append_image(std::span<const float> image, std::string& out) const = 0;
  /// crc: CRC-32 of everything behind plain_head() bytes.
  virtual void end(PartFile&, std::uint32_t) {}
  virtual std::size_t plain_head() const { return 0; }  // bytes of the head that no CRC covers
};

class Npy : public Layout {
 public:
  explicit Npy(const SampleOutputSpec& spec) : spec_(spec) {}

  std::string head() override {
    const auto [c, h, w] = spec_.shape;
    return npy_header(NpyType::f32, {spec_.count, c, h, w});
  }
  std::size_t image_bytes() const override { return spec_.shape.size() * sizeof(float); }
  void append_image(std::span<const float> image, std::string& out) const override {
    out += bytes_of(image);
  }

 private:
  const SampleOutputSpec& spec_;
};

class Npz : public Layout {
 public:
  explicit Npz(const SampleOutputSpec& spec) : spec_(spec) {}

  std::string head() override {
    const auto [c, h, w] = spec_.shape;
    const std::string header = npy_header(NpyType::u8, {spec_.count, h, w, c});
    const std::uint64_t images = static_cast<std::uint64_t>(spec_.count) * image_bytes();
    const std::string entry = zip_.begin_entry("arr_0.npy", header.size() + images);
    plain_head_ = entry.size();
    return entry + header;
  }
  std::size_t plain_head() const override { return plain_head_; }
  std::size_t image_bytes() const override { return spec_.shape.size(); }

  void append_image(std::span<const float> image, std::string& out) const override {
    const Image pixels = image_from_floats(image, spec_.shape);
    out.append(pixels.pixels.begin(), pixels.pixels.end());
  }

  void end(PartFile& file, std::uint32_t crc) override {
    zip_.set_crc(crc);
    file.overwrite(zip_.crc_offset(), {reinterpret_cast<const char*>(&crc), sizeof(crc)});
    if (!spec_.labels.empty()) append_labels(file);
    file.append(zip_.end());
  }

 private:
  // Twice over the labels, so that they need no room: a ZIP has the CRC before the content.
  void append_labels(PartFile& file) {
    const std::string header = npy_header(NpyType::i64, {spec_.count});
    std::uint32_t crc = crc32_of(header);
    for_each_label([&](std::string_view bytes) { crc = crc32_of(bytes, crc); });
    const auto size = static_cast<std::uint64_t>(spec_.count) * sizeof(std::int64_t);
    file.append(zip_.begin_entry("arr_1.npy", header.size() + size, crc) + header);
    for_each_label([&](std::string_view bytes) { file.append(bytes); });
  }

  template <class Use>
  void for_each_label(Use use) const {
    constexpr std::int64_t kAtOnce = 4096;
    for (std::int64_t from = 0; from < spec_.count; from += kAtOnce) {
      std::vector<std::int64_t> some;
      for (std::int64_t i = from; i < std::min(spec_.count, from + kAtOnce); ++i) {
        some.push_back(*label_of(spec_.labels, spec_.first + static_cast<std::uint64_t>(i)));
      }
      use({reinterpret_cast<const char*>(some.data()), some.size() * sizeof(std::int64_t)});
    }
  }

  const SampleOutputSpec& spec_;
  ZipStream zip_;
  std::size_t plain_head_ = 0;
};

// A state without its file belongs to one that was finished.
std::optional<SampleState> state_of(const fs::path& part, const fs::path& state_file,
                                    const SampleIdentity& identity) {
  std::error_code none;
  if (!fs::exists(part, none)) {
    fs::remove(state_file, none);
    return {};
  }
  return read_sample_state(state_file, identity);
}

class Stream : public SampleOutput {
 public:
  template <class Kind>
  static std::unique_ptr<SampleOutput> make(const SampleOutputSpec& spec) {
    check_output_file(spec.path);
    auto stream = std::unique_ptr<Stream>(new Stream(spec));
    stream->layout_ = std::make_unique<Kind>(stream->spec_);
    stream->start();
    return stream;
  }

  std::int64_t done() const override { return state_.done; }

  void add(std::span<const float> images) override {
    const std::size_t size = spec_.shape.size();
    std::string bytes;
    bytes.reserve(images.size() / size * layout_->image_bytes());
    for (std::size_t i = 0; i < images.size(); i += size) {
      layout_->append_image(images.subspan(i, size), bytes);
    }
    file_.append(bytes);
    state_.crc = crc32_of(bytes, state_.crc);
    state_.done += static_cast<std::int64_t>(images.size() / size);
  }

  void commit() override {
    file_.sync();
    write_sample_state(state_file_, spec_.identity, state_);
    file_.keep();
  }

  void finish() override {
    DDPM_CHECK(state_.done == spec_.count, "{} of {} images", state_.done, spec_.count);
    layout_->end(file_, state_.crc);
    file_.finish();
    std::error_code none;
    fs::remove(state_file_, none);
  }

 private:
  explicit Stream(const SampleOutputSpec& spec)
      : spec_(spec),
        state_file_(spec.path + ".part.json"),
        found_(state_of(spec.path + ".part", state_file_, spec.identity)),
        file_(spec.path) {}

  // Goes on behind the images that are known to be good, or begins anew.
  void start() {
    const std::string head = layout_->head();
    const std::uint64_t good =
        found_ ? head.size() + static_cast<std::uint64_t>(found_->done) * layout_->image_bytes()
               : 0;
    if (found_ && found_->done <= spec_.count && good <= file_.size()) {
      state_ = *found_;
      file_.truncate(good);
      file_.keep();
      return;
    }
    file_.truncate(0);
    file_.append(head);
    state_.crc = crc32_of(std::string_view(head).substr(layout_->plain_head()));
  }

  SampleOutputSpec spec_;
  fs::path state_file_;
  std::optional<SampleState> found_;
  PartFile file_;
  std::unique_ptr<Layout> layout_;
  SampleState state_;
};

}  // namespace

std::unique_ptr<SampleOutput> make_npy_output(const SampleOutputSpec& spec) {
  return Stream::make<Npy>(spec);
}

std::unique_ptr<SampleOutput> make_npz_output(const SampleOutputSpec& spec) {
  return Stream::make<Npz>(spec);
}

}  // namespace ddpm::cli

// `name[:count][,key=value]...`: how schedules and plans are written on the command line, as in
// `ddim:50,eta=0.5`.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ddpm {

/// A parsed spec; which names and keys make sense is the caller's to say. Every error is an Error
/// that starts with `[tag]` and quotes the text.
class Spec {
 public:
  /// Throws Error for anything but the form above, and for a key given twice. `tag`: "plan",
  /// "schedule".
  Spec(std::string tag, std::string text);

  const std::string& text() const { return text_; }
  std::optional<int> count() const { return count_; }  // what follows the colon

  /// Index of the name in `known`; throws Error with the nearest one.
  std::size_t choose_name(std::span<const std::string_view> known) const;

  /// Throws Error unless every key is one of `known`.
  void check_keys(std::span<const std::string_view> known) const;

  /// The value of a key, if given.
  std::optional<std::string_view> value(std::string_view key) const;
  /// The same as a finite number; throws Error when it is not one.
  std::optional<double> number(std::string_view key) const;
  /// The same as an index into `known`; throws Error with the nearest one.
  std::optional<std::size_t> choice(std::string_view key,
                                    std::span<const std::string_view> known) const;

 private:
  void parse_head(std::string_view head);
  void parse_option(std::string_view option);
  std::string where(std::string_view what) const;

  std::string tag_, text_, name_;
  std::optional<int> count_;
  std::vector<std::pair<std::string, std::string>> options_;
};

}  // namespace ddpm

#include "ddpm/entropy/rans.h"

#include <array>
#include <bit>

#include "ddpm/base/bytes.h"
#include "ddpm/base/philox.h"

namespace ddpm {
namespace {

// The head is the state in 5, 6, 7 or 9 bytes, the number of bytes in its two lowest bits.
constexpr std::array<int, 4> kHeadBytes = {5, 6, 7, 9};

int head_code(std::uint64_t state) {
  int code = 0;
  const auto width = static_cast<int>(std::bit_width(state));
  while (width > 8 * kHeadBytes[code] - 2) ++code;
  return code;
}

// Bytes beyond the end are 0.
std::uint32_t word_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint32_t>(little_endian(bytes.substr(at, 4)));
}

}  // namespace

// Before: state < 2^(63 - precision) size, so that after it state < 2^63.
void Rans::push(Interval symbol, int precision) {
  if (state_ >> (63 - precision) >= symbol.size) spill();
  state_ = ((state_ / symbol.size) << precision) + state_ % symbol.size + symbol.start;
}

void Rans::push_bits(std::uint32_t value, int bits) {
  DDPM_CHECK(0 <= bits && bits <= 31 && value >> bits == 0, "{} in {} bits", value, bits);
  if (state_ >> (63 - bits) != 0) spill();
  state_ = state_ << bits | value;
}

std::uint32_t Rans::pop_bits(int bits) {
  DDPM_CHECK(0 <= bits && bits <= 31, "{}", bits);
  const auto value = static_cast<std::uint32_t>(state_ & ((std::uint64_t{1} << bits) - 1));
  state_ >>= bits;
  if (state_ < kLow) refill();
  return value;
}

// Not zeros: a sample that they draw lies in the farthest tail and costs 24 bits. Nor words below
// 2^31, which could be a seed's number of bytes.
void Rans::feed() {
  starved_ = true;
  state_ <<= 32;
  if (!seeded_) return;
  state_ |= random_block({.purpose = Purpose::codec_feed}, fed_ / 4)[fed_ % 4] | 1U << 31;
  ++fed_;
}

std::string Rans::bytes() const {
  const int code = head_code(state_);
  std::string out;
  out.reserve(9 + 4 * words_.size());
  // In the longest head the state is shifted by two over nine bytes.
  out.push_back(static_cast<char>((state_ << 2 & 255) | static_cast<unsigned>(code)));
  for (int i = 1; i < kHeadBytes[code]; ++i) {
    out.push_back(static_cast<char>(state_ >> (8 * i - 2) & 255));
  }
  for (std::size_t i = words_.size(); i-- > 0;) append_little_endian(out, words_[i], 4);
  return out;
}

Result<Rans> Rans::parse(std::string_view bytes) {
  const std::size_t head =
      bytes.empty() ? 1 : kHeadBytes[static_cast<unsigned char>(bytes.front()) & 3];
  if (bytes.size() < head) {
    return fail(FailureCode::need_more, "[entropy] rans: got {} bytes, expected at least {}",
                bytes.size(), head);
  }
  std::uint64_t state = static_cast<unsigned char>(bytes[0]) >> 2;
  for (std::size_t i = 1; i < head; ++i) {
    state |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i - 2);
  }
  // A ninth byte may hold only bit 62 in its lowest bit: of its eight, 62..69, the rest are not
  // part of a state.
  const bool too_wide = head == 9 && static_cast<unsigned char>(bytes[8]) > 1;
  if (too_wide || state < kLow || state >> 63 != 0 || kHeadBytes[head_code(state)] != int(head)) {
    return fail(FailureCode::corrupt, "[entropy] rans: got state {:#x} in {} bytes", state, head);
  }
  Rans rans;
  rans.state_ = state;
  const std::size_t words = (bytes.size() - head) / 4;
  rans.ragged_ = (bytes.size() - head) % 4 != 0;
  rans.words_.reserve(words);
  for (std::size_t i = words; i-- > 0;) rans.words_.push_back(word_at(bytes, head + 4 * i));
  return rans;
}

Result<std::uint32_t> Rans::bottom() const {
  if (starved_) return fail(FailureCode::need_more, "[entropy] rans: the stream is cut short");
  if (!words_.empty() || ragged_ || state_ >> 32 != 1) {
    return fail(FailureCode::corrupt, "[entropy] rans: got {} words and state {:#x} at the end",
                words_.size(), state_);
  }
  return static_cast<std::uint32_t>(state_);
}

// From the bottom: the number of bytes, then the bytes in words, the last of which is the state's.
Rans Rans::seeded(std::string_view seed) {
  DDPM_CHECK(seed.size() <= INT32_MAX, "{}", seed.size());
  Rans rans;
  rans.seeded_ = true;
  rans.words_.push_back(static_cast<std::uint32_t>(seed.size()));
  for (std::size_t at = 0; at < seed.size(); at += 4) rans.words_.push_back(word_at(seed, at));
  rans.state_ = std::uint64_t{1} << 32 | rans.words_.back();
  rans.words_.pop_back();
  return rans;
}

Result<std::string> Rans::seed_bytes() const {
  const auto none = [&] {
    return fail(FailureCode::corrupt, "[entropy] rans: got {} words and state {:#x}, no seed",
                words_.size(), state_);
  };
  if (starved_ || ragged_ || state_ >> 32 != 1) return none();
  std::vector<std::uint32_t> words = words_;
  words.push_back(static_cast<std::uint32_t>(state_));
  // Below the number of bytes may lie words that a starved encoder was fed.
  std::size_t first = 0;
  const auto held = [&] { return words.size() - first - 1; };
  while (held() > 0 && (std::size_t{words[first]} + 3) / 4 != held()) ++first;
  const std::size_t size = words[first];
  if ((size + 3) / 4 != held()) return none();
  std::string seed;
  seed.reserve(4 * held());
  for (std::size_t i = first + 1; i < words.size(); ++i) append_little_endian(seed, words[i], 4);
  if (seed.find_first_not_of('\0', size) != std::string::npos) {
    return fail(FailureCode::corrupt, "[entropy] rans: the seed of {} bytes is longer", size);
  }
  seed.resize(size);
  return seed;
}

std::string RansQueue::bytes(std::uint32_t bottom) const {
  Rans rans(bottom);
  for (auto symbol = symbols_.rbegin(); symbol != symbols_.rend(); ++symbol) rans.push(*symbol);
  return rans.bytes();
}

}  // namespace ddpm

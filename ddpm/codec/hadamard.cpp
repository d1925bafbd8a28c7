#include "ddpm/codec/hadamard.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "ddpm/base/exact.h"
#include "ddpm/base/philox.h"
#include "ddpm/codec/walsh.h"
#include "ddpm/entropy/subset_code.h"

namespace ddpm {
namespace {

// Small steps have few bits and want small atoms; beyond a size the search would cost too much.
constexpr std::size_t kLargeCodebook = std::size_t{1} << 20;
constexpr std::uint32_t kRows = 32;  // of each factor of the large codebook's signs

// Elements of an atom: enough for their sums of +-1 to look normal.
std::size_t atom_size(std::size_t n) { return std::max<std::size_t>(64, std::bit_ceil(n)); }

std::uint32_t blocks_of(Codebook codebook, std::size_t n) {
  if (codebook == Codebook::small) return 64;
  const std::size_t size = atom_size(n);
  return static_cast<std::uint32_t>(
      std::max<std::size_t>(64, std::min(size, kLargeCodebook / size)));
}

std::uint32_t codebook_size(Codebook codebook, std::size_t n) {
  return static_cast<std::uint32_t>(blocks_of(codebook, n) * atom_size(n));
}

using Row = std::vector<std::uint32_t>;  // of signs: a set bit is -1

// The signs of a lane from a word on.
Row row_of(const StepKey& key, std::uint32_t lane, std::size_t size, std::size_t first = 0) {
  const NoiseKey stream{key.seed, Purpose::codec_atoms, key.item, key.step, lane};
  Row row(size / 32);
  std::array<std::uint32_t, 4> words{};
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::size_t word = first + i;
    if (i == 0 || word % 4 == 0) words = random_block(stream, static_cast<std::uint32_t>(word / 4));
    row[i] = words[word % 4];
  }
  return row;
}

Row product(const Row& a, const Row& b) {
  Row row(a.size());
  std::ranges::transform(a, b, row.begin(), std::bit_xor());
  return row;
}

// The signs of the blocks: an atom is outer * H (inner * H e_j).
class Bases {
 public:
  Bases(const StepKey& key, std::size_t n)
      : key_(key), size_(atom_size(n)), blocks_(blocks_of(key.codebook, n)) {
    if (shared()) outer_ = row_of(key, 0, size_);
  }

  std::size_t size() const { return size_; }
  std::uint32_t blocks() const { return blocks_; }
  /// Whether outer() is the same in all blocks.
  bool shared() const { return key_.codebook == Codebook::large; }
  Row outer(std::uint32_t block) const {
    return shared() ? outer_ : row_of(key_, block, size_, size_ / 32);
  }
  Row inner(std::uint32_t block) {
    if (!shared()) return row_of(key_, block, size_);
    return product(factor(block / kRows), factor(kRows + block % kRows));
  }

 private:
  const Row& factor(std::uint32_t i) {
    Row& row = factors_[i];
    if (row.empty()) row = row_of(key_, 1 + i, size_);
    return row;
  }

  StepKey key_;
  std::size_t size_;
  std::uint32_t blocks_;
  Row outer_;
  std::array<Row, 2 * kRows> factors_;
};

struct Atom {
  std::uint32_t index;  // block * size + column
  bool negative;
};

struct Candidate {
  std::int32_t miss;  // how far the correlation is from what is wanted
  Atom atom;
  bool operator<(const Candidate& other) const {  // ties too have one order
    return miss != other.miss ? miss < other.miss : atom.index < other.atom.index;
  }
};

double norm(std::span<const float> u) {
  double square = 0;
  for (const double value : u) square += value * value;
  return std::sqrt(square);
}

// u in integers with |u| = 2^30 / size: no partial sum of the two transforms can reach 2^31, since
// an unnormalised one multiplies the norm by sqrt(size).
std::vector<std::int32_t> to_integers(std::span<const float> u, double length, std::size_t size) {
  std::vector<std::int32_t> integers(size);
  if (length == 0) return integers;
  const double scale = 0x1p30 / (static_cast<double>(size) * length);
  for (std::size_t i = 0; i < u.size(); ++i) {
    integers[i] = static_cast<std::int32_t>(std::rint(u[i] * scale));
  }
  return integers;
}

// The best `count` candidates so far.
class Best {
 public:
  explicit Best(int count) : count_(static_cast<std::size_t>(count)) {}

  /// No candidate that misses by more can be among them.
  std::int32_t most() const {
    return heap_.size() == count_ ? heap_.front().miss : std::numeric_limits<std::int32_t>::max();
  }

  void offer(const Candidate& candidate) {
    if (heap_.size() == count_) {
      if (!(candidate < heap_.front())) return;
      std::ranges::pop_heap(heap_, std::less());
      heap_.pop_back();
    }
    heap_.push_back(candidate);
    std::ranges::push_heap(heap_, std::less());
  }

  std::vector<Atom> by_index() const {
    std::vector<Atom> atoms;
    for (const Candidate& candidate : heap_) atoms.push_back(candidate.atom);
    std::ranges::sort(atoms, {}, &Atom::index);
    return atoms;
  }

 private:
  std::size_t count_;
  std::vector<Candidate> heap_;  // the worst on top
};

// The `count` atoms whose correlations with u are nearest to what each must add for z to move by
// |u|: |u| / sqrt(count). Mostly that is more than any atom has, and these are the largest.
std::vector<Atom> choose(const StepKey& key, std::span<const float> u, int count) {
  Bases bases(key, u.size());
  const std::size_t size = bases.size();
  const double length = norm(u);
  const std::vector<std::int32_t> integers = to_integers(u, length, size);
  const double wanted = length * 0x1p30 / std::sqrt(static_cast<double>(size) * count);
  const auto target = static_cast<std::int32_t>(std::min(wanted, 0x1p31 - 1));
  Best best(count);
  std::vector<std::int32_t> turned(size), x(size);
  for (std::uint32_t block = 0; block < bases.blocks(); ++block) {
    if (block == 0 || !bases.shared()) signed_walsh_hadamard(bases.outer(block), integers, turned);
    signed_walsh_hadamard(bases.inner(block), turned, x);
    for (std::size_t i = 0; (i = next_near(x, i, target, best.most())) < size; ++i) {
      best.offer({std::abs(std::abs(x[i]) - target),
                  {static_cast<std::uint32_t>(block * size + i), x[i] < 0}});
    }
  }
  return best.by_index();
}

// The sum of the atoms.
std::vector<std::int32_t> sum_of(const StepKey& key, std::span<const Atom> atoms, std::size_t n) {
  Bases bases(key, n);
  const std::size_t size = bases.size();
  std::vector<std::int32_t> sum(size), x(size);
  for (std::size_t i = 0; i < atoms.size();) {
    const auto block = static_cast<std::uint32_t>(atoms[i].index / size);
    std::fill(x.begin(), x.end(), 0);
    for (; i < atoms.size() && atoms[i].index / size == block; ++i) {
      x[atoms[i].index % size] = atoms[i].negative ? -1 : 1;
    }
    walsh_hadamard(x);
    signed_walsh_hadamard(bases.inner(block), x, x);
    flip_signs(bases.outer(block), x);
    for (std::size_t j = 0; j < size; ++j) sum[j] += x[j];
  }
  return sum;
}

// The share of z's variance that chosen atoms lack across u. The mean square correlation of the
// best M of N normal vectors with a direction is near 2 L - ln L, L = ln(N / M), and an atom's
// length is fixed: what lies along u is missing elsewhere. Noise that both sides know fills it up,
// and takes away that sums of +-1 lie on a lattice.
double noise_share(Codebook codebook, std::size_t n, std::size_t atoms) {
  const double L = exact::log(codebook_size(codebook, n) / static_cast<double>(atoms));
  return std::min(0.5, (2 * L - exact::log(L)) / static_cast<double>(n));
}

// z = sum / sqrt(atoms * size) + sqrt(share) noise, where z holds the noise before.
void add_atoms(const StepKey& key, std::span<const Atom> atoms, std::span<float> z) {
  if (atoms.empty()) return;
  const std::vector<std::int32_t> sum = sum_of(key, atoms, z.size());
  const double scale = 1 / std::sqrt(static_cast<double>(atoms.size() * sum.size()));
  const double noise = std::sqrt(noise_share(key.codebook, z.size(), atoms.size()));
  for (std::size_t i = 0; i < z.size(); ++i) {
    z[i] = static_cast<float>(sum[i] * scale + z[i] * noise);
  }
}

}  // namespace

int hadamard_bits(Codebook codebook, std::size_t n, int atoms) {
  return atoms + subset_bits(codebook_size(codebook, n), static_cast<std::uint32_t>(atoms));
}

int hadamard_atoms(Codebook codebook, std::size_t n, int budget) {
  // (N over M) >= (N / M)^M, and N / M is at least 4: an atom costs at least so many bits.
  const auto least = static_cast<int>(std::bit_width(codebook_size(codebook, n) / kMaxSubsetSize));
  int low = 0, high = std::min(static_cast<int>(kMaxSubsetSize), budget / least);
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (hadamard_bits(codebook, n, middle) <= budget) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

void send_hadamard(const StepKey& key, int budget, std::span<const float> u, BitWriter& writer,
                   std::span<float> z) {
  const int count = hadamard_atoms(key.codebook, u.size(), budget);
  if (count == 0) return;
  const std::vector<Atom> atoms = choose(key, u, count);
  std::vector<std::uint32_t> indices;
  for (const Atom& atom : atoms) {
    writer.put(atom.negative ? 1 : 0, 1);
    indices.push_back(atom.index);
  }
  put_subset(codebook_size(key.codebook, u.size()), indices, writer);
  add_atoms(key, atoms, z);
}

Result<void> receive_hadamard(const StepKey& key, int budget, BitReader& reader,
                              std::span<float> z) {
  const int count = hadamard_atoms(key.codebook, z.size(), budget);
  std::vector<Atom> atoms(count);
  for (Atom& atom : atoms) {
    auto sign = reader.take(1);
    if (!sign) return tl::unexpected(std::move(sign).error());
    atom.negative = *sign != 0;
  }
  auto indices = take_subset(codebook_size(key.codebook, z.size()), count, reader);
  if (!indices) return tl::unexpected(std::move(indices).error());
  for (int i = 0; i < count; ++i) atoms[i].index = (*indices)[i];
  fill_normal({key.seed, Purpose::codec_noise, key.item, key.step}, z);
  add_atoms(key, atoms, z);
  return {};
}

}  // namespace ddpm

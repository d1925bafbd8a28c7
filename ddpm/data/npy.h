// NumPy's arrays: .npy (format 1.0 to 3.0) and .npz (a ZIP archive of them).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/base/result.h"

namespace ddpm {

enum class NpyType { u8, i32, i64, f16, f32, f64 };

/// "float32", as NumPy names it.
const char* to_string(NpyType type);

/// Bytes of an element.
std::size_t element_size(NpyType type);

/// An array in C order, little-endian.
struct NpyArray {
  NpyType type = NpyType::f32;
  std::vector<std::int64_t> shape;
  std::string bytes;

  std::size_t size() const;  // number of elements
  /// Element i, i < size().
  double at(std::size_t i) const;
};

/// Reads one array. Its length must be what its header says, to the byte. Failure: corrupt,
/// need_more (cut short), or unsupported (another type, big-endian, more than 8 axes, a Fortran
/// order of more than 2 axes; those of 2 are transposed).
Result<NpyArray> parse_npy(std::string_view bytes, const std::string& name);

/// What stands before the values in a file: format 1.0, NumPy's own form; its length is a multiple
/// of 64.
std::string npy_header(NpyType type, const std::vector<std::int64_t>& shape);

/// The file's bytes: npy_header() and the values.
std::string write_npy(const NpyArray& array);

/// float64 array of these values. values.size() is the shape's product.
NpyArray npy_f64(std::vector<std::int64_t> shape, const std::vector<double>& values);
/// float32 likewise.
NpyArray npy_f32(std::vector<std::int64_t> shape, const std::vector<float>& values);

/// The arrays of an .npz file by name ("mu", not "mu.npy"): those in `wanted`, all when it is
/// empty. Others are not unpacked.
Result<std::map<std::string, NpyArray>> parse_npz(std::string_view bytes, const std::string& name,
                                                  const std::vector<std::string>& wanted = {});

/// An .npz file as numpy.savez writes it (stored).
std::string write_npz(const std::map<std::string, NpyArray>& arrays);

}  // namespace ddpm

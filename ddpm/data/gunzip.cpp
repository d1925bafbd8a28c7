#include "ddpm/data/gunzip.h"

#include <algorithm>
#include <limits>
#include <new>

namespace ddpm {
namespace {

constexpr int kGzipOnly = 16 + MAX_WBITS;

// zlib counts in 32 bits.
uInt piece(std::size_t size) {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

}  // namespace

bool is_gzip(std::string_view bytes) { return bytes.substr(0, 2) == "\x1f\x8b"; }

Gunzip::Gunzip(std::string_view bytes, const std::string& name) : bytes_(bytes), name_(name) {
  if (::inflateInit2(&stream_, kGzipOnly) != Z_OK) throw std::bad_alloc();
}

Gunzip::~Gunzip() { ::inflateEnd(&stream_); }

Result<std::size_t> Gunzip::read(std::span<char> out) {
  std::size_t done = 0;
  while (done < out.size() && !finished_) {
    if (stream_.avail_in == 0) {
      // zlib never writes to its input.
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes_.data()));
      stream_.avail_in = piece(bytes_.size());
      bytes_.remove_prefix(stream_.avail_in);
    }
    stream_.next_out = reinterpret_cast<Bytef*>(out.data() + done);
    stream_.avail_out = piece(out.size() - done);
    const uInt room = stream_.avail_out;
    const int status = ::inflate(&stream_, Z_NO_FLUSH);
    done += room - stream_.avail_out;
    if (status == Z_STREAM_END) finished_ = true;
    if (status == Z_BUF_ERROR) break;  // nothing left to read
    if (status == Z_MEM_ERROR) throw std::bad_alloc();
    if (status != Z_OK && status != Z_STREAM_END) {
      return fail(FailureCode::corrupt, "[data] {}: broken gzip data ({})", name_,
                  stream_.msg != nullptr ? stream_.msg : "a dictionary is missing");
    }
  }
  return done;
}

}  // namespace ddpm

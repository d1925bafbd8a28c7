#include <gtest/gtest.h>

#include "ddpm/base/file.h"

namespace ddpm {
namespace {

// FIPS 180-2, appendix B, and NIST's "long message" of a million letters.
TEST(Sha256, AgreesWithThePublishedVectors) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// Every length around the places where the padding changes shape; sum of the digests by coreutils:
// for n in $(seq 0 130); do head -c $n /dev/zero | sha256sum | cut -c1-64; done | tr -d '\n' |
// sha256sum
TEST(Sha256, PadsEveryLengthRight) {
  std::string all;
  for (int n = 0; n <= 130; ++n) all += sha256_hex(std::string(n, '\0'));
  EXPECT_EQ(sha256_hex(all), "54e76fce7077001577d4cd003983a26b89611ab84dce9950b9aaf77133a69f94");
}

}  // namespace
}  // namespace ddpm

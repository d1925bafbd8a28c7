// A process with fewer steps: the same q at some of its times.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ddpm/diffusion/schedule.h"

namespace ddpm {

/// alpha_bar(t) of `schedule` is that of the original at times[t - 1], which is the time that the
/// network is asked about (network_time).
struct Respaced {
  Schedule schedule;
  std::vector<int> times;
};

/// Keeps the given times (strictly increasing in 1..T): beta' = 1 - alpha_bar_t / alpha_bar_s for
/// s, t that follow one another (Nichol & Dhariwal 2021, Eq. (19)). Throws Error for other times.
Respaced respace(const Schedule& schedule, std::vector<int> times);

/// Times to keep, increasing: `uniform:50`, `quadratic:50` (spaced_times), `50` or `10,20,30`
/// (improved-diffusion: so many of each equal section of 1..T, both ends of a section kept),
/// `ddim50` (every k-th from 1 for the first k that gives 50). Throws Error with what was got and
/// what to try.
std::vector<int> parse_respacing(int T, const std::string& text);

}  // namespace ddpm

// Runs a sampler on a function of one's own instead of a network. All data here are the number 0.5,
// so that the best eps is known, and every sampler must end there.
#include <ddpm/engine/runner.h>

#include <cmath>
#include <iostream>

class Best : public ddpm::Denoiser {
 public:
  explicit Best(const ddpm::Schedule& schedule) : schedule_(schedule) {}

  // x_t = sqrt(alpha_bar) 0.5 + sqrt(1 - alpha_bar) eps, solved for eps. Times are 0-based here.
  void predict(std::span<const float> x, std::span<const double> time, std::span<const int>,
               std::span<float> out) override {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double t = time[i / shape().size()];
      const double alpha_bar = schedule_.alpha_bar(static_cast<int>(t) + 1);
      out[i] = static_cast<float>((x[i] - 0.5 * std::sqrt(alpha_bar)) / std::sqrt(1 - alpha_bar));
    }
  }
  ddpm::Shape shape() const override { return {1, 1, 4}; }
  int max_batch() const override { return 1; }

 private:
  const ddpm::Schedule& schedule_;
};

int main() {
  const ddpm::Schedule schedule = ddpm::Schedule::linear(1000);
  Best best(schedule);
  for (const char* spec : {"ddpm:1000", "ddim:20", "dpmpp:10,order=3"}) {
    const ddpm::Plan plan = ddpm::parse_plan(spec, schedule, {});
    std::vector<float> x(best.shape().size());
    ddpm::start_noise(/*seed=*/0, /*first_image=*/0, best.shape(), x);
    ddpm::run_plan(plan, best, x, ddpm::philox_noise(0, 0));
    std::cout << spec << ':';
    for (const float value : x) std::cout << ' ' << value;
    std::cout << '\n';
  }
}

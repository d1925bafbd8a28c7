"""One peer, one job, one process: prints one JSON line. run.py starts it.

  worker.py PEER JOB --config C --batch N --threads T [--repeats R] [--onnx FILE] [--input FILE] [--output FILE]
PEER is torch-float32, torch-bfloat16 or torch-autocast (bfloat16 products, float32 weights), each with -channels_last
or -contiguous; onnxruntime-float32; openvino-float32 or openvino-bfloat16. JOB is forward or train (timed), predict
(tensors of --input to --output), error (of --output against --input), or, for torch alone, export (the network to
--onnx) or reference (to the folder --output: the network as a model folder, inputs, and what float64 makes of them).
"""
import argparse
import contextlib
import json
import statistics
import time

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

import unet


def peak_memory():
    """MiB, as `ddpm bench` counts."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))


def timed(body, batch, repeats):
    for _ in range(2):
        body()
    seconds = []
    while len(seconds) < repeats or (sum(seconds) < 1 and repeats > 2 and len(seconds) < 200):
        start = time.perf_counter()
        body()
        seconds.append(time.perf_counter() - start)
    return {"ms": statistics.median(seconds) * 1e3 / batch, "repeats": len(seconds), "memory": peak_memory()}


def some_inputs(net, batch):
    torch.manual_seed(1)
    x = torch.randn(batch, net["in_channels"], net["height"], net["width"])
    return x, torch.arange(batch) * 617 % 1000


class Torch:
    def __init__(self, net, args):
        _, dtype, layout = args.peer.split("-")
        self.autocast = dtype == "autocast"
        self.dtype = torch.float32 if self.autocast else getattr(torch, dtype)
        self.layout = torch.channels_last if layout == "channels_last" else torch.contiguous_format
        torch.set_num_threads(args.threads)
        self.net = net
        self.model = unet.make(net).to(dtype=self.dtype, memory_format=self.layout)

    def precision(self):
        return torch.autocast("cpu", torch.bfloat16) if self.autocast else contextlib.nullcontext()

    def prepare(self, x):
        return x.to(self.dtype).contiguous(memory_format=self.layout)

    def forward(self, x, t):
        model, x = self.model.eval(), self.prepare(x)

        def call():
            with torch.inference_mode(), self.precision():
                return model(x, unet.sinusoids(self.net, t))
        return call

    def train(self, x, t):
        """Forward, loss, backward, clip, fused Adam, EMA: what a training step of `ddpm` does."""
        model, x = self.model.train(), self.prepare(x)
        target = torch.randn_like(x)
        parameters = list(model.parameters())
        average = [p.detach().clone() for p in parameters]
        adam = torch.optim.Adam(parameters, lr=2e-4, fused=True)

        def step():
            with self.precision():
                loss = F.mse_loss(model(x, unet.sinusoids(self.net, t)), target)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
            adam.step()
            adam.zero_grad(set_to_none=True)
            with torch.no_grad():
                torch._foreach_lerp_(average, [p.detach() for p in parameters], 1 - 0.9999)
        return step

    def export(self, path, x, t):
        n = torch.export.Dim("n")  # one file serves every batch
        torch.onnx.export(self.model.eval(), (x, unet.sinusoids(self.net, t)), path, input_names=["x", "waves"], output_names=["out"],
                          dynamic_shapes={"x": {0: n}, "waves": {0: n}}, dynamo=True, external_data=False, verbose=False)


def feed(net, x, t):
    return {"x": x.numpy(), "waves": unet.sinusoids(net, t).numpy()}


class OnnxRuntime:
    def __init__(self, net, args):
        import onnxruntime
        self.net = net
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = args.threads
        self.session = onnxruntime.InferenceSession(args.onnx, options, providers=["CPUExecutionProvider"])

    def forward(self, x, t):
        return lambda: torch.from_numpy(self.session.run(None, feed(self.net, x, t))[0])


class OpenVino:
    def __init__(self, net, args):
        import openvino
        self.net = net
        precision = {"float32": "f32", "bfloat16": "bf16"}[args.peer.split("-")[1]]
        core = openvino.Core()
        model = core.read_model(args.onnx)
        model.reshape({"x": [args.batch, net["in_channels"], net["height"], net["width"]],
                       "waves": [args.batch, net["block_out_channels"][0]]})
        self.compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": precision,
                                                          "INFERENCE_NUM_THREADS": args.threads,
                                                          "PERFORMANCE_HINT": "LATENCY"})

    def forward(self, x, t):
        request = self.compiled.create_infer_request()
        return lambda: torch.from_numpy(request.infer(feed(self.net, x, t))[0].copy())


def reference(net, folder, batch):
    model = unet.make(net).eval()
    unet.save_folder(model, net, f"{folder}/model")
    x, t = some_inputs(net, batch)
    save_file({"x": x, "t": t}, f"{folder}/in.safetensors")
    with torch.inference_mode():
        save_file({"out": model.double()(x.double(), unet.sinusoids(net, t))}, f"{folder}/reference.safetensors")
    products = [m for m in model.modules() if hasattr(m, "weight") and m.weight.dim() > 1]
    return {"depth": len(products), "terms": max(m.weight[0].numel() for m in products)}


def error(want, got):
    """Root mean square of the difference over that of the reference."""
    want, got = load_file(want)["out"], load_file(got)["out"].double()
    return {"error": ((got - want).pow(2).mean() / want.pow(2).mean()).sqrt().item()}


def run_peer(net, args):
    peer = {"torch": Torch, "onnxruntime": OnnxRuntime, "openvino": OpenVino}[args.peer.split("-")[0]](net, args)
    x, t = some_inputs(net, args.batch)
    if args.job == "export":
        peer.export(args.onnx, x, t)
        return {}
    if args.job == "predict":
        given = load_file(args.input)
        save_file({"out": peer.forward(given["x"], given["t"])().float().contiguous()}, args.output)
        return {}
    return timed(getattr(peer, args.job)(x, t), args.batch, args.repeats)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("peer")
    parser.add_argument("job", choices=["forward", "train", "predict", "error", "export", "reference"])
    parser.add_argument("--config", required=True)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    for option in ("--onnx", "--input", "--output"):
        parser.add_argument(option)
    args = parser.parse_args()
    net = unet.read_net(args.config)
    if args.job == "reference":
        result = reference(net, args.output, args.batch)
    elif args.job == "error":
        result = error(args.input, args.output)
    else:
        result = run_peer(net, args)
    print(json.dumps(result))


if __name__ == "__main__":
    main()

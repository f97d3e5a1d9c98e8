"""PyTorch's side of the comparison: the same shapes, precision and steps as the Java side, timed with CUDA events.

    python3 bench.py [--only REGEX] [--seconds 1.0] OUT.json

Every case is warmed up, then timed in five rounds; the median round counts. Names are those of the Java side.
"""
import argparse
import json
import re
import statistics
import sys

import torch
from torch import nn
from torch.nn import functional as F

from models import Bert, resnet18, resnet50

DEVICE = "cuda"
GEMMS = [(8192, 8192, 8192),
         (4096, 768, 768), (4096, 3072, 768), (4096, 768, 3072),            # BERT-base, 32 x 128 tokens
         (401408, 64, 64), (401408, 256, 64), (401408, 64, 256), (100352, 128, 512), (100352, 512, 128),
         (25088, 256, 1024), (25088, 1024, 256), (6272, 512, 2048), (6272, 2048, 512), (128, 1000, 2048)]  # ResNet-50, 128
# inputs, outputs, kernel, stride, image size in: every shape of ResNet-50
CONVS = [(3, 64, 7, 2, 224), (64, 64, 1, 1, 56), (64, 64, 3, 1, 56), (64, 256, 1, 1, 56), (256, 64, 1, 1, 56),
         (256, 128, 1, 1, 56), (128, 128, 3, 2, 56), (128, 512, 1, 1, 28), (256, 512, 1, 2, 56), (512, 128, 1, 1, 28),
         (128, 128, 3, 1, 28), (512, 256, 1, 1, 28), (256, 256, 3, 2, 28), (256, 1024, 1, 1, 14), (512, 1024, 1, 2, 28),
         (1024, 256, 1, 1, 14), (256, 256, 3, 1, 14), (1024, 512, 1, 1, 14), (512, 512, 3, 2, 14), (512, 2048, 1, 1, 7),
         (1024, 2048, 1, 2, 14), (2048, 512, 1, 1, 7), (512, 512, 3, 1, 7)]


def seconds(run, budget):
    """Median seconds of one call over five rounds, after a warm-up."""
    for _ in range(5):
        run()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()          # what choosing algorithms took is over
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    run()
    end.record()
    end.synchronize()
    once = max(begin.elapsed_time(end) / 1e3, 1e-6)
    calls = max(3, min(200, int(budget / 5 / once)))
    rounds = []
    for _ in range(5):
        begin.record()
        for _ in range(calls):
            run()
        end.record()
        end.synchronize()
        rounds.append(begin.elapsed_time(end) / 1e3 / calls)
    return statistics.median(rounds)


def gemm(m, n, k):
    a = torch.randn(m, k, device=DEVICE, dtype=torch.bfloat16)
    b = torch.randn(n, k, device=DEVICE, dtype=torch.bfloat16)      # a weight [n, k], as Linear has it
    return lambda: torch.matmul(a, b.t())


def conv(kind, inputs, outputs, kernel, stride, size, batch=128):
    def last(*shape):
        return torch.randn(*shape, device=DEVICE, dtype=torch.bfloat16).to(memory_format=torch.channels_last)

    pad = kernel // 2
    x, w = last(batch, inputs, size, size), last(outputs, inputs, kernel, kernel)
    y = F.conv2d(x, w, stride=stride, padding=pad)
    dy = torch.randn_like(y)
    if kind == "forward":
        return lambda: F.conv2d(x, w, stride=stride, padding=pad)
    mask = [kind == "input", kind == "weight", False]
    return lambda: torch.ops.aten.convolution_backward(dy, x, w, None, [stride] * 2, [pad] * 2, [1, 1], False, [0, 0], 1,
                                                       mask)


def vision_step(model, batch, classes=10):
    model = model(classes).to(DEVICE, memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, fused=True)
    x = torch.randn(batch, 3, 224, 224, device=DEVICE).to(memory_format=torch.channels_last)
    target = torch.randint(classes, (batch,), device=DEVICE)
    return model, optimizer, x, target


def step(call, optimizer, x, target):
    def run():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = F.cross_entropy(call(x), target)
        loss.backward()
        optimizer.step()
    return run


def train(model, batch, compiled=False):
    model, optimizer, x, target = vision_step(model, batch)
    return step(torch.compile(model) if compiled else model, optimizer, x, target)


def head(batch=128, classes=10):
    model = resnet50(classes).to(DEVICE, memory_format=torch.channels_last).eval()
    x = torch.randn(batch, 3, 224, 224, device=DEVICE).to(memory_format=torch.channels_last)
    target = torch.randint(classes, (batch,), device=DEVICE)
    optimizer = torch.optim.SGD(model.fc.parameters(), lr=1e-3, momentum=0.9, fused=True)

    def call(images):
        with torch.no_grad():
            features = model.features(images)
        return model.fc(features)

    return step(call, optimizer, x, target)


def bert(compiled=False, batch=32, length=128):
    model = Bert(2).to(DEVICE).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5, weight_decay=0.01, fused=True)
    tokens = torch.randint(30522, (batch, length), device=DEVICE)
    target = torch.randint(2, (batch,), device=DEVICE)
    return step(torch.compile(model) if compiled else model, optimizer, tokens, target)


def memory_bound():
    """Functions on 256 MB of bfloat16, with the bytes that each has to read and write."""
    n, c = 128 * 1024 * 1024, 1024
    x, y = (torch.randn(n // c, c, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    w, b = torch.randn(c, device=DEVICE, dtype=torch.bfloat16), torch.randn(c, device=DEVICE, dtype=torch.bfloat16)
    out = torch.empty_like(x)
    size = 2 * n
    return {"copy": (lambda: out.copy_(x), 2 * size), "relu": (lambda: torch.relu(x), 2 * size),
            "gelu": (lambda: F.gelu(x), 2 * size), "add": (lambda: x + y, 3 * size),
            "bias": (lambda: x + b, 2 * size), "softmax": (lambda: torch.softmax(x, -1), 2 * size),
            "layer_norm": (lambda: F.layer_norm(x, (c,), w, b), 2 * size), "sum_rows": (lambda: x.sum(0), size)}


def cases():
    for m, n, k in GEMMS:
        yield f"gemm bf16 {m}x{n}x{k}", lambda s=(m, n, k): (gemm(*s), {})
    for shape in CONVS:
        for kind in ("forward", "input", "weight"):
            if kind == "input" and shape[0] == 3:
                continue
            inputs, outputs, kernel, stride, size = shape[:5]
            name = f"conv bf16 {kind} {inputs}->{outputs} {kernel}x{kernel} stride {stride} size {size}"
            yield name, lambda kind=kind, s=shape: (conv(kind, *s), {})
    for name in memory_bound() if torch.cuda.is_available() else {}:
        yield f"memory bf16 {name}", lambda name=name: (memory_bound()[name][0], {"bytes": memory_bound()[name][1]})
    yield "resnet50 train 128", lambda: (train(resnet50, 128), {})
    yield "resnet50 train 128 compiled", lambda: (train(resnet50, 128, True), {})
    yield "resnet18 train 16", lambda: (train(resnet18, 16), {})
    yield "resnet50 head 128", lambda: (head(), {})
    yield "bert train 32x128", lambda: (bert(), {})
    yield "bert train 32x128 compiled", lambda: (bert(True), {})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--only", default="")
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each case")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("PyTorch sees no CUDA device: the comparison is left out", file=sys.stderr)
        sys.exit(3)
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    results = []
    for name, make in cases():
        if not re.search(arguments.only, name):
            continue
        torch.cuda.empty_cache()
        try:
            run, more = make()
            took = seconds(run, arguments.seconds)
            results.append({"name": name, "seconds": took, "peak_bytes": torch.cuda.max_memory_allocated(),
                            "reserved_bytes": torch.cuda.max_memory_reserved(), **more})
            print(f"{name}: {took * 1e3:.3f} ms", flush=True)
        except RuntimeError as e:
            results.append({"name": name, "failed": str(e).splitlines()[0]})
            print(f"{name}: FAILED {e}", flush=True)
        run = None
        torch.compiler.reset()
    report = {"torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version(),
              "device": torch.cuda.get_device_name(), "results": results}
    with open(arguments.out, "w") as f:
        json.dump(report, f, indent=1)


if __name__ == "__main__":
    main()
